import Bytes
import Testing

/// Unicode 15 table 3-7, row by row.
private let rows: [[ClosedRange<UInt8>]] = [
    [0x00...0x7F],
    [0xC2...0xDF, 0x80...0xBF],
    [0xE0...0xE0, 0xA0...0xBF, 0x80...0xBF],
    [0xE1...0xEC, 0x80...0xBF, 0x80...0xBF],
    [0xED...0xED, 0x80...0x9F, 0x80...0xBF],
    [0xEE...0xEF, 0x80...0xBF, 0x80...0xBF],
    [0xF0...0xF0, 0x90...0xBF, 0x80...0xBF, 0x80...0xBF],
    [0xF1...0xF3, 0x80...0xBF, 0x80...0xBF, 0x80...0xBF],
    [0xF4...0xF4, 0x80...0x8F, 0x80...0xBF, 0x80...0xBF],
]

@Suite struct UTF8ValidationTests {
    /// How long the sequence in front of `bytes` is, by the table.
    private func tableLength(_ bytes: [UInt8]) -> Int? {
        for row in rows where row.count <= bytes.count {
            if zip(row, bytes).allSatisfy({ $0.contains($1) }) { return row.count }
        }
        return nil
    }

    private func length(_ bytes: [UInt8]) -> Int? {
        UTF8Validation.sequenceLength(bytes.span, at: 0, end: bytes.count)
    }

    private func defect(_ bytes: [UInt8]) -> Int? {
        UTF8Validation.firstDefect(bytes.span, in: 0..<bytes.count)
    }

    @Test func `every one and two bytes are judged as the table says`() {
        for first in UInt8.min...UInt8.max {
            #expect(length([first]) == tableLength([first]))
            for second in UInt8.min...UInt8.max {
                let bytes = [first, second]
                guard length(bytes) != tableLength(bytes) else { continue }
                Issue.record("\(bytes): \(String(describing: length(bytes)))")
            }
        }
    }

    @Test func `every longer sequence is judged as the table says at its borders`() {
        let borders: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xFF,
        ]
        for first in UInt8(0xE0)...UInt8.max {
            for second in borders {
                for third in borders {
                    #expect(length([first, second, third]) == tableLength([first, second, third]))
                    for fourth in borders {
                        let bytes = [first, second, third, fourth]
                        guard length(bytes) != tableLength(bytes) else { continue }
                        Issue.record("\(bytes): \(String(describing: length(bytes)))")
                    }
                }
            }
        }
    }

    @Test func `every scalar is well-formed`() {
        for value in UInt32(0)...0x10FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let bytes = Array(UTF8.encode(scalar) ?? .init())
            guard defect(bytes) != nil || length(bytes) != bytes.count else { continue }
            Issue.record("U+\(String(value, radix: 16))")
        }
    }

    @Test func `a defect is found at every place of a long text`() {
        for before in 0..<40 {
            for after in 0..<20 {
                let head = [UInt8](repeating: 0x61, count: before)
                let tail = [UInt8](repeating: 0x62, count: after)
                #expect(defect(head + tail) == nil)
                #expect(defect(head + [0xC3, 0xA9] + tail) == nil)
                #expect(defect(head + [0xFF] + tail) == before)
                #expect(defect(head + [0xE2, 0x82] + tail) == before)
            }
        }
    }

    @Test func `only the range counts`() {
        let bytes: [UInt8] = [0xFF, 0x61, 0xC3, 0xA9, 0xFF]
        let whole = UTF8Validation.firstDefect(bytes.span, in: 1..<4)
        #expect(whole == nil)
        let cut = UTF8Validation.firstDefect(bytes.span, in: 1..<3)
        #expect(cut == 2)
        let none = UTF8Validation.firstDefect(bytes.span, in: 0..<0)
        #expect(none == nil)
    }
}
