import Bytes
import Consensus
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Replica
@testable import Simulation

struct MembersTests {
    private let disk = Identifier(high: 5, low: 5)

    private func leader(of members: Int) throws -> ScriptedNode {
        var node = try ScriptedNode(members: members)
        try node.lead()
        if members > 1 { node.acknowledge() }
        node.sent = []
        return node
    }

    private func hello(
        _ node: UInt32, _ incarnation: Identifier, term: UInt64 = 0, last: LogPosition? = nil
    ) -> Handshake {
        Handshake(
            role: .node, clusterID: ScriptedNode.cluster, node: NodeID(node),
            incarnation: incarnation,
            claim: last.map { Handshake.Claim(term: Term(term), last: $0) })
    }

    private func change(_ node: inout ScriptedNode, _ change: MemberChange) throws {
        node.ask(9, .change(change))
        node.turn()
        try node.write()
    }

    /// Roles as `1v 2l`.
    private func roles(_ node: ScriptedNode) -> String {
        node.replica.memberRows.map { "\($0.id)\($0.role == .voter ? "v" : "l")" }
            .joined(separator: " ")
    }

    private func refusal(_ node: inout ScriptedNode) throws -> (ClusterReply.Reason, String)? {
        guard case .refused(let reason, let detail)? = try node.clusterReplies().first?.outcome
        else { return nil }
        return (reason, detail)
    }

    /// Node 2 has said which disk it has, and the log names it.
    private func namingLeader() throws -> ScriptedNode {
        var node = try leader(of: 3)
        #expect(node.replica.objection(to: hello(2, disk)) == nil)
        node.turn()
        try node.write()
        node.acknowledge()
        return node
    }

    // MARK: The log

    @Test func `members outlive a restart, and the archive of the entry that set them`() throws {
        var node = try leader(of: 1)
        try change(&node, .add(NodeID(2), address: "n2:1"))
        guard case .members(let report)? = try node.clusterReplies().first?.outcome else {
            Issue.record("no members")
            return
        }
        #expect(report.members.map(\.id) == [NodeID(1), NodeID(2)])
        #expect(report.members.map(\.role) == [.voter, .learner])
        #expect(report.index == node.replica.catalogue.lastIndex)
        for _ in 0..<2 {
            #expect(roles(node) == "1v 2l")
            #expect(node.replica.consensus.configuration.learners == [NodeID(2)])
            let again = try ScriptedNode(on: node.disk, settings: node.settings)
            #expect(roles(again) == "1v 2l")
            #expect(again.replica.consensus.configuration.learners == [NodeID(2)])
            node.ask(10, .seal)
            node.turn()
            try node.write()
        }
        #expect(node.replica.catalogue.archive.lastIndex > report.index)
    }

    @Test func `a change that is cut off is undone`() throws {
        var node = try leader(of: 3)
        node.ask(9, .change(.add(NodeID(4), address: "n4:1")))
        node.turn()
        try node.write()
        #expect(roles(node) == "1v 2v 3v 4l")
        let version = node.replica.membersVersion
        node.stepDown()
        let term = node.replica.consensus.term
        let entry = Entry(
            kind: .noOperation, term: term, after: node.replica.catalogue.header(at: LogIndex(2)),
            timestamp: Timestamp(microseconds: 9_000_000_000))
        var bytes: [UInt8] = []
        let request = AppendRequest(
            term: term,
            previous: LogPosition(
                term: node.replica.consensus.term(at: LogIndex(2)) ?? .zero, index: LogIndex(2)),
            entries: [try EntryDescriptor(entry)], commit: LogIndex(2), readContext: 0)
        ConsensusFrames.append(.appendRequest(request), entries: [entry], to: &bytes)
        node.replica.receive(
            .appendRequest, Frame.headerByteCount..<bytes.count, in: bytes.span, from: NodeID(3),
            now: node.now, into: &node.outcome)
        node.turn()
        #expect(roles(node) == "1v 2v 3v")
        #expect(node.replica.membersVersion > version)
        #expect(try node.clusterReplies().map(\.outcome) == [.unknown])
    }

