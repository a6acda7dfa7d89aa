import Bytes
import Consensus
import Ledger
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Replica
@testable import Simulation

/// Compaction of a whole node on a simulated disk.
struct CompactionTests {
    private static let latest = DirectoryCommand.Change.compact(
        CompactionOrder(policy: .latest, sealsFirst: true))

    private func leader(events: [(String, Int)], members: Int = 1) throws -> ScriptedNode {
        var node = try ScriptedNode(members: members)
        try node.lead()
        if members > 1 { node.acknowledge() }
        for (place, event) in events.enumerated() {
            try node.submit(UInt64(place + 1), [.init(id: event.0, note: event.1)])
            node.turn()
        }
        try node.write()
        if members > 1 { node.acknowledge() }
        _ = try node.answers()
        return node
    }

    private func history(_ id: String, of node: inout ScriptedNode) throws -> [String] {
        node.query(900, .event(uniqueID: Array(id.utf8), revision: nil, history: true))
        node.turn()
        let answer = try #require(try node.texts().first)
        #expect(answer.outcome == .found)
        return answer.lines
    }

    private func replay(_ node: inout ScriptedNode) throws -> [String] {
        var lines: [String] = []
        var from = Sequence.zero
        while from < node.replica.ledger.nextSequence {
            var filter = EventFilter()
            filter.resources = .all
            node.query(
                901,
                .page(
                    PageRequest(
                        from: from, until: nil, filter: filter, byteLimit: .max, waits: false)))
            node.turn()
            for job in node.reads { from = job.head.next }
            lines += try #require(try node.texts().first).lines
        }
        return lines
    }

    /// Whether any file of the disk holds the text.
    private func holds(_ text: String, _ node: ScriptedNode) throws -> Bool {
        let wanted = Array(text.utf8)
        for name in try node.disk.list() {
            let bytes = node.disk.contents(of: name) ?? []
            guard bytes.count >= wanted.count else { continue }
            for start in 0...(bytes.count - wanted.count)
            where bytes[start] == wanted[0]
                && bytes[start..<(start + wanted.count)].elementsEqual(wanted)
            {
                return true
            }
        }
        return false
    }

    @Test func `a run leaves the latest revisions, and history says what is gone`() throws {
        var node = try leader(events: [("a", 1), ("b", 1), ("a", 2), ("a", 3)])
        let before = try replay(&node)
        node.command(1, Self.latest)
        node.turn()
        try node.write()
        #expect(
            try node.replies().map(\.outcome).first
                == .done(.compacting(try #require(node.replica.ledger.retention.lastResult).run)))
        let result = try #require(node.replica.ledger.retention.lastResult)
        #expect(result.outcome == .completed && result.segmentCount == 1)
        let segments = node.replica.catalogue.archive.segments
        #expect(segments.map(\.generation) == [1, 0])
        // The input is gone, and what it was is in the output.
        let names = try node.disk.list()
        #expect(names.contains(segments[0].file) && names.contains(segments[0].places))
        #expect(!names.contains(FileName.segment(LogIndex(1))))
        #expect(!names.contains(FileName.places(LogIndex(1), generation: 0)))
        let history = try history("a", of: &node)
        #expect(history.count == 3)
        #expect(
            history[0].hasPrefix(
                "{\"unique_id\":\"a\",\"compacted\":true,\"sequence\":0,\"revision\":1,"))
        #expect(history[1].contains("\"compacted\":true,\"sequence\":2,\"revision\":2,"))
        #expect(history[2].contains("\"revision\":3") && !history[2].contains("compacted"))
        // Replay leaves out what is gone, and nothing else.
        let after = try replay(&node)
        #expect(after.count == 3)
        #expect(after.prefix(2).elementsEqual([before[1], before[3]]))
        #expect(after[2].contains("\"action\":\"a\""))
    }

    @Test func `duplicates of what is gone are recognised, with their first answers`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        try node.submit(1, [.init(note: 1), .init(note: 2)])
        node.turn()
        try node.write()
        let first = try #require(try node.answers().first).receipts
        node.command(1, Self.latest)
        node.turn()
        try node.write()
        // After a restart too, when the index is read back from stubs.
        var again = try ScriptedNode(on: node.disk, settings: node.settings)
        try again.lead()
        for var other in [node, again] {
            try other.submit(2, [.init(note: 1), .init(note: 2), .init(note: 3)])
            other.turn()
            try other.write()
            let receipts = try #require(try other.answers().first).receipts
            #expect(receipts.map(\.verdict) == [.duplicate, .duplicate, .appended])
            for place in 0...1 {
                #expect(receipts[place].salt == first[place].salt)
                #expect(receipts[place].leafHash == first[place].leafHash)
                #expect(receipts[place].sequence == first[place].sequence)
                #expect(receipts[place].recordedAt == first[place].recordedAt)
            }
            #expect(receipts[2].revision == Revision(3))
        }
    }

