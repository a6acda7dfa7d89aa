import Bytes

/// Scanners of single tokens. `offset` moves behind what was read; `end` bounds it.
enum JSONScanner {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    /// Marks, in the high bit of its byte, the first byte of `word` (lowest address) that is a
    /// quote, a backslash, a control character or not ASCII. Marks behind the first may be wrong.
    @inline(__always)
    static func special(_ word: UInt64) -> UInt64 {
        let quote = word ^ (ones &* 0x22)
        let backslash = word ^ (ones &* 0x5C)
        let marks =
            ((quote &- ones) & ~quote) | ((backslash &- ones) & ~backslash)
            | ((word &- (ones &* 0x20)) & ~word) | word
        return marks & highBits
    }

    /// The offset of the first byte from `offset` on that `special` marks, or `end`.
    @inline(__always)
    static func skipPlain(_ bytes: Span<UInt8>, from offset: Int, end: Int) -> Int {
        var offset = offset
        while offset &+ 8 <= end {
            let marks = special(bytes.littleEndian(UInt64.self, at: offset))
            if marks != 0 { return offset &+ marks.trailingZeroBitCount >> 3 }
            offset &+= 8
        }
        while offset < end {
            let byte = bytes[offset]
            if byte < 0x20 || byte >= 0x80 || byte == 0x22 || byte == 0x5C { return offset }
            offset += 1
        }
        return end
    }

    @inline(__always)
    static func skipSpace(_ bytes: Span<UInt8>, _ offset: inout Int, end: Int) {
        while offset < end {
            let byte = bytes[offset]
            if byte > 0x20 { return }
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            offset &+= 1
        }
    }

    /// Reads the string whose first quote is at `offset`; says whether it has escapes.
    @inline(__always)
    static func string(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int
    ) throws(JSONDefect) -> Bool {
        offset = skipPlain(bytes, from: offset + 1, end: end)
        if offset < end, bytes[offset] == 0x22 {
            offset += 1
            return false
        }
        return try stringRemainder(bytes, &offset, end: end)
    }

    private static func stringRemainder(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int
    ) throws(JSONDefect) -> Bool {
        var hasEscapes = false
        while offset < end {
            let byte = bytes[offset]
            switch byte {
            case 0x22:
                offset += 1
                return hasEscapes
            case 0x5C:
                hasEscapes = true
                try escape(bytes, &offset, end: end)
            case 0..<0x20:
                throw JSONDefect(.controlCharacter, at: offset)
            default:
                guard let length = UTF8Validation.sequenceLength(bytes, at: offset, end: end)
                else { throw JSONDefect(.invalidUTF8, at: offset) }
                offset += length
            }
            offset = skipPlain(bytes, from: offset, end: end)
        }
        throw JSONDefect(.unexpectedEnd, at: end)
    }

    private static func escape(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int
    ) throws(JSONDefect) {
        let start = offset
        guard start + 1 < end else { throw JSONDefect(.unexpectedEnd, at: end) }
        switch bytes[start + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset = start + 2
        case UInt8(ascii: "u"):
            let unit = try codeUnit(bytes, at: start, end: end)
            offset = start + 6
            guard unit & 0xF800 == 0xD800 else { return }
            guard unit < 0xDC00, offset + 1 < end, bytes[offset] == 0x5C,
                bytes[offset + 1] == UInt8(ascii: "u"),
                try codeUnit(bytes, at: offset, end: end) & 0xFC00 == 0xDC00
            else { throw JSONDefect(.loneSurrogate, at: start) }
            offset += 6
        default:
            throw JSONDefect(.invalidEscape, at: start)
        }
    }

