/// 32 bytes of a digest as four words, so that many of them need no memory of their own.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
    private let first: UInt64
    private let second: UInt64
    private let third: UInt64
    private let fourth: UInt64

    /// Bytes in the encoded form.
    package static let byteCount = 32
    package static let zero = Digest(first: 0, second: 0, third: 0, fourth: 0)

    private init(first: UInt64, second: UInt64, third: UInt64, fourth: UInt64) {
        (self.first, self.second, self.third, self.fourth) = (first, second, third, fourth)
    }

    /// Reads 32 bytes at `offset`. Traps when the span is too short.
    package init(_ bytes: Span<UInt8>, at offset: Int) {
        first = bytes.littleEndian(at: offset)
        second = bytes.littleEndian(at: offset + 8)
        third = bytes.littleEndian(at: offset + 16)
        fourth = bytes.littleEndian(at: offset + 24)
    }

    /// Takes over 32 bytes.
    package init(_ bytes: [UInt8]) {
        precondition(bytes.count == Self.byteCount, "a digest of \(bytes.count) bytes")
        self.init(bytes.span, at: 0)
    }

    /// Reads the next 32 bytes.
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        self.init(bytes, at: try cursor.take(Self.byteCount).lowerBound)
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: first)
        bytes.append(littleEndian: second)
        bytes.append(littleEndian: third)
        bytes.append(littleEndian: fourth)
    }

    /// Appends 64 hexadecimal digits.
    package func appendHex(to text: inout [UInt8]) {
        for word in [first, second, third, fourth] { Hex.append(littleEndian: word, to: &text) }
    }

    /// 64 hexadecimal digits.
    package var description: String {
        var text: [UInt8] = []
        appendHex(to: &text)
        return String(decoding: text, as: UTF8.self)
    }
}
