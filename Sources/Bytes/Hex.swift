/// Lower-case hexadecimal, RFC 4648 section 8 with the alphabet in lower case.
package enum Hex {
    private static let digits = Array("0123456789abcdef".utf8)

    /// Appends two digits for each of `bytes`.
    package static func append(_ bytes: Span<UInt8>, to text: inout [UInt8]) {
        for offset in 0..<bytes.count {
            let byte = bytes[offset]
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
    }

    /// Appends the 16 digits of the little-endian bytes of `word`.
    package static func append(littleEndian word: UInt64, to text: inout [UInt8]) {
        for place in 0..<8 {
            let byte = UInt8(truncatingIfNeeded: word >> (8 * UInt64(place)))
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
    }

    /// `bytes` as text.
    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        append(bytes.span, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` stands for; nil when it has an odd length or another character.
    /// Upper-case digits are read too.
    package static func decode(_ text: String) -> [UInt8]? { decode(Array(text.utf8).span) }

    /// The same for text as bytes.
    package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        guard text.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        for offset in stride(from: 0, to: text.count, by: 2) {
            guard let high = value(of: text[offset]), let low = value(of: text[offset + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