    /// The UTF-16 code unit of the four-digit escape at `offset` (RFC 8259 section 7).
    private static func codeUnit(
        _ bytes: Span<UInt8>, at offset: Int, end: Int
    ) throws(JSONDefect) -> UInt32 {
        var unit: UInt32 = 0
        for place in 2..<6 {
            guard offset + place < end else { throw JSONDefect(.unexpectedEnd, at: end) }
            guard let digit = hexValue(bytes[offset + place]) else {
                throw JSONDefect(.invalidEscape, at: offset)
            }
            unit = unit << 4 | digit
        }
        return unit
    }

    static func hexValue(_ character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character) - 48
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(character) - 87
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(character) - 55
        default: nil
        }
    }

    /// Reads the number that begins at `offset` (RFC 8259 section 6).
    static func number(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int
    ) throws(JSONDefect) {
        let start = offset
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        let integer = offset
        try digits(bytes, &offset, end: end, start: start)
        if bytes[integer] == UInt8(ascii: "0"), offset > integer + 1 {
            throw JSONDefect(.invalidNumber, at: start)
        }
        if offset < end, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits(bytes, &offset, end: end, start: start)
        }
        guard offset < end, bytes[offset] | 0x20 == UInt8(ascii: "e") else { return }
        offset += 1
        if offset < end, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") {
            offset += 1
        }
        try digits(bytes, &offset, end: end, start: start)
    }

    private static func digits(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int, start: Int
    ) throws(JSONDefect) {
        let first = offset
        while offset < end, bytes[offset] &- 48 <= 9 { offset += 1 }
        guard offset > first else {
            throw offset < end
                ? JSONDefect(.invalidNumber, at: start) : JSONDefect(.unexpectedEnd, at: end)
        }
    }
}

/// Walks the unescaped bytes of a string whose escapes are known to be well-formed.
struct UnescapingCursor {
    private var offset: Int
    private let end: Int
    /// Bytes of an escape that are still to be given out, the next one lowest.
    private var pending: UInt32 = 0

    init(_ content: Range<Int>) {
        offset = content.lowerBound
        end = content.upperBound
    }

    mutating func next(in bytes: Span<UInt8>) -> UInt8? {
        if pending != 0 {
            let byte = UInt8(truncatingIfNeeded: pending)
            pending >>= 8
            return byte
        }
        guard offset < end else { return nil }
        let byte = bytes[offset]
        offset += 1
        return byte == 0x5C ? escaped(in: bytes) : byte
    }

    private mutating func escaped(in bytes: Span<UInt8>) -> UInt8 {
        let letter = bytes[offset]
        offset += 1
        switch letter {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"): return encoded(codePoint(in: bytes))
        default: return letter
        }
    }

    private mutating func codePoint(in bytes: Span<UInt8>) -> UInt32 {
        let high = codeUnit(in: bytes)
        guard high & 0xF800 == 0xD800 else { return high }
        offset += 2
        return 0x10000 + (high & 0x3FF) << 10 + codeUnit(in: bytes) & 0x3FF
    }

    private mutating func codeUnit(in bytes: Span<UInt8>) -> UInt32 {
        var unit: UInt32 = 0
        for _ in 0..<4 {
            unit = unit << 4 | (JSONScanner.hexValue(bytes[offset]) ?? 0)
            offset += 1
        }
        return unit
    }

    /// The first UTF-8 byte of `point`; the others, none of which is zero, become pending.
    private mutating func encoded(_ point: UInt32) -> UInt8 {
        let tail = 0x80 | point & 0x3F
        let middle = 0x80 | point >> 6 & 0x3F
        switch point {
        case 0..<0x80:
            return UInt8(truncatingIfNeeded: point)
        case 0x80..<0x800:
            pending = tail
            return UInt8(truncatingIfNeeded: 0xC0 | point >> 6)
        case 0x800..<0x10000:
            pending = middle | tail << 8
            return UInt8(truncatingIfNeeded: 0xE0 | point >> 12)
        default:
            pending = 0x80 | point >> 12 & 0x3F | middle << 8 | tail << 16
            return UInt8(truncatingIfNeeded: 0xF0 | point >> 18)
        }
    }
}
