import Records
import SegmentLog
import Testing

@testable import SegmentInspection

struct SegmentEntriesTests {
    /// All steps, and what is left of the reading.
    private func read(
        _ bytes: [UInt8], isLast: Bool
    ) throws -> (steps: [SegmentEntries.Step], reading: SegmentEntries) {
        let file = SegmentFile(
            name: "a", firstIndex: LogIndex(1), generation: 0, descriptor: nil, previous: nil,
            isLast: isLast)
        var reading = SegmentEntries(bytes.span, file: file)
        var steps: [SegmentEntries.Step] = []
        while let step = reading.next(bytes.span) {
            steps.append(step)
            try #require(steps.count < 100)
        }
        return (steps, reading)
    }

    private func offsets(_ steps: [SegmentEntries.Step]) -> [Int] {
        steps.compactMap { if case .entry(_, let offset) = $0 { offset } else { nil } }
    }

    private func damage(_ steps: [SegmentEntries.Step]) -> [Range<Int>] {
        steps.compactMap { if case .damage(let range, _) = $0 { range } else { nil } }
    }

    private func sealed() throws -> [UInt8] {
        var log = try WrittenLog()
        log.append(.noOperation)
        log.append(events: ["one", "two"])
        log.append(events: ["three"])
        let file = log.file
        try log.seal(isArchived: false)
        return try #require(log.contents(file))
    }

    private func open() throws -> (bytes: [UInt8], end: Int) {
        var log = try WrittenLog()
        log.append(.noOperation)
        log.append(events: ["one", "two"])
        log.append(events: ["three"])
        log.store()
        return (try #require(log.contents(log.file)), log.end)
    }

    @Test func `a whole segment is its entries and nothing else`() throws {
        let bytes = try sealed()
        let (steps, reading) = try read(bytes, isLast: false)
        #expect(offsets(steps).count == 4 && damage(steps).isEmpty)
        #expect(reading.isSealed && reading.end == bytes.count)
    }

    @Test func `every flipped bit of a sealed segment is in a damaged range, the rest is read`()
        throws
    {
        let bytes = try sealed()
        let good = offsets(try read(bytes, isLast: false).steps)
        for bit in 0..<(bytes.count * 8) {
            var bad = bytes
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            let (steps, _) = try read(bad, isLast: false)
            let ranges = damage(steps)
            #expect(ranges.contains { $0.contains(bit / 8) }, "bit \(bit)")
            let untouched = good.filter { offset in
                !ranges.contains { $0.contains(offset) }
            }
            #expect(offsets(steps) == untouched, "bit \(bit)")
            #expect(untouched.count >= 3, "bit \(bit)")
        }
    }

    @Test func `a sealed segment that is cut is damaged at every length`() throws {
        let bytes = try sealed()
        for count in 0..<bytes.count {
            let (steps, _) = try read(Array(bytes[..<count]), isLast: false)
            #expect(!damage(steps).isEmpty, "\(count) bytes")
        }
        #expect(
            damage(try read(bytes + [0], isLast: false).steps) == [bytes.count..<bytes.count + 1])
    }

    @Test func `an open segment that is cut ends with its last whole entry`() throws {
        let (bytes, end) = try open()
        let good = offsets(try read(bytes, isLast: true).steps)
        for count in SegmentHeader.encodedSize..<end {
            var cut = bytes
            for place in count..<bytes.count { cut[place] = 0 }
            let (steps, reading) = try read(cut, isLast: true)
            #expect(damage(steps).isEmpty, "\(count) bytes")
            // A cut inside the last entry's padding or zeros changes nothing.
            #expect(good.starts(with: offsets(steps)), "\(count) bytes")
            #expect(reading.end <= end)
            if let unfinished = reading.unfinished { #expect(unfinished.lowerBound == reading.end) }
        }
    }

    @Test func `damage in front of a good entry of an open segment is damage`() throws {
        let (bytes, _) = try open()
        let good = offsets(try read(bytes, isLast: true).steps)
        var bad = bytes
        bad[good[1] + 60] ^= 1
        let (steps, reading) = try read(bad, isLast: true)
        #expect(damage(steps) == [good[1]..<good[2]])
        #expect(offsets(steps) == [good[0], good[2]] && reading.unfinished == nil)
    }

    @Test func `a sound entry of another place is no continuation`() throws {
        let bytes = try sealed()
        let good = offsets(try read(bytes, isLast: false).steps)
        // The second entry once more, where the third belongs.
        let doubled = bytes[..<good[2]] + bytes[good[1]..<good[2]] + bytes[good[2]...]
        let (steps, _) = try read(Array(doubled), isLast: false)
        #expect(damage(steps).first?.lowerBound == good[2])
    }

    @Test func `a header that is zero in a file that was just made is no damage`() throws {
        let (steps, reading) = try read([UInt8](repeating: 0, count: 4_096), isLast: true)
        #expect(steps.isEmpty && reading.end == 0)
    }
}
