import Bytes
import Records
import SegmentLog
import Testing

@testable import SegmentInspection

struct UsageTests {
    private let seed = RevisionKey.Seed(7)

    private func listing(_ log: WrittenLog) throws -> SegmentListing {
        try SegmentListing(disk: log.disk, seed: seed) { _ in }
    }

    @Test func `a record is superseded by a later revision anywhere in the log`() throws {
        var log = try WrittenLog()
        log.append(.noOperation)
        log.append(events: ["one", "two", "one"])
        try log.seal()
        log.append(events: ["two", "three"])
        log.store()
        let rows = try listing(log).rows
        let size = TestEvent.record("one", notes: 20).count
        try #require(rows.count == 2)
        #expect(rows[0].usage.liveBytes == size && rows[0].usage.supersededBytes == 2 * size)
        #expect(rows[1].usage.liveBytes == size + TestEvent.record("three", notes: 20).count)
        #expect(rows[1].usage.supersededBytes == 0 && rows[1].damage.isEmpty)
        #expect(rows.map(\.firstSequence) == [Sequence(0), Sequence(3)])
        #expect(rows.map(\.nextSequence) == [Sequence(3), Sequence(5)])
        #expect(rows.map(\.file.isArchived) == [true, false])
        #expect(rows[1].byteCount == log.end)
    }

    @Test func `in a compacted segment revisions from its cut on do not count`() throws {
        var log = try WrittenLog()
        log.append(events: ["one", "two", "three", "one"])
        try log.seal()
        log.append(events: ["two"])
        log.append(events: ["three"])
        log.store()
        // Only the first of "one" may go: of "two" and "three" nothing newer is before the cut,
        // and the second "one" is one stub as well here.
        try log.compactFirst(dropping: ["one"], cut: Sequence(5))
        let rows = try listing(log).rows
        try #require(rows.count == 2)
        #expect(rows[0].file.generation == 1 && rows[0].usage.stubs == 2)
        let two = TestEvent.record("two", notes: 20).count
        let three = TestEvent.record("three", notes: 20).count
        // "two" is written again at 4, before the cut; "three" at 5, which is the cut.
        #expect(rows[0].usage.supersededBytes == two && rows[0].usage.liveBytes == three)
        #expect(rows[1].usage.liveBytes == two + three)
        // The input lies beside its output.
        #expect(try SegmentFiles(disk: log.disk).others == [FileName.segment(LogIndex(1))])
    }

    @Test func `an erasure hides the newest record of its event`() throws {
        var log = try WrittenLog()
        log.append(events: ["one", "two"])
        var body: [UInt8] = []
        ControlPayload.erase(
            Erasure(
                request: testCluster, author: TokenID(1), closedMark: .zero,
                uniqueID: Array("one".utf8), reason: "asked for")
        ).append(to: &body)
        log.append(.erase, body)
        log.store()
        let usage = try listing(log).rows[0].usage
        #expect(usage.erasedBytes == TestEvent.record("one", notes: 20).count)
        #expect(usage.liveBytes == TestEvent.record("two", notes: 20).count)
    }

    @Test func `the count agrees with a list of all revisions`() throws {
        for run in 1...20 {
            var random = RandomSource(seed: UInt64(run))
            var log = try WrittenLog()
            var written: [(id: Int, segment: Int)] = []
            var segment = 0
            for _ in 0..<30 {
                let ids = (0..<Int(random.next() % 5 + 1)).map { _ in Int(random.next() % 40) }
                written += ids.map { ($0, segment) }
                log.append(events: ids.map { "id-\($0)" })
                if random.next() % 6 == 0 {
                    try log.seal()
                    segment += 1
                }
            }
            log.append(.noOperation)
            log.store()
            var live = [Int](repeating: 0, count: segment + 1)
            var superseded = live
            for (place, event) in written.enumerated() {
                let size = TestEvent.record("id-\(event.id)", notes: 20).count
                if written[(place + 1)...].contains(where: { $0.id == event.id }) {
                    superseded[event.segment] += size
                } else {
                    live[event.segment] += size
                }
            }
            let rows = try listing(log).rows
            #expect(rows.map(\.usage.liveBytes) == live, "run \(run)")
            #expect(rows.map(\.usage.supersededBytes) == superseded, "run \(run)")
        }
    }

    @Test func `the table of newest records keeps every key while it grows`() {
        var table = NewestRecords(capacity: 4)
        var random = RandomSource(seed: 3)
        var keys: [UInt64] = [0, .max, 4, 8, 12]
        while keys.count < 5_000 { keys.append(random.next()) }
        for (place, key) in keys.enumerated() {
            let record = NewestRecords.Record(segment: UInt32(place), byteCount: 9)
            #expect(table.replace(key, with: record) == nil)
        }
        for (place, key) in keys.enumerated() {
            let record = NewestRecords.Record(segment: 0, byteCount: 1)
            #expect(table.replace(key, with: record)?.segment == UInt32(place))
        }
        #expect(table.count == 5_000)
    }
}
