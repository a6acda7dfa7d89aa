import Bytes
import Crypto
import Records
import SegmentLog
import Testing

@testable import Compaction

@Suite struct CompactorTests {
    static let segment = TestSegment([
        .events([.init("a", "\"one\""), .init("b")]),
        .events([.init("a", "\"two\"", revision: 2), .init("c"), .init("a", revision: 3)]),
    ])

    @Test func `keep-latest leaves stubs of superseded revisions and everything else as it is`()
        throws
    {
        let (segment, tally) = try Self.segment.compacted(CompactionRules(), superseded: [0b00101])
        #expect((tally.kept, tally.compacted, tally.erased) == (3, 2, 0))
        let before = try Self.segment.stored()
        let after = try segment.stored()
        #expect(after.map(\.leafEntry) == before.map(\.leafEntry))
        #expect(after.map(\.uniqueID) == before.map(\.uniqueID))
        #expect(after.map(\.revision) == before.map(\.revision))
        #expect(after.map { $0.form == .record } == [false, true, false, true, true])
        for place in [1, 3, 4] { #expect(after[place].bytes == before[place].bytes) }
        for place in [0, 2] {
            let record = before[place].bytes
            let view = try RecordView(decoding: record.span, at: 0, end: record.count)
            #expect(
                after[place].form
                    == .compacted(
                        digest: Digest(record.span, at: view.digest.lowerBound),
                        salt: Array(record[view.salt])))
        }
    }