    @Test func `an erasure hides at once, closes the id, and leaves no byte of it in any file`()
        throws
    {
        var node = try leader(events: [("secret-id", 4_711), ("b", 1), ("secret-id", 4_712)])
        #expect(try holds("secret-id", node))
        let hold = NamedID(uniqueID: Array("secret-id".utf8))
        node.command(1, .addHold(hold, reason: "court"))
        node.turn()
        try node.write()
        let erase = DirectoryCommand.Change.erase(
            uniqueID: Array("secret-id".utf8), reason: "asked for")
        node.command(2, erase)
        node.turn()
        try node.write()
        #expect(try node.replies().map(\.outcome) == [.done(.held), .held])
        node.command(3, .removeHold(hold))
        node.turn()
        try node.write()
        node.command(4, erase)
        node.turn()
        // It is closed when it is proposed, before it is written.
        try node.submit(50, [.init(id: "secret-id", note: 9), .init(id: "b", note: 1)])
        node.turn()
        try node.write()
        #expect(try node.replies().map(\.outcome) == [.done(.released), .done(.erased(2))])
        #expect(
            try node.answers().flatMap(\.receipts).map(\.verdict) == [.erased, .duplicate])
        let erased = try #require(node.replica.ledger.retention.erased.first)
        #expect(erased.removedBy != nil)
        let key = RevisionKey(hold.uniqueID.span, 0..<9, seed: node.replica.index.seed)
        var rows = 0
        try node.replica.index.visit(key) { _ in
            rows += 1
            return true
        }
        #expect(rows == 0)
        #expect(try node.disk.list().count { $0.hasSuffix(".index") } == 1)
        #expect(try !holds("secret-id", node))
        #expect(try !holds("4711", node) && !holds("4712", node))
        let history = try history("secret-id", of: &node)
        #expect(history.count == 2)
        #expect(history.allSatisfy { $0.hasPrefix("{\"erased\":true,\"sequence\":") })
        let lines = try replay(&node)
        #expect(lines.filter { $0.contains("\"erased\":true") }.count == 2)
        #expect(lines.contains { $0.contains("\"subject\":\"\(erased.mark)\"") })
        // Asked for again it has the same answer; a hold comes too late.
        node.command(5, erase)
        node.command(6, .addHold(hold, reason: "court"))
        node.turn()
        try node.write()
        #expect(try node.replies().map(\.outcome) == [.done(.erased(2)), .closed])
    }

    @Test func `no state table names an erased id that was held at an earlier SEAL`() throws {
        var node = try leader(events: [("secret-id", 4_711), ("b", 1)])
        let hold = NamedID(uniqueID: Array("secret-id".utf8))
        node.command(1, .addHold(hold, reason: "court"))
        node.command(2, Self.latest)
        node.turn()
        try node.write()
        #expect(try node.disk.list().contains { $0.hasSuffix(".state") })
        node.command(3, .removeHold(hold))
        node.command(4, .erase(uniqueID: hold.uniqueID, reason: "asked for"))
        node.turn()
        try node.write()
        #expect(node.replica.ledger.retention.pending.isEmpty)
        #expect(try !holds("secret-id", node))
    }

    @Test func `what a takeover left, and state tables of old SEALs, go when a run ends`() throws {
        let founded = try ScriptedNode(members: 1)
        let left = [
            "00000000000000000001.7.segment.fetched", "00000000000000000002.segment.verified",
            "00000000000000000001.state",
        ]
        for name in left { founded.disk.replace(name, with: [1, 2, 3]) }
        var node = try ScriptedNode(on: founded.disk, settings: founded.settings)
        #expect(node.replica.mayHoldFetched)
        try node.lead()
        try node.submit(1, [.init(id: "a", note: 1)])
        node.command(1, Self.latest)
        node.turn()
        try node.write()
        let names = try node.disk.list()
        #expect(names.contains { $0.hasSuffix(".state") })
        for name in left { #expect(!names.contains(name), "\(name) is still there") }
        #expect(!node.replica.mayHoldFetched)
    }

    // MARK: - Questions

    @Test func `an estimate is what the run then does, page by page, and changes nothing`() throws {
        var node = try ScriptedNode(members: 1, segmentBytes: 400)
        try node.lead()
        for note in 1...20 {
            try node.submit(UInt64(note), [.init(note: note)])
            node.turn()
            try node.write()
        }
        let names = try node.disk.list()
        let order = CompactionOrder(policy: .latest, sealsFirst: true)
        var rows: [CompactionEstimate.Row] = []
        var next: UInt64 = 0
        repeat {
            node.ask(7, .estimate(order, from: next))
            node.turn()
            try node.write()
            guard case .estimate(let page)? = try node.clusterReplies().first?.outcome else {
                Issue.record("no estimate from \(next)")
                return
            }
            #expect(page.rows.count <= CompactionEstimate.limit)
            rows += page.rows
            next = page.next
        } while next != 0
        let segments = node.replica.catalogue.archive.segments
        #expect(rows.map(\.firstIndex) == segments.map(\.firstIndex) && rows.count > 4)
        #expect(try node.disk.list() == names)
        node.command(1, Self.latest)
        node.turn()
        try node.write()
        let status = node.replica.status(now: node.now).storage.compaction
        #expect(status.run?.outcome == .completed && status.isSettled)
        let expected = rows.reduce(0) { $0 + $1.figures.compacted }
        // What was in the open segment comes on top.
        #expect(status.figures.compacted >= expected && status.figures.compacted == 19)
        #expect(status.figures.bytesAfter < status.figures.bytesBefore)
        #expect(status.total == status.figures)
    }

    @Test func `who waits for an estimate is sent elsewhere when the leader serves no more`() throws
    {
        var node = try leader(events: [("a", 1), ("a", 2)], members: 3)
        node.command(1, Self.latest)
        for _ in 0..<4 {
            node.turn()
            try node.write()
            node.acknowledge()
        }
        let order = CompactionOrder(policy: .latest, sealsFirst: true)
        node.ask(7, .estimate(order, from: 0))
        node.stepDown()
        #expect(try node.clusterReplies().map(\.outcome) == [.none])
        try node.write()
        #expect(try node.clusterReplies().isEmpty)
        #expect(node.replica.compacting.givenUpPlans == 0)
    }

    @Test func `holds come in pages, in the order of their bytes`() throws {
        var node = try leader(events: [])
        for id in ["b", "c", "a"] {
            node.command(
                UInt64(id.utf8.first ?? 0), .addHold(NamedID(uniqueID: Array(id.utf8)), reason: id))
        }
        node.turn()
        try node.write()
        func page(after id: String) throws -> [String] {
            node.ask(1, .holds(after: Array(id.utf8)))
            node.turn()
            guard case .holds(let page)? = try node.clusterReplies().first?.outcome else {
                return ["no page"]
            }
            return page.rows.map { String(decoding: $0.uniqueID, as: UTF8.self) + $0.reason }
        }
        #expect(try page(after: "") == ["aa", "bb", "cc"])
        #expect(try page(after: "a") == ["bb", "cc"])
        #expect(try page(after: "bb") == ["cc"])
        #expect(try page(after: "c") == [])
    }

    @Test func `a schedule begins a run at once, and the next when its time has come`() throws {
        var node = try ScriptedNode(members: 1)
        node.replica.settings.compactionSchedule = CompactionSchedule(
            periodMicroseconds: 60_000_000,
            order: CompactionOrder(policy: .latest, sealsFirst: false))
        try node.lead()
        let first = try #require(node.replica.ledger.retention.lastResult)
        #expect(first.outcome == .completed)
        node.pass(59_000)
        node.turn()
        try node.write()
        #expect(node.replica.ledger.retention.lastResult == first)
        node.pass(2_000)
        node.turn()
        try node.write()
        let second = try #require(node.replica.ledger.retention.lastResult)
        #expect(second.run > first.run && second.policy == .latest)
        let lines = try replay(&node)
        #expect(lines.filter { $0.contains("\"schedule\":true") }.count == 2)
    }

    @Test func `hidden events are not shown before their bytes are gone`() throws {
        var node = try leader(events: [("s", 4_711), ("b", 1)], members: 3)
        node.command(1, .erase(uniqueID: Array("s".utf8), reason: "r"))
        node.turn()
        try node.write()
        node.acknowledge()
        #expect(try node.replies().map(\.outcome) == [.done(.erased(1))])
        #expect(node.replica.ledger.retention.pending.count == 1)
        #expect(try holds("\"s\"", node) || holds("4711", node))
        node.query(900, .event(uniqueID: Array("s".utf8), revision: nil, history: false))
        node.turn()
        node.acknowledge()
        let answer = try #require(try node.texts().first)
        #expect(answer.lines.count == 1)
        #expect(answer.lines[0].hasPrefix("{\"erased\":true,\"sequence\":0,"))
    }

    @Test func `a hold keeps all revisions through a run`() throws {
        var node = try leader(events: [("a", 1), ("a", 2), ("b", 1), ("b", 2)])
        node.command(1, .addHold(NamedID(uniqueID: Array("a".utf8)), reason: "court"))
        node.command(2, Self.latest)
        node.turn()
        try node.write()
        #expect(try history("a", of: &node).filter { $0.contains("compacted") }.isEmpty)
        #expect(try history("b", of: &node).filter { $0.contains("compacted") }.count == 1)
    }

    @Test func `a second run is refused while one is under way`() throws {
        var node = try leader(events: [("a", 1), ("a", 2)], members: 3)
        node.command(1, Self.latest)
        node.turn()
        try node.write()
        node.acknowledge()
        node.command(2, Self.latest)
        node.turn()
        try node.write()
        node.acknowledge()
        let outcomes = try node.replies().map(\.outcome)
        #expect(outcomes.count == 2 && outcomes[1] == .running)
        #expect(node.replica.ledger.retention.run != nil)
    }
}
