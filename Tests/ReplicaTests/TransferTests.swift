import Consensus
import PeerWire
import Records
import Replica
import Testing

@testable import Simulation

struct TransferTests {
    private func leader() throws -> ScriptedNode {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        node.sent = []
        return node
    }

    private func orders(_ node: ScriptedNode) -> [Destination] {
        node.sent.filter { $0.bytes[4] == FrameKind.timeoutNow.rawValue }.map(\.to)
    }

    @Test func `what came before is proposed, what comes later is refused, until another leads`()
        throws
    {
        var node = try leader()
        try node.submit(1, [.init(note: 1)])
        node.transfer(7, to: 2)
        node.turn()
        try node.write()
        try node.submit(2, [.init(note: 2)])
        node.turn()
        #expect(try node.answers().map(\.outcome) == [.none])
        #expect(!node.replica.status(now: node.now).serves)
        #expect(orders(node).isEmpty, "node 2 lacks the entry")
        node.acknowledge()
        #expect(orders(node) == [.peer(NodeID(2))])
        #expect(try node.answers().map(\.outcome) == [.decided])
        #expect(try node.clusterReplies().isEmpty)
        node.stepDown()
        #expect(try node.clusterReplies().map(\.outcome) == [.unknown])
        #expect(node.replica.hasHandedOver)
    }

    @Test func `a transfer that is given up is answered so, and the leader serves on`() throws {
        var node = try leader()
        node.transfer(7, to: 2)
        node.turn()
        for _ in 0..<5 {
            node.pass(100)
            node.turn()
            node.acknowledge()
        }
        let reply = try #require(try node.clusterReplies().first)
        guard case .refused(.abandoned, let detail) = reply.outcome else {
            Issue.record("\(reply)")
            return
        }
        #expect(detail.contains("Node 2") && detail.contains("whole log"))
        #expect(node.replica.status(now: node.now).serves)
        try node.submit(3, [.init(note: 2)])
        node.turn()
        try node.write()
        node.acknowledge()
        #expect(try node.answers().map(\.outcome) == [.decided])
    }

    @Test func `what leads already is answered at once, what cannot be is refused`() throws {
        var node = try leader()
        node.transfer(1, to: 1)
        node.transfer(2, to: 9)
        node.transfer(3, to: 2, author: TokenID(4))
        node.turn()
        #expect(
            try node.clusterReplies().map(\.outcome) == [
                .leads(NodeID(1), node.replica.consensus.term),
                .refused(.unknownMember, detail: "Node 9 is not a member with a vote."),
                .refused(.notAllowed, detail: "Only an administrator's token may do this."),
            ])
        node.transfer(4, to: 2)
        node.transfer(5, to: 3)
        node.transfer(6, to: 2)
        node.turn()
        let replies = try node.clusterReplies()
        #expect(replies.map(\.id) == [5])
        node.stepDown()
        #expect(try node.clusterReplies().map(\.id) == [4, 6])
        node.transfer(7, to: 2)
        node.turn()
        #expect(try node.clusterReplies().map(\.outcome) == [.none])
    }

    @Test func `a node that stops hands over if it leads and somebody can`() throws {
        var node = try leader()
        let wall = Timestamp(microseconds: 0)
        #expect(node.replica.handOver(now: node.now, wall: wall, into: &node.outcome))
        node.turn()
        #expect(orders(node) == [.peer(NodeID(2))])
        #expect(!node.replica.hasHandedOver)
        node.stepDown()
        #expect(node.replica.hasHandedOver)
        #expect(!node.replica.handOver(now: node.now, wall: wall, into: &node.outcome))
        var alone = try ScriptedNode(members: 1)
        try alone.lead()
        #expect(!alone.replica.handOver(now: alone.now, wall: wall, into: &alone.outcome))
    }
}