    @Test func `the entries keep their place in the log, and the header says what came before`()
        throws
    {
        let next = TestSegment([.events([.init("z")])], after: Self.segment)
        let (segment, _) = try Self.segment.compacted(
            CompactionRules(cut: 5), superseded: [0b00101])
        let before = try Self.segment.entries()
        let after = try segment.entries()
        for (old, new) in zip(before, after) {
            #expect(old.header.kind == new.header.kind)
            #expect(old.header.position == new.header.position)
            #expect(old.header.firstSequence == new.header.firstSequence)
            #expect(old.header.recordCount == new.header.recordCount)
            #expect(old.header.timestamp == new.header.timestamp)
        }
        #expect(before.count == after.count)
        #expect(
            segment.descriptor.compaction
                == CompactedHeader(
                    generation: 1, cut: Sequence(5), compaction: LogIndex(1_000),
                    sealChecksum: Self.segment.descriptor.seal.checksum))
        #expect(segment.descriptor.seal == Self.segment.descriptor.seal)
        #expect(segment.descriptor.stateTable == Self.segment.descriptor.stateTable)
        // The segment behind it goes on from either generation.
        #expect(
            next.descriptor.header(after: segment.descriptor)
                == next.descriptor.header(after: Self.segment.descriptor))
        #expect(try !next.entries(after: segment).isEmpty)
    }

    @Test func `where nothing goes, the output is the input`() throws {
        let (segment, tally) = try Self.segment.compacted(CompactionRules(), superseded: [0])
        #expect(segment == Self.segment)
        #expect(!tally.changes)
        let erasures = try Self.segment.compacted(
            CompactionRules(.erasures), superseded: [0b11111])
        #expect(erasures.segment == Self.segment)
    }

    @Test func `events at or above the cut stay, whatever the index says`() throws {
        let (segment, tally) = try Self.segment.compacted(
            CompactionRules(cut: 2), superseded: [0b11111])
        #expect(tally.compacted == 2)
        #expect(
            try segment.stored().map { $0.form == .record } == [false, false, true, true, true])
    }

    @Test func `keep-newer-than takes what was recorded before the bound, and nothing at it`()
        throws
    {
        // Entries are 1,000 µs apart, events within one 1 µs.
        let (segment, _) = try Self.segment.compacted(
            CompactionRules(.newerThan, timeBound: 1_001_001))
        #expect(
            try segment.stored().map { $0.form == .record } == [false, false, false, true, true])
        let (latest, _) = try Self.segment.compacted(
            CompactionRules(.latest, timeBound: 1_000_001), superseded: [0b11111])
        #expect(
            try latest.stored().map { $0.form == .record } == [false, true, true, true, true])
    }

    @Test func `a legal hold keeps all revisions of its unique_id`() throws {
        for policy in [CompactionPolicy.latest, .newerThan] {
            let (segment, tally) = try Self.segment.compacted(
                CompactionRules(policy, held: ["zz", "a", "aa"]), superseded: [0b11111])
            #expect(tally.compacted == 2)
            let forms = try segment.stored().map { $0.form == .record }
            #expect(forms == [true, false, true, false, true])
        }
    }

    @Test func `an erasure leaves the leaf entry and the mark alone`() throws {
        let marks = ClosedMark(genesis: testCluster)
        let mark = marks.mark(of: Array("a".utf8))
        let rules = CompactionRules(
            .erasures,
            erased: [.init(mark: mark, sequences: [Sequence(0), Sequence(2), Sequence(4)])])
        let (segment, tally) = try Self.segment.compacted(rules)
        #expect((tally.kept, tally.compacted, tally.erased) == (2, 0, 3))
        let after = try segment.stored()
        #expect(after.map(\.leafEntry) == (try Self.segment.stored()).map(\.leafEntry))
        for place in [0, 2, 4] { #expect(after[place].form == .erased(mark)) }
        for secret in ["\"one\"", "\"two\""] { #expect(!segment.bytes.holds(secret)) }
    }

    @Test func `an erasure reaches what a compaction left, and control entries that name the id`()
        throws
    {
        let marks = ClosedMark(genesis: testCluster)
        let id = Array("secret-id".utf8)
        let mark = marks.mark(of: id)
        let request = Identifier(high: 1, low: 2)
        let hold = NamedID(mark: mark, uniqueID: id)
        let other = NamedID(mark: marks.mark(of: [1]), uniqueID: Array("other-id".utf8))
        let first = TestSegment([
            .events([.init("secret-id"), .init("secret-id", revision: 2)]),
            .administration(
                DirectoryCommand(
                    request: request, author: TokenID(1), change: .addHold(hold, reason: "r"))),
            .administration(
                DirectoryCommand(
                    request: request, author: TokenID(1), change: .addHold(other, reason: "r"))),
            .administration(
                DirectoryCommand(
                    request: request, author: TokenID(1), change: .removeHold(hold))),
            .control(
                .erase(
                    Erasure(
                        request: request, author: TokenID(1), closedMark: mark, uniqueID: id,
                        reason: "why"))),
        ])
        let (second, _) = try first.compacted(CompactionRules(), superseded: [0b1])
        #expect(second.bytes.holds("secret-id"))
        let rules = CompactionRules(
            .latest, generation: 2,
            erased: [.init(mark: mark, sequences: [Sequence(0), Sequence(1)])])
        let (third, tally) = try second.compacted(rules, superseded: [0b1])
        #expect((tally.erased, tally.redacted, tally.stubs) == (2, 3, 0))
        #expect(!third.bytes.holds("secret-id"))
        #expect(third.bytes.holds("other-id"))
        #expect(third.bytes.holds("why"))
        #expect((try third.stored()).map(\.leafEntry) == (try first.stored()).map(\.leafEntry))
        let entry = try third.entries()[4]
        var cursor = ByteCursor(entry.header.bodyRange)
        let payload = try ControlPayload(.erase, &cursor, entry.bytes.span)
        guard case .erase(let erasure) = payload else {
            Issue.record("no erasure: \(payload)")
            return
        }
        #expect(erasure.closedMark == mark && erasure.uniqueID.isEmpty)
        // Once more changes nothing.
        let again = try third.compacted(
            CompactionRules(
                .latest, generation: 3,
                erased: [.init(mark: mark, sequences: [Sequence(0), Sequence(1)])]),
            superseded: [0b1])
        #expect(again.segment == third)
        #expect(again.tally.stubs == 2)
    }

    @Test func `administrative events always stay`() throws {
        let command = DirectoryCommand(
            request: Identifier(high: 1, low: 2), author: TokenID(1),
            change: .revokeToken(TokenID(3)))
        let segment = TestSegment([.administration(command), .events([.init("a")])])
        let (after, tally) = try segment.compacted(
            CompactionRules(.newerThan), superseded: [0b11])
        #expect((tally.kept, tally.compacted) == (1, 1))
        #expect(try after.stored()[0] == segment.stored()[0])
        #expect(try after.entries()[0].bytes == segment.entries()[0].bytes)
    }

    @Test func `the plan reads like a sentence`() throws {
        var plan = CompactionPlan()
        plan.segments.append(
            .init(
                firstIndex: LogIndex(1), generation: 0,
                tally: try Self.segment.plan(CompactionRules(), superseded: [0b101])))
        plan.segments.append(
            .init(
                firstIndex: LogIndex(4), generation: 2,
                tally: try Self.segment.plan(CompactionRules())))
        let size = Self.segment.bytes.count
        let lines = plan.description.split(separator: "\n")
        #expect(
            lines[0].hasPrefix(
                "segment 1 of generation 0: 3 events stay, 2 are compacted away, 0 are erased, "
                    + "0 were gone before; \(size) bytes become "))
        #expect(lines[1] == "segment 4 of generation 2: \(size) bytes stay as they are")
        #expect(lines[2].hasPrefix("2 segments: 8 events stay"))
    }
}

extension [UInt8] {
    func holds(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard count >= wanted.count else { return false }
        return (0...(count - wanted.count)).contains { start in
            self[start..<(start + wanted.count)].elementsEqual(wanted)
        }
    }
}
