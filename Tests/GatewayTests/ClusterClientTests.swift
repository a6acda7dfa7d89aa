import Ledger
import PeerWire
import Records
import Testing

@testable import Gateway

@Suite struct ClusterClientTests {
    @Test func `events wait for a leader and go to it in one frame a turn`() throws {
        var cluster = ScriptedCluster()
        cluster.append("a", item: 0)
        cluster.append("b", item: 1)
        #expect(try cluster.submits() == [])
        cluster.append("c", exchange: 2)
        cluster.lead(2, term: 1, serves: false)
        #expect(try cluster.submits() == [])
        cluster.lead(2, term: 1)
        #expect(
            try cluster.submits() == [
                .init(node: 2, batch: 1, ids: ["a", "b"]), .init(node: 2, batch: 2, ids: ["c"]),
            ])
        #expect(try cluster.submits() == [])
        try cluster.answer(1, .decided, from: 2, count: 2)
        #expect(cluster.delivered() == ["1.0 revision 1", "1.1 revision 2"])
        try cluster.answer(2, .decided, from: 2, count: 1)
        #expect(cluster.delivered() == ["2.0 revision 1"])
        #expect(cluster.client.isIdle)
        #expect(cluster.client.resentCount == 0)
    }

    @Test func `the leader of the highest term is believed`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(3, term: 4)
        cluster.lead(1, term: 3)
        cluster.append("a")
        #expect(try cluster.submits().map(\.node) == [3])
    }

    @Test func `after a change of leaders all that is unanswered is sent again, in order`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        for id in ["a", "b", "c"] {
            cluster.append(id)
            _ = try cluster.submits()
        }
        try cluster.answer(2, .decided, from: 1, count: 1)
        cluster.append("d")
        cluster.lead(2, term: 2)
        #expect(
            try cluster.submits() == [
                .init(node: 2, batch: 1, ids: ["a"]), .init(node: 2, batch: 3, ids: ["c"]),
                .init(node: 2, batch: 4, ids: ["d"]),
            ])
        #expect(cluster.client.resentCount == 2)
        #expect(cluster.delivered() == ["1.0 revision 1"])
    }

    @Test func `whoever answers first is believed, and the event is delivered once`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.append("a")
        _ = try cluster.submits()
        cluster.lead(2, term: 2)
        #expect(try cluster.submits().map(\.node) == [2])
        try cluster.answer(1, .decided, from: 1, count: 1)
        #expect(cluster.delivered() == ["1.0 revision 1"])
        try cluster.answer(1, .decided, from: 2, count: 1)
        try cluster.answer(1, .none, from: 2)
        #expect(cluster.delivered() == [])
        #expect(try cluster.submits(after: 5_000) == [])
        #expect(cluster.delivered() == [])
        #expect(cluster.client.isIdle)
    }

    @Test func `what a lost link took along is sent again when a leader is heard`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.append("a")
        _ = try cluster.submits()
        cluster.client.lost(NodeID(1))
        #expect(cluster.client.leader == nil)
        #expect(try cluster.submits() == [])
        cluster.client.opened(NodeID(1))
        #expect(try cluster.submits() == [])
        cluster.lead(1, term: 1)
        #expect(try cluster.submits() == [.init(node: 1, batch: 1, ids: ["a"])])
        #expect(cluster.client.resentCount == 1)
    }

    @Test func `a refused batch goes out again in front of later ones`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.append("a")
        _ = try cluster.submits()
        try cluster.answer(1, .none, from: 1)
        cluster.append("b")
        #expect(try cluster.submits() == [])
        cluster.lead(1, term: 1)
        #expect(try cluster.submits().map(\.ids) == [["a"], ["b"]])
        #expect(cluster.client.resentCount == 0)
    }

    @Test func `a late refusal by a former leader changes nothing`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.append("a")
        _ = try cluster.submits()
        cluster.lead(2, term: 2)
        _ = try cluster.submits()
        try cluster.answer(1, .none, from: 1)
        #expect(try cluster.submits() == [])
        #expect(cluster.client.leader == NodeID(2))
        #expect(try cluster.submits(after: ScriptedCluster.deadline) == [])
        #expect(cluster.delivered() == ["1.0 unknown"])
    }

    // MARK: Deadlines

    enum Act: Sendable { case send, lose, none, unknown, hearAgain, changeLeader }

    static let fates: [([Act], outcome: String)] = [
        ([], "none"),
        ([.send], "unknown"),
        ([.send, .none], "none"),
        ([.send, .unknown], "unknown"),
        ([.send, .lose], "unknown"),
        ([.send, .changeLeader], "unknown"),
        ([.send, .none, .hearAgain], "unknown"),
        ([.send, .none, .hearAgain, .none], "none"),
        ([.send, .unknown, .hearAgain, .none], "unknown"),
    ]

    @Test(arguments: fates.indices)
    func `at the deadline the outcome is unknown whenever it may have been appended`(
        place: Int
    ) throws {
        var cluster = ScriptedCluster()
        cluster.append("a", item: 4)
        for act in Self.fates[place].0 {
            switch act {
            case .send, .hearAgain: cluster.lead(1, term: 1)
            case .lose: cluster.client.lost(NodeID(1))
            case .none: try cluster.answer(1, .none, from: 1)
            case .unknown: try cluster.answer(1, .unknown, from: 1)
            case .changeLeader: cluster.lead(2, term: 2)
            }
            _ = try cluster.submits()
        }
        #expect(
            cluster.client.nextDeadline().map { _ in true }
                == (Self.fates[place].0.isEmpty ? nil : true))
        _ = try cluster.submits(after: ScriptedCluster.deadline - 1)
        #expect(cluster.delivered() == [])
        _ = try cluster.submits(after: 1)
        #expect(cluster.delivered() == ["1.4 \(Self.fates[place].outcome)"])
        #expect(cluster.client.isIdle)
        // An answer that comes later finds nobody.
        try cluster.answer(1, .decided, from: 1, count: 1)
        #expect(cluster.delivered() == [])
    }

    @Test func `a nonsensical answer delivers nothing, not even its first half`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.append("a", item: 0)
        cluster.append("b", item: 1)
        _ = try cluster.submits()
        #expect(throws: (any Error).self) { try cluster.answer(1, .decided, from: 1, count: 1) }
        #expect(throws: (any Error).self) { try cluster.answer(1, .decided, from: 1, count: 3) }
        #expect(throws: (any Error).self) {
            try cluster.answer(1, .decided, from: 1, count: 2, badVerdict: true)
        }
        #expect(cluster.delivered() == [])
        cluster.client.lost(NodeID(1))
        cluster.lead(2, term: 2)
        _ = try cluster.submits()
        try cluster.answer(1, .decided, from: 2, count: 2)
        #expect(cluster.delivered() == ["1.0 revision 1", "1.1 revision 2"])
    }

    @Test func `a submit ends before its limit, and waiting bytes come back`() throws {
        var cluster = ScriptedCluster()
        let record = [UInt8](repeating: 0, count: 300_000)
        for item in 0..<5 {
            cluster.client.append(
                record, 0..<record.count, expected: nil, exchange: ExchangeID(1), item: item,
                now: cluster.now)
        }
        cluster.lead(1, term: 1)
        let frames = cluster.turn()
        #expect(frames.map(\.2.count) == [600_032, 600_032, 300_024])
        let rest = GatewayLimits.waitingBytes / record.count - 4
        for item in 0..<rest {
            cluster.client.append(
                record, 0..<record.count, expected: nil, exchange: ExchangeID(2), item: item,
                now: cluster.now)
        }
        #expect(!cluster.client.hasRoom)
        _ = cluster.turn(after: ScriptedCluster.deadline)
        #expect(cluster.client.hasRoom && cluster.client.isIdle)
        #expect(cluster.delivered().count == 5 + rest)
    }

    // MARK: Queries and commands

    private func rows(_ outcome: RowsHead.Outcome, id: UInt64) -> [UInt8] {
        var payload: [UInt8] = []
        RowsHead(id: id, outcome: outcome).append(to: &payload)
        return payload + Array("{}\n".utf8)
    }

    private func query(
        _ cluster: inout ScriptedCluster, _ consistency: Query.Consistency, exchange: UInt64 = 9
    ) {
        cluster.client.query(
            consistency, .event(uniqueID: [0x61], revision: nil, history: false),
            exchange: ExchangeID(exchange), now: cluster.now)
    }

    @Test func `reads go to the leader, stale ones to another node`() {
        var cluster = ScriptedCluster()
        query(&cluster, .linearizable)
        query(&cluster, .stale)
        #expect(cluster.turn().map(\.node) == [1])
        cluster.lead(1, term: 1)
        query(&cluster, .stale)
        #expect(cluster.turn().map(\.node) == [1, 2])
    }

    @Test func `too much under way is told at once, unless the events may be in the log`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.append("a")
        _ = try cluster.submits()
        try cluster.answer(1, .overloaded, from: 1)
        let isTold = cluster.client.deliveries.contains {
            if case .notAppended(_, _, .overloaded) = $0 { true } else { false }
        }
        #expect(isTold)
        #expect(cluster.client.isIdle)
        cluster.client.deliveries.removeAll()
        cluster.append("b")
        _ = try cluster.submits()
        cluster.lead(2, term: 2)
        #expect(try cluster.submits().map(\.node) == [2])
        try cluster.answer(2, .overloaded, from: 2)
        #expect(cluster.client.deliveries.isEmpty)
        #expect(!cluster.client.isIdle)
    }

    private func read(_ cluster: inout ScriptedCluster, after sequence: UInt64) {
        cluster.client.query(
            .after(Sequence(sequence)), .event(uniqueID: [0x61], revision: nil, history: false),
            anywhere: true, exchange: ExchangeID(9), now: cluster.now)
    }

    @Test func `a read after a sequence goes to any node that has it, else to the leader`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.client.opened(NodeID(2))
        var status = NodeStatus(node: NodeID(2))
        status.nextSequence = Sequence(10)
        cluster.client.heard(status)
        read(&cluster, after: 10)
        #expect(cluster.turn().map(\.node) == [2])
        // A follower's news changes nothing about what was asked of it.
        cluster.client.heard(status)
        #expect(cluster.turn().isEmpty)
        read(&cluster, after: 11)
        #expect(cluster.turn().map(\.node) == [1])
        // It was not as far as it said: the leader is asked, and goes on being one.
        let elsewhere = rows(.elsewhere, id: 1)
        try cluster.client.rows(0..<elsewhere.count, elsewhere.span, from: NodeID(2))
        #expect(cluster.client.leader == NodeID(1))
        #expect(cluster.turn().map(\.node) == [1])
    }

    @Test func `a read that is refused, lost or overtaken is asked again and answered once`() throws
    {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        query(&cluster, .linearizable)
        #expect(cluster.turn().map(\.node) == [1])
        let elsewhere = rows(.elsewhere, id: 1)
        try cluster.client.rows(0..<elsewhere.count, elsewhere.span, from: NodeID(1))
        #expect(cluster.turn().isEmpty)
        cluster.lead(2, term: 2)
        #expect(cluster.turn().map(\.node) == [2])
        cluster.client.lost(NodeID(2))
        cluster.lead(3, term: 3)
        #expect(cluster.turn().map(\.node) == [3])
        let found = rows(.found, id: 1)
        for node in [3, 2] as [UInt32] {
            try cluster.client.rows(0..<found.count, found.span, from: NodeID(node))
        }
        #expect(cluster.delivered() == ["9 found {}\n"])
    }

    @Test func `a read without an answer ends at its deadline, an abandoned one silently`() {
        var cluster = ScriptedCluster(open: [])
        query(&cluster, .linearizable, exchange: 1)
        query(&cluster, .linearizable, exchange: 2)
        cluster.client.abandon(ExchangeID(1))
        #expect(cluster.turn(after: ScriptedCluster.deadline).isEmpty)
        #expect(cluster.delivered() == ["2 no rows"])
        #expect(cluster.client.isIdle)
    }

    private func reply(
        _ outcome: CommandReply.Outcome, from node: UInt32, _ cluster: inout ScriptedCluster
    ) throws {
        var payload: [UInt8] = []
        CommandReply(id: 1, outcome: outcome).append(to: &payload)
        try cluster.client.commandAnswer(0..<payload.count, payload.span, from: NodeID(node))
    }

    static let commandFates: [([CommandReply.Outcome], outcome: String)] = [
        ([], "unknown"), ([.none], "none"), ([.unknown], "unknown"),
        ([.done(.revoked(TokenID(5)))], "done"), ([.refused], "refused"),
        ([.unknownToken], "unknownToken"),
    ]

    @Test(arguments: commandFates.indices)
    func `a command is answered once, and is unknown when it may be done`(place: Int) throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.client.command(
            DirectoryCommand(
                request: Identifier(high: 1, low: 2), author: TokenID(1),
                change: .revokeToken(TokenID(5))),
            record: [], exchange: ExchangeID(7), now: cluster.now)
        #expect(cluster.turn().map(\.1) == [.command])
        for outcome in Self.commandFates[place].0 { try reply(outcome, from: 1, &cluster) }
        try reply(.none, from: 3, &cluster)
        _ = cluster.turn(after: ScriptedCluster.deadline)
        let delivered = cluster.delivered()
        #expect(delivered.count == 1)
        #expect(delivered.first?.hasPrefix("7 \(Self.commandFates[place].outcome)") == true)
        #expect(cluster.client.isIdle)
    }

    @Test func `a command whose link is lost is sent to the next leader`() throws {
        var cluster = ScriptedCluster()
        cluster.lead(1, term: 1)
        cluster.client.command(
            DirectoryCommand(
                request: Identifier(high: 1, low: 2), author: TokenID(1),
                change: .revokeToken(TokenID(5))),
            record: [], exchange: ExchangeID(7), now: cluster.now)
        _ = cluster.turn()
        cluster.client.lost(NodeID(1))
        cluster.lead(2, term: 2)
        #expect(cluster.turn().map(\.node) == [2])
        try reply(.none, from: 2, &cluster)
        _ = cluster.turn(after: ScriptedCluster.deadline)
        #expect(cluster.delivered() == ["7 unknown"])
    }
}
