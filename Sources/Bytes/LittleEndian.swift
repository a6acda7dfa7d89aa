// Fixed-width integers, little-endian, in byte buffers. Every `unsafe` load of the package is here.

extension Span<UInt8> {
    /// The integer at `offset`. Traps when the span is too short: callers check the length first.
    @inlinable
    package func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ type: Integer.Type = Integer.self, at offset: Int
    ) -> Integer {
        precondition(
            offset >= 0 && offset <= count - MemoryLayout<Integer>.size, "read past the end")
        return unsafe Integer(
            littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }

    /// A copy of the bytes in `range`.
    @inlinable
    package func copy(_ range: Range<Int>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        bytes.append(extracting(range))
        return bytes
    }

    /// Whether the bytes in `range` equal all of `other`.
    package func equals(_ other: Span<UInt8>, in range: Range<Int>) -> Bool {
        guard range.count == other.count else { return false }
        var offset = 0
        while offset + 8 <= other.count {
            guard
                littleEndian(UInt64.self, at: range.lowerBound + offset)
                    == other.littleEndian(UInt64.self, at: offset)
            else { return false }
            offset += 8
        }
        while offset < other.count {
            guard self[range.lowerBound + offset] == other[offset] else { return false }
            offset += 1
        }
        return true
    }
}

extension [UInt8] {
    /// Appends `integer` in little-endian order.
    @inlinable
    package mutating func append<Integer: FixedWidthInteger>(littleEndian integer: Integer) {
        unsafe Swift.withUnsafeBytes(of: integer.littleEndian) { unsafe append(contentsOf: $0) }
    }

    /// Overwrites the bytes at `offset` with `integer` in little-endian order. Traps past the end.
    @inlinable
    package mutating func put<Integer: FixedWidthInteger>(
        littleEndian integer: Integer, at offset: Int
    ) {
        precondition(
            offset >= 0 && offset <= count - MemoryLayout<Integer>.size, "write past the end")
        unsafe withUnsafeMutableBytes { buffer in
            unsafe buffer.storeBytes(
                of: integer.littleEndian, toByteOffset: offset, as: Integer.self)
        }
    }

    /// Overwrites the bytes at `offset` with `bytes`. Traps past the end.
    @inlinable
    package mutating func put(_ bytes: [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset <= count - bytes.count, "write past the end")
        unsafe withUnsafeMutableBytes { destination in
            unsafe bytes.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(
                    rebasing: destination[offset..<(offset + bytes.count)]
                ).copyMemory(from: source)
            }
        }
    }

    /// Appends all bytes of `span`.
    @inlinable
    package mutating func append(_ span: Span<UInt8>) {
        unsafe span.withUnsafeBytes { unsafe append(contentsOf: $0) }
    }
}
