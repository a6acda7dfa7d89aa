import Consensus
import Ledger
import PeerWire
import Records
import Replica
import SegmentLog
import Testing

@testable import Simulation

struct SubmitTests {
    @Test func `receipts come when the entry is written, not before`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        try node.submit(1, [.init(note: 1), .init(id: "b", note: 2)])
        node.turn()
        #expect(try node.answers().isEmpty)
        try node.write()
        let answer = try #require(try node.answers().first)
        #expect(answer.batch == 1 && answer.outcome == .decided)
        #expect(answer.receipts.map(\.verdict) == [.appended, .appended])
        #expect(answer.receipts.map(\.sequence.value) == [0, 1])
    }

    @Test func `on three nodes one disk alone acknowledges nothing`() throws {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        try node.submit(1, [.init(note: 1)])
        node.turn()
        try node.write()
        #expect(try node.answers().isEmpty)
        node.acknowledge()
        #expect(try node.answers().map(\.outcome) == [.decided])
    }

    @Test func `the same content again gets the first answer, in the same turn or a later one`()
        throws
    {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        try node.submit(1, [.init(note: 1), .init(note: 1)])
        try node.submit(2, [.init(note: 1)])
        node.turn()
        try node.write()
        try node.submit(3, [.init(note: 1)])
        node.turn()
        try node.write()
        let receipts = try node.answers().flatMap(\.receipts)
        #expect(receipts.map(\.verdict) == [.appended, .duplicate, .duplicate, .duplicate])
        #expect(receipts.allSatisfy { $0.salt == receipts.first?.salt })
        #expect(receipts.allSatisfy { $0.leafHash == receipts.first?.leafHash })
        #expect(node.replica.ledger.nextSequence == Sequence(1))
    }

    @Test func `an expected revision that does not hold is a conflict with the current one`()
        throws
    {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        try node.submit(1, [.init(note: 1), .init(note: 2, expected: Revision(7))])
        node.turn()
        try node.write()
        let receipts = try #require(try node.answers().first?.receipts)
        #expect(receipts.map(\.verdict) == [.appended, .conflict])
        #expect(receipts[1].revision == Revision(1))
    }

    @Test func `one who does not lead appends nothing and says so`() throws {
        var node = try ScriptedNode(members: 3)
        try node.submit(1, [.init(note: 1)])
        node.turn()
        #expect(try node.answers().map(\.outcome) == [.none])
        #expect(node.tasks.isEmpty)
    }

    @Test func `what was proposed is unknown when leadership is lost`() throws {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        try node.submit(1, [.init(note: 1)])
        node.turn()
        node.stepDown()
        #expect(try node.answers().map(\.outcome) == [.unknown])
    }

    @Test func `two batches of one turn are one entry`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        let last = node.replica.catalogue.lastIndex
        try node.submit(1, [.init(note: 1)])
        try node.submit(2, [.init(note: 2)])
        node.turn()
        try node.write()
        #expect(node.replica.catalogue.lastIndex == last.next)
        #expect(try node.answers().map(\.batch) == [1, 2])
    }

    @Test func `a full segment ends with a seal`() throws {
        var node = try ScriptedNode(members: 1, segmentBytes: 2_048)
        try node.lead()
        for number in 1...12 {
            try node.submit(UInt64(number), [.init(note: number)])
            node.turn()
            try node.write()
        }
        let segments = node.replica.catalogue.segmentSizes
        #expect(segments.count > 1 && segments[0].isSealed)
        #expect(
            node.disk.contents(of: FileName.segment(LogIndex(1)))?.count
                == segments[0].byteCount)
    }

    @Test func `what is in the log is answered although its token was revoked since`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        let token = TokenID(9)
        node.command(1, .createToken(token.row))
        node.turn()
        try node.write()
        try node.submit(1, [.init(note: 1, token: token)])
        node.turn()
        try node.write()
        node.command(2, .revokeToken(token))
        node.turn()
        try node.write()
        try node.submit(2, [.init(note: 1, token: token), .init(note: 2, token: token)])
        node.turn()
        try node.write()
        #expect(
            try node.answers().flatMap(\.receipts).map(\.verdict)
                == [.appended, .duplicate, .tokenRefused])
    }
}

struct OverloadTests {
    @Test func `what is beyond the bound of uncommitted bytes is refused at once`() throws {
        let founded = try ScriptedNode(members: 3)
        var settings = founded.settings
        settings.uncommittedBytes = 1
        var node = try ScriptedNode(on: founded.disk, settings: settings)
        try node.lead()
        node.acknowledge()
        try node.write()
        try node.submit(1, [.init(note: 1)])
        node.turn()
        #expect(try node.answers().isEmpty)
        try node.submit(2, [.init(note: 2)])
        node.turn()
        #expect(try node.answers().map(\.outcome) == [.overloaded])
        try node.write()
        node.acknowledge()
        #expect(try node.answers().map(\.batch) == [1])
        try node.submit(3, [.init(note: 3)])
        node.turn()
        try node.write()
        node.acknowledge()
        #expect(try node.answers().map(\.outcome) == [.decided])
    }
}

