import Bytes
import Records
import Testing

@testable import EventIndex

/// Records of a few or of many values, and their summary.
private struct Segment {
    var records: [[UInt8]] = []
    var summary = SegmentSummary()
    let valueCount: Int
    private var random: RandomSource

    init(seed: UInt64, count: Int, valueCount: Int) throws {
        random = RandomSource(seed: seed)
        self.valueCount = valueCount
        for number in 0..<count {
            let record =
                random.below(9) == 0
                ? TestSegment.administrationRecord()
                : TestSegment.auditRecord(
                    "id-\(number)", script: value("script"), host: value("host"),
                    file: value("file"), startedAt: 1_000 + random.below(1_000),
                    stoppedAt: random.below(2) == 0 ? nil : 5_000 + random.below(1_000))
            records.append(record)
            summary.insert(
                try TestSegment.view(record), in: record.span,
                recordedAt: Timestamp(microseconds: Int64(number)))
        }
        summary.finish()
    }

    private mutating func value(_ field: String) -> String {
        "\(field) \(random.below(valueCount))"
    }

    mutating func filter() -> EventFilter {
        var filter = EventFilter()
        filter.resources = [.auditEvents, .administration, .all][random.below(3)]
        if random.below(3) == 0 { filter.scriptName = Array(wanted("script").utf8) }
        if random.below(3) == 0 { filter.hostName = Array(wanted("host").utf8) }
        if random.below(3) == 0 { filter.fileName = Array(wanted("file").utf8) }
        if random.below(3) == 0 {
            filter.since = Timestamp(microseconds: 900 + random.below(1_200))
        }
        if random.below(3) == 0 {
            filter.untilTime = Timestamp(microseconds: 900 + random.below(1_200))
        }
        return filter
    }

    private mutating func wanted(_ field: String) -> String {
        "\(field) \(random.below(valueCount * 2))"
    }

    func matches(_ filter: EventFilter) throws -> Bool {
        try records.contains { record in
            filter.accepts(try TestSegment.view(record), in: record.span)
        }
    }
}

struct SegmentSummaryTests {
    @Test func `a segment with a match is never passed by, and many without one are`() throws {
        var passed = 0
        for (number, valueCount) in [1, 3, 10, 64, 65, 300, 2_000].enumerated() {
            for seed in UInt64(0)..<3 {
                var segment = try Segment(
                    seed: seed << 8 | UInt64(number), count: 1 + 150 * Int(seed),
                    valueCount: valueCount)
                for _ in 0..<60 {
                    let filter = segment.filter()
                    let mayMatch = segment.summary.mayMatch(filter)
                    if try segment.matches(filter) { #expect(mayMatch, "\(filter)") }
                    if !mayMatch { passed += 1 }
                }
            }
        }
        #expect(passed >= 300)
    }

    @Test func `it counts, knows times, and survives its bytes`() throws {
        let entries = try TestSegment().entries
        var summary = SegmentSummary()
        for entry in entries {
            // In the middle of other bytes, as in a segment.
            let bytes = [1, 2, 3] + entry.bytes
            try summary.insert(recordsOf: entry.header, in: bytes.span, at: 3)
        }
        summary.finish()
        #expect(summary.auditEventCount == 3 && summary.administrationCount == 1)
        #expect(summary.compactedCount == 1 && summary.erasedCount == 1)
        #expect(summary.startedAt.least == Timestamp(microseconds: 5))
        #expect(summary.startedAt.greatest == Timestamp(microseconds: 7))
        #expect(summary.recordedAt.least == Timestamp(microseconds: 1))
        #expect(summary.recordedAt.greatest == Timestamp(microseconds: 1_000))
        #expect(summary.stoppedAt == SegmentSummary.Times())
        #expect(summary.mayBeWritten(by: Array("0011223344556677".utf8)))
        #expect(!summary.mayBeWritten(by: Array("0011223344556678".utf8)))
        var bytes: [UInt8] = [1, 2, 3]
        summary.append(to: &bytes)
        let end = bytes.count
        bytes += [4, 5]
        var cursor = ByteCursor(3..<bytes.count)
        #expect(try SegmentSummary(&cursor, bytes.span) == summary)
        #expect(cursor.offset == end)
    }

    @Test func `every flipped bit and every cut of its bytes is a defect`() throws {
        for valueCount in [3, 500] {
            let segment = try Segment(seed: 5, count: 120, valueCount: valueCount)
            var bytes: [UInt8] = []
            segment.summary.append(to: &bytes)
            for bit in 0..<(bytes.count * 8) {
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(throws: ByteDefect.self) { try decode(bytes) }
                bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            }
            for count in 0..<bytes.count {
                #expect(throws: ByteDefect.self) { try decode(Array(bytes[..<count])) }
            }
            #expect(try decode(bytes) == segment.summary)
        }
    }

    private func decode(_ bytes: [UInt8]) throws -> SegmentSummary {
        var cursor = ByteCursor(0..<bytes.count)
        return try SegmentSummary(&cursor, bytes.span)
    }

    @Test func `sets are exact up to 64 values and 4 KiB, then filters of at most 16 KiB`() {
        var set = ValueSet()
        let insert = { (text: String) in
            let bytes = Array(text.utf8)
            set.insert(bytes.span, 0..<bytes.count)
        }
        for round in 0..<2 {
            for number in 0..<64 { insert("value \(number)") }
            #expect(
                !set.mayContain(Array("value 64".utf8)), "exact in round \(round)")
        }
        for number in 64..<3_000 { insert("value \(number)") }
        set.fold()
        #expect((0..<3_000).allSatisfy { set.mayContain(Array("value \($0)".utf8)) })
        let passed = (0..<10_000).count { set.mayContain(Array("other \($0)".utf8)) }
        #expect(passed <= 400)
        set = ValueSet()
        for number in 0..<60_000 { insert("value \(number)") }
        set.fold()
        var bytes: [UInt8] = []
        set.append(to: &bytes)
        #expect(bytes.count == 8 + ValueSet.filterByteCount)

        set = ValueSet()
        insert(String(repeating: "a", count: 4_096))
        #expect(!set.mayContain(Array("b".utf8)))
        insert("b")
        set.fold()
        bytes = []
        set.append(to: &bytes)
        #expect(bytes.count == 8 + ValueSet.smallestFilterByteCount)
        #expect(set.mayContain(Array("b".utf8)) && !set.mayContain(Array("c".utf8)))
    }

    @Test func `a summary without events that went counts them, and no more than it has`() throws {
        let summary = try Segment(seed: 1, count: 40, valueCount: 3).summary
        let count = Int(summary.auditEventCount)
        let next = try #require(summary.compacting(count))
        #expect(next.auditEventCount == 0 && next.compactedCount == UInt64(count))
        #expect(!next.mayMatch(EventFilter()))
        #expect(summary.compacting(count + 1) == nil)
        #expect(SegmentSummary(summary.encoded) == summary)
        #expect(SegmentSummary(summary.encoded + [0]) == nil)
        #expect(SegmentSummary(Array(summary.encoded.dropLast())) == nil)
    }
}