    @Test func `a seal repeats the digest of the state before, and what voters have`() throws {
        var node = try namingLeader()
        for seal in 0..<2 {
            try node.submit(UInt64(seal), [.init(note: seal)])
            node.turn()
            try node.write()
            node.acknowledge()
            node.ask(UInt64(seal), .seal)
            node.turn()
            try node.write()
            node.acknowledge()
            try node.write()
        }
        let segments = node.replica.catalogue.archive.segments
        try #require(segments.count == 2)
        let place = try #require(node.replica.catalogue.place(of: segments[1].lastIndex))
        let entry = try ArchiveSource(disk: node.disk).entry(at: place)
        var cursor = ByteCursor(entry.header.bodyRange)
        guard
            case .seal(let seal?) = try ControlPayload(.seal, &cursor, entry.bytes.span)
        else {
            Issue.record("no seal")
            return
        }
        #expect(seal.stateTable == segments[0].stateTable)
        #expect(seal.voters.map(\.id) == [NodeID(1), NodeID(2)])
        #expect(seal.voters[1].incarnation == disk)
        #expect(seal.voters[1].acknowledged.index >= segments[0].lastIndex)
    }

    // MARK: Disks that join

    @Test func `a new disk of a founder does not lead the cluster that it founded alone`() throws {
        for isJoining in [false, true] {
            var node = try ScriptedNode(members: 1, isJoining: isJoining)
            for _ in 0..<10 {
                node.pass(1_000)
                node.turn()
                try node.write()
            }
            #expect((node.replica.consensus.role == .leader) == !isJoining)
        }
    }

    @Test func `a new disk of a founder votes for nobody before the log names it`() throws {
        for isJoining in [false, true] {
            var node = try ScriptedNode(members: 3, isJoining: isJoining)
            node.receive(
                .voteRequest(term: Term(5), last: LogPosition(term: Term(4), index: LogIndex(9))),
                from: 2)
            try node.write()
            let votes = node.sent.filter { $0.bytes[4] == FrameKind.voteResponse.rawValue }
            #expect(votes.isEmpty == isJoining)
        }
    }

    // MARK: Commands

    @Test func `what is so already is done, and what cannot be is refused`() throws {
        var node = try leader(of: 1)
        try change(&node, .remove(NodeID(7)))
        guard case .members? = try node.clusterReplies().first?.outcome else {
            Issue.record("no members")
            return
        }
        try change(&node, .remove(NodeID(1)))
        #expect(try refusal(&node)?.0 == .lastVoter)
        try change(&node, .promote(NodeID(7)))
        #expect(try refusal(&node)?.0 == .unknownMember)
        try change(&node, .add(NodeID(2), address: "n2:1"))
        _ = try node.clusterReplies()
        try change(&node, .add(NodeID(2), address: "other:1"))
        #expect(try refusal(&node)?.0 == .alreadyMember)
        try change(&node, .add(NodeID(3), address: "n2:1"))
        #expect(try refusal(&node)?.0 == .alreadyMember)
        #expect(roles(node) == "1v 2l")
    }

    @Test func `a learner is promoted when it has what the leader has, and not before`() throws {
        var node = try leader(of: 1)
        try change(&node, .add(NodeID(2), address: "n2:1"))
        _ = try node.clusterReplies()
        try change(&node, .promote(NodeID(2)))
        #expect(try node.clusterReplies().isEmpty, "it waits for the learner")
        for _ in 0..<5 {
            node.pass(101)
            node.turn()
        }
        let refused = try #require(try refusal(&node))
        #expect(refused.0 == .unreachable)
        #expect(refused.1.contains("lacks 3 entries"), "\(refused.1)")
        // It says which disk it has, and catches up.
        #expect(node.replica.objection(to: hello(2, disk)) == nil)
        node.turn()
        try node.write()
        node.acknowledge()
        try change(&node, .promote(NodeID(2)))
        node.acknowledge()
        try node.write()
        guard case .members(let report)? = try node.clusterReplies().first?.outcome else {
            Issue.record("no members")
            return
        }
        #expect(report.members.map(\.role) == [.voter, .voter])
        #expect(report.members[1].incarnation == disk)
    }

