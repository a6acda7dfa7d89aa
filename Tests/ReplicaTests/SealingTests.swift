import PeerWire
import Records
import Replica
import SegmentLog
import Testing

struct SealingTests {
    private func leader() throws -> ScriptedNode {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        node.sent = []
        return node
    }

    @Test func `a seal is answered once it and what came before it are committed`() throws {
        var node = try leader()
        try node.submit(1, [.init(note: 1)])
        node.ask(7, .seal)
        node.turn()
        #expect(node.replica.catalogue.lastHeader?.kind == .seal)
        let index = node.replica.catalogue.lastIndex
        try node.write()
        node.turn()
        #expect(try node.clusterReplies().isEmpty, "no majority has it")
        node.acknowledge()
        #expect(
            try node.clusterReplies().map(\.outcome)
                == [.sealed(through: index, next: node.replica.catalogue.nextSequence)])
        #expect(try node.answers().map(\.outcome) == [.decided])
    }

    @Test func `a log that is sealed already is not sealed again`() throws {
        var node = try leader()
        node.ask(7, .seal)
        node.turn()
        try node.write()
        node.acknowledge()
        let index = node.replica.catalogue.lastIndex
        node.ask(8, .seal)
        node.turn()
        node.acknowledge()
        #expect(node.replica.catalogue.lastIndex == index)
        #expect(try node.clusterReplies().map(\.id) == [7, 8])
    }

    @Test func `a leader that loses its place says that the end is not known`() throws {
        var node = try leader()
        node.ask(7, .seal)
        node.turn()
        node.stepDown()
        #expect(try node.clusterReplies().map(\.outcome) == [.unknown])
        node.ask(8, .seal)
        node.turn()
        #expect(try node.clusterReplies().map(\.outcome) == [.none])
    }
}
