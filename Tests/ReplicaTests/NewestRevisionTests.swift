import Bytes
import Crypto
import Ledger
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Replica
@testable import Simulation

/// Pages of the newest revisions alone, over tail and archive.
struct NewestRevisionTests {
    private struct Posted {
        let id: Int
        let turn: Int
    }

    private func post(_ events: [Posted], batch: UInt64, to node: inout ScriptedNode) throws {
        try node.submit(
            batch, events.map { ScriptedNode.Event(id: "id \($0.id)", note: $0.turn) })
        node.turn()
        try node.write()
    }

    /// The sequences of the rows that all pages together have.
    private func read(
        before end: Sequence, _ node: inout ScriptedNode, byteLimit: UInt32 = .max
    ) throws -> [Int] {
        var found: [Int] = []
        var from = Sequence.zero
        var filter = EventFilter()
        filter.newestBefore = end
        while from < end {
            node.query(
                1,
                .page(
                    PageRequest(
                        from: from, until: end, filter: filter, byteLimit: byteLimit,
                        waits: false)))
            node.turn()
            let page = try #require(try node.rows().first)
            #expect(page.head.outcome == .found)
            found += page.rows.map { Int($0.sequence.value) }
            try #require(page.head.next > from)
            from = page.head.next
        }
        return found
    }

    @Test(arguments: UInt64(0)..<3)
    func `of each unique_id the newest revision below the sequence is found, and no other`(
        seed: UInt64
    ) throws {
        var random = RandomSource(seed: seed)
        var node = try ScriptedNode(members: 1, segmentBytes: 3_072)
        try node.lead()
        var turns = 0
        for batch in UInt64(1)...60 {
            var events: [Posted] = []
            for _ in 0...random.below(4) {
                turns += 1
                events.append(Posted(id: random.below(25), turn: turns))
            }
            try post(events, batch: batch, to: &node)
        }
        #expect(node.replica.catalogue.archive.segments.count >= 6)
        let all = try readAll(&node)
        var erased: Set<Int> = []
        for round in 0..<3 {
            for end in [1, 40, all.count / 2, all.count] {
                let limit: UInt32 = [1, 700, .max][random.below(3)]
                let found = try read(
                    before: Sequence(UInt64(end)), &node, byteLimit: limit)
                let newest = all[..<end].indices.filter { place in
                    !all[(place + 1)..<end].contains(all[place])
                        && !erased.contains(all[place])
                }
                // A compaction takes away what was the newest once, and is not any more.
                let expected =
                    round < 2
                    ? newest
                    : newest.filter { place in !all[(place + 1)...].contains(all[place]) }
                #expect(found == expected, "before \(end), round \(round)")
            }
            if round == 0 {
                let id = random.below(25)
                erased.insert(id)
                node.command(1, .erase(uniqueID: Array("id \(id)".utf8), reason: "asked for"))
            } else if round == 1 {
                node.command(2, .compact(CompactionOrder(policy: .latest, sealsFirst: true)))
            }
            node.turn()
            try node.write()
        }
    }

    /// The ids of all audit events by their sequences; the log has no others here.
    private func readAll(_ node: inout ScriptedNode) throws -> [Int] {
        var ids: [Int] = []
        while UInt64(ids.count) < node.replica.ledger.nextSequence.value {
            node.query(
                1,
                .page(
                    PageRequest(
                        from: Sequence(UInt64(ids.count)), until: nil, filter: EventFilter(),
                        byteLimit: .max, waits: false)))
            node.turn()
            for answer in try node.texts() {
                ids += answer.lines.compactMap { line in
                    line.split(separator: "\"unique_id\":\"id ").last?.split(separator: "\"").first
                        .flatMap { Int($0) }
                }
            }
        }
        return ids
    }

    @Test func `a page ends inside an entry rather than settle more rows than its bound`() throws {
        var node = try ScriptedNode(members: 1, segmentBytes: 1_048_576)
        try node.lead()
        let count = 2 * ReadJob.settledRows + 100
        try post((0..<count).map { Posted(id: $0, turn: 0) }, batch: 1, to: &node)
        let end = node.replica.ledger.nextSequence
        var filter = EventFilter()
        filter.newestBefore = end
        var from = Sequence.zero
        var sizes: [Int] = []
        while from < end {
            node.query(
                1,
                .page(
                    PageRequest(
                        from: from, until: end, filter: filter, byteLimit: .max, waits: false)))
            node.turn()
            let page = try #require(try node.rows().first)
            sizes.append(page.rows.count)
            from = page.head.next
        }
        #expect(sizes == [ReadJob.settledRows, ReadJob.settledRows, 100])
    }
}
