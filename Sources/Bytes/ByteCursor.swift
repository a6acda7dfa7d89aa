/// Bytes that end too early or say what cannot be, found at this offset.
package struct ByteDefect: Error, Equatable, Sendable {
    package let offset: Int

    package init(offset: Int) { self.offset = offset }
}

/// Reads fields one after the other, never past `end`. The bytes are passed to every call.
package struct ByteCursor {
    package private(set) var offset: Int
    package let end: Int

    package init(_ range: Range<Int>) {
        offset = range.lowerBound
        end = range.upperBound
    }

    package var remaining: Int { end - offset }

    package mutating func integer<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: Span<UInt8>, as type: Integer.Type = Integer.self
    ) throws(ByteDefect) -> Integer {
        let place = try take(MemoryLayout<Integer>.size)
        return bytes.littleEndian(at: place.lowerBound)
    }

    /// The next `count` bytes, as a range.
    package mutating func take(_ count: Int) throws(ByteDefect) -> Range<Int> {
        guard count >= 0, count <= remaining else { throw ByteDefect(offset: offset) }
        defer { offset += count }
        return offset..<(offset + count)
    }

    /// Bytes behind their count as 32 bits.
    package mutating func counted(_ bytes: Span<UInt8>) throws(ByteDefect) -> Range<Int> {
        let count = try integer(bytes, as: UInt32.self)
        return try take(Int(count))
    }

    /// Text behind its count as 32 bits; malformed UTF-8 is a defect.
    package mutating func text(_ bytes: Span<UInt8>) throws(ByteDefect) -> String {
        let range = try counted(bytes)
        guard UTF8Validation.firstDefect(bytes, in: range) == nil else {
            throw ByteDefect(offset: range.lowerBound)
        }
        return String(decoding: bytes.copy(range), as: UTF8.self)
    }

    /// A defect unless everything was read.
    package func finish() throws(ByteDefect) {
        guard remaining == 0 else { throw ByteDefect(offset: offset) }
    }
}

extension [UInt8] {
    /// Appends the count of `bytes` as 32 bits, and `bytes`.
    package mutating func append(counted bytes: [UInt8]) {
        append(littleEndian: UInt32(bytes.count))
        append(contentsOf: bytes)
    }

    /// Appends the count of the UTF-8 bytes of `text` as 32 bits, and the bytes.
    package mutating func append(counted text: String) {
        append(counted: Array(text.utf8))
    }
}