struct RefusedSubmitTests {
    /// A node that has refused batch 1 and then leads.
    private func refusing() throws -> ScriptedNode {
        var node = try ScriptedNode(members: 1)
        node.replica.clientConnected(ScriptedNode.gateway, now: node.now, into: &node.outcome)
        try node.submit(1, [.init(note: 1)])
        try node.lead()
        #expect(try node.answers().map(\.outcome) == [.none])
        return node
    }

    /// Sends batches one after another; returns those that were decided.
    private func decided(
        _ node: inout ScriptedNode, _ batches: [UInt64], oldest: UInt64
    ) throws -> [UInt64] {
        for batch in batches { try node.submit(batch, [.init(note: Int(batch))], oldest: oldest) }
        node.turn()
        try node.write()
        return try node.answers().filter { $0.outcome == .decided }.map(\.batch)
    }

    @Test func `what a client sent after a refused batch waits until that comes again`() throws {
        var node = try refusing()
        #expect(try decided(&node, [2, 3], oldest: 1).isEmpty)
        #expect(try decided(&node, [1, 2, 3], oldest: 1) == [1, 2, 3])
        #expect(try decided(&node, [4], oldest: 4) == [4])
    }

    /// The gateway sent 2 and 3, heard that 1 was refused, and sent it again with 4: copies of 2 and
    /// 3 that were under way for long are refused in front of it, and come again behind 4.
    @Test func `each refused batch holds back those behind it, not the oldest alone`() throws {
        var node = try refusing()
        #expect(try decided(&node, [2, 3, 1, 4], oldest: 1) == [1])
        #expect(try decided(&node, [3], oldest: 2).isEmpty)
        #expect(try decided(&node, [2, 3, 4], oldest: 2) == [2, 3, 4])
    }

    @Test func `a refused batch that was given up holds nobody back`() throws {
        var node = try refusing()
        #expect(try decided(&node, [2], oldest: 1).isEmpty)
        #expect(try decided(&node, [2, 3], oldest: 2) == [2, 3])
    }

    @Test func `other clients are not held back, and a client that is gone is forgotten`() throws {
        var node = try refusing()
        try node.submit(2, [.init(note: 2)], oldest: 1, from: ClientID(71))
        node.turn()
        try node.write()
        #expect(try node.answers().map(\.outcome) == [.decided])
        node.replica.clientGone(ScriptedNode.gateway)
        #expect(try decided(&node, [5], oldest: 4) == [5])
    }
}

struct ReadTests {
    private let subject = Query.Subject.event(
        uniqueID: Array("a".utf8), revision: nil, history: false)

    @Test func `a linearizable read waits for a round that began after it`() throws {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge(readContext: 0)
        node.query(1, subject)
        node.turn()
        #expect(try node.rows().isEmpty)
        node.acknowledge(readContext: 0)
        #expect(try node.rows().isEmpty)
        node.acknowledge()
        #expect(try node.rows().map(\.head.outcome) == [.notFound])
    }

    @Test func `a read that was not confirmed goes elsewhere when leadership is lost`() throws {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge(readContext: 0)
        node.query(1, subject)
        node.turn()
        node.stepDown()
        #expect(try node.rows().map(\.head.outcome) == [.elsewhere])
    }

    @Test func `a page that waits is answered by the next event, or empty in the end`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        let page = Query.Subject.page(
            PageRequest(
                from: .zero, until: nil, filter: EventFilter(), byteLimit: 1_000, waits: true))
        node.query(1, page)
        node.turn()
        #expect(try node.rows().isEmpty)
        try node.submit(1, [.init(note: 1)])
        node.turn()
        try node.write()
        #expect(try node.rows().map { $0.rows.count } == [1])
        let later = Query.Subject.page(
            PageRequest(
                from: Sequence(1), until: nil, filter: EventFilter(), byteLimit: 1_000,
                waits: true))
        node.query(2, later)
        node.turn()
        node.pass(2_001)
        node.turn()
        #expect(try node.rows().map { $0.rows.count } == [0])
    }
}

