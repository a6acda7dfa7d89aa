/// Base64, RFC 4648 sections 4 (standard) and 5 (URL-safe).
package enum Base64 {
    package enum Alphabet: Sendable { case standard, urlSafe }

    private static let standard = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let urlSafe = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// `bytes` as text; padded with `=` in the standard alphabet, unpadded in the URL-safe one.
    package static func encode(_ bytes: [UInt8], alphabet: Alphabet = .standard) -> String {
        let characters = alphabet == .standard ? standard : urlSafe
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var offset = 0
        while offset < bytes.count {
            let group = min(3, bytes.count - offset)
            var bits: UInt32 = 0
            for place in 0..<3 {
                bits = bits << 8 | (place < group ? UInt32(bytes[offset + place]) : 0)
            }
            for place in 0...group {
                text.append(characters[Int(bits >> (18 - 6 * UInt32(place)) & 63)])
            }
            if alphabet == .standard {
                for _ in group..<3 { text.append(UInt8(ascii: "=")) }
            }
            offset += group
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The bytes that `text` stands for, in either alphabet (but not both in one text), padding
    /// optional; nil when it is malformed, has bits left over, or white space in it.
    package static func decode(_ text: String) -> [UInt8]? { decode(Array(text.utf8).span) }

    /// The same for text as bytes.
    package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        var characterCount = 0
        var paddingCount = 0
        var seen: Alphabet?
        for offset in 0..<text.count {
            let character = text[offset]
            if character == UInt8(ascii: "=") {
                paddingCount += 1
                continue
            }
            guard paddingCount == 0, let digit = value(of: character, seen: &seen) else {
                return nil
            }
            bits = bits << 6 | digit
            bitCount += 6
            characterCount += 1
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
                bits &= (1 << bitCount) - 1
            }
        }
        let tail = characterCount % 4
        guard tail != 1, bits == 0 else { return nil }
        guard paddingCount == 0 || (tail != 0 && paddingCount == 4 - tail) else { return nil }
        return bytes
    }

    private static func value(of character: UInt8, seen: inout Alphabet?) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): return UInt32(character) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return UInt32(character) - 97 + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return UInt32(character) - 48 + 52
        case UInt8(ascii: "+"), UInt8(ascii: "/"):
            guard seen != .urlSafe else { return nil }
            seen = .standard
            return character == UInt8(ascii: "+") ? 62 : 63
        case UInt8(ascii: "-"), UInt8(ascii: "_"):
            guard seen != .standard else { return nil }
            seen = .urlSafe
            return character == UInt8(ascii: "-") ? 62 : 63
        default: return nil
        }
    }
}