    @Test func `a leader that is to go hands over, and the command is asked again`() throws {
        var node = try leader(of: 3)
        try change(&node, .remove(NodeID(1)))
        #expect(node.replica.consensus.transferTarget == NodeID(2))
        #expect(roles(node) == "1v 2v 3v")
        node.stepDown()
        #expect(try node.clusterReplies().map(\.outcome) == [.unknown])
    }

    // MARK: Disks

    @Test func `the log names a disk, and another one under the number does not count`() throws {
        var node = try namingLeader()
        #expect(node.replica.memberRows[1].incarnation == disk)
        let other = Identifier(high: 6, low: 6)
        #expect(node.replica.objection(to: hello(2, other))?.code == .otherDisk)
        #expect(node.replica.objection(to: hello(2, disk)) == nil)
        #expect(node.replica.isTrusted(NodeID(2), disk: disk))
        #expect(!node.replica.isTrusted(NodeID(2), disk: other))
        #expect(node.replica.isTrusted(NodeID(3), disk: other), "its disk is not named yet")
        // An acknowledgement from it commits nothing.
        try node.submit(1, [.init(note: 1)])
        node.turn()
        try node.write()
        let commit = node.replica.consensus.commitIndex
        for (incarnation, isCounted) in [(other, false), (disk, true)] {
            var bytes: [UInt8] = []
            let response = AppendResponse(
                term: node.replica.consensus.term,
                result: .matched(through: node.replica.catalogue.lastPosition), readContext: 0)
            ConsensusFrames.append(.appendResponse(response), entries: [], to: &bytes)
            node.replica.receive(
                .appendResponse, Frame.headerByteCount..<bytes.count, in: bytes.span,
                from: NodeID(2), disk: incarnation, now: node.now, into: &node.outcome)
            node.turn()
            #expect((node.replica.consensus.commitIndex > commit) == isCounted)
        }
    }

    @Test func `only a leader that serves says who is no member`() throws {
        var node = try namingLeader()
        #expect(node.replica.objection(to: hello(9, disk))?.code == .notMember)
        node.stepDown()
        #expect(node.replica.objection(to: hello(9, disk)) == nil)
        #expect(node.replica.objection(to: hello(2, Identifier(high: 6, low: 6))) == nil)
    }

    @Test func `a disk that went back is refused by the leader that it acknowledged to`() throws {
        var node = try namingLeader()
        let term = node.replica.consensus.term.value
        let last = node.replica.catalogue.lastPosition
        #expect(node.replica.objection(to: hello(2, disk, term: term, last: last)) == nil)
        let before = LogPosition(term: Term(0), index: LogIndex(1))
        // With a later term it may have cut what it acknowledged.
        #expect(node.replica.objection(to: hello(2, disk, term: term + 1, last: before)) == nil)
        let refusal = node.replica.objection(to: hello(2, disk, term: term, last: before))
        #expect(refusal?.code == .wentBack)
        #expect(!node.replica.isTrusted(NodeID(2), disk: disk))
        #expect(node.replica.consensus.progress[0].matchIndex == .zero)
        node.replica.consensus.checkInvariants()
        // Having caught up does not bring back what it promised.
        let again = node.replica.objection(to: hello(2, disk, term: term, last: last))
        #expect(again?.code == .wentBack)
    }

    @Test func `a disk that went back behind a seal is refused by everybody`() throws {
        var node = try namingLeader()
        node.ask(1, .seal)
        node.turn()
        try node.write()
        node.acknowledge()
        try node.write()
        let last = node.replica.catalogue.lastPosition
        var other = try ScriptedNode(on: node.disk, settings: node.settings)
        let before = LogPosition(term: Term(0), index: LogIndex(1))
        #expect(other.replica.objection(to: hello(2, disk, term: 1, last: last)) == nil)
        let refusal = other.replica.objection(to: hello(2, disk, term: 1, last: before))
        #expect(refusal?.code == .wentBack)
    }
}
