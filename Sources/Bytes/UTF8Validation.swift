/// Well-formed UTF-8, Unicode 15 table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF.
package enum UTF8Validation {
    /// The offset of the first byte in `range` that begins no well-formed sequence, or nil.
    package static func firstDefect(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int? {
        var offset = range.lowerBound
        while offset < range.upperBound {
            if offset + 8 <= range.upperBound,
                bytes.littleEndian(UInt64.self, at: offset) & 0x8080_8080_8080_8080 == 0
            {
                offset += 8
                continue
            }
            guard let length = sequenceLength(bytes, at: offset, end: range.upperBound) else {
                return offset
            }
            offset += length
        }
        return nil
    }

    /// How many bytes the well-formed sequence at `offset` has, or nil when there is none.
    package static func sequenceLength(_ bytes: Span<UInt8>, at offset: Int, end: Int) -> Int? {
        let first = bytes[offset]
        if first < 0x80 { return 1 }
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return nil
        }
        guard offset + length <= end, second.contains(bytes[offset + 1]) else { return nil }
        for place in 2..<max(length, 2) where bytes[offset + place] & 0xC0 != 0x80 { return nil }
        return length
    }
}