struct CommandTests {
    @Test func `a command is answered when it is applied, and its repetition alike`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        node.command(1, .createToken(TokenID(9).row))
        node.turn()
        #expect(try node.replies().isEmpty)
        try node.write()
        node.command(1, .createToken(TokenID(9).row))
        node.turn()
        #expect(
            try node.replies().map(\.outcome)
                == [.done(.created(TokenID(9))), .done(.created(TokenID(9)))])
    }

    @Test func `a revocation counts before it is committed`() throws {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        node.command(1, .createToken(TokenID(9).row))
        node.turn()
        try node.write()
        node.acknowledge()
        node.command(2, .revokeToken(TokenID(9)))
        node.turn()
        try node.submit(1, [.init(note: 1, token: TokenID(9))])
        node.turn()
        try node.write()
        node.acknowledge()
        #expect(try node.answers().flatMap(\.receipts).map(\.verdict) == [.tokenRefused])
    }

    @Test func `a node that starts again applies its log again`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        try node.submit(1, [.init(note: 1), .init(note: 2)])
        node.command(1, .createToken(TokenID(9).row))
        node.turn()
        try node.write()
        var again = try ScriptedNode(on: node.disk, settings: node.settings)
        #expect(again.replica.ledger.nextSequence == .zero)
        try again.lead()
        #expect(again.replica.ledger.nextSequence == node.replica.ledger.nextSequence)
        #expect(again.replica.ledger.directory == node.replica.ledger.directory)
        try again.submit(1, [.init(note: 1)])
        again.turn()
        try again.write()
        #expect(try again.answers().flatMap(\.receipts).map(\.verdict) == [.duplicate])
    }

    @Test func `the term is stored before the entries that were accepted in it`() throws {
        var node = try ScriptedNode(members: 3)
        let previous = try #require(node.replica.catalogue.lastHeader)
        let entry = Entry(
            kind: .noOperation, term: Term(4), after: previous,
            timestamp: Timestamp(microseconds: 5))
        var bytes: [UInt8] = []
        let request = AppendRequest(
            term: Term(4), previous: previous.position,
            entries: [
                EntryDescriptor(position: entry.header.position, byteCount: entry.bytes.count)
            ], commit: .zero, readContext: 0)
        ConsensusFrames.append(.appendRequest(request), entries: [entry], to: &bytes)
        node.replica.receive(
            .appendRequest, Frame.headerByteCount..<bytes.count, in: bytes.span, from: NodeID(2),
            now: node.now, into: &node.outcome)
        node.turn()
        guard case .storeVote(let vote) = node.tasks.first else {
            Issue.record("the first task is \(String(describing: node.tasks.first))")
            return
        }
        #expect(vote.term == Term(4) && node.tasks.count == 2)
    }
}

extension TokenID {
    fileprivate var row: TokenRow {
        TokenRow(
            id: self, kind: .application, application: "planox2", name: "n", permissions: ["*"],
            secretDigest: [UInt8](repeating: 1, count: 32),
            createdAt: Timestamp(microseconds: 0))
    }
}

struct StaleReadTests {
    private func age(of node: inout ScriptedNode, _ id: UInt64) throws -> UInt32? {
        node.replica.query(
            Query(
                id: id, consistency: .stale,
                subject: .event(uniqueID: Array("a".utf8), revision: nil, history: false)),
            from: ScriptedNode.gateway, now: node.now, into: &node.outcome)
        node.turn()
        return try node.rows().first?.head.staleMilliseconds
    }

    @Test func `a leader whose majority is silent says for how long`() throws {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        #expect(try age(of: &node, 1) == 0)
        node.pass(400)
        #expect(try age(of: &node, 2) == 400)
        node.acknowledge()
        #expect(try age(of: &node, 3) == 0)
    }

    @Test func `a leader that was stopped does not answer as if no time had passed`() throws {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        node.pass(10_000)
        #expect(try age(of: &node, 1) ?? 0 >= 10_000)
    }

    @Test func `a follower that lacks what was committed ages while it hears its leader`() throws {
        var node = try ScriptedNode(members: 3)
        func hear(commit: UInt64) {
            node.receive(
                .appendRequest(
                    AppendRequest(
                        term: Term(1), previous: LogPosition(term: .zero, index: LogIndex(1)),
                        entries: [], commit: LogIndex(commit), readContext: 0)), from: 2)
        }
        hear(commit: 1)
        #expect(try age(of: &node, 1) == 0)
        node.pass(300)
        hear(commit: 1)
        #expect(try age(of: &node, 2) == 0)
        for turn in 1...3 as ClosedRange<UInt32> {
            node.pass(100)
            hear(commit: 50)
            #expect(try age(of: &node, 2 + UInt64(turn)) == 100 * turn)
        }
    }

    @Test func `one node alone is never stale`() throws {
        var node = try ScriptedNode(members: 1)
        try node.lead()
        node.pass(5_000)
        #expect(try age(of: &node, 1) == 0)
    }
}
