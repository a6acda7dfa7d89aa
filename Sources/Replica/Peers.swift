import Bytes
import Consensus
import Ledger
package import PeerWire
package import Records
import SegmentLog

// Who may say what to this node. Requests are heard from every node of the cluster: this log may not
// name the newest members yet, and a request does no harm. Answers count only from the disk that
// the log names, as long as it has not gone back to an earlier state. A leader that serves knows
// the members for certain, and tells those that are none.

extension Replica {
    /// What this node promised and holds, for the handshake that it opens a connection with.
    package var claim: Handshake.Claim {
        Handshake.Claim(term: consensus.durableTerm, last: consensus.durablePosition)
    }

    /// Why the node that says `hello` on a connection that it opened is not let in; nil when it is.
    ///
    /// What a node acknowledges comes on the connection that it opens, behind its hello. So a claim
    /// that is less than what was acknowledged in the same term cannot have been overtaken.
    package mutating func objection(to hello: Handshake) -> HandshakeRefusal? {
        guard hello.role == .node, let node = hello.node else { return nil }
        if let refusal = memberObjection(to: hello) { return refusal }
        if let known = acknowledged(by: node, hello) {
            if !isDistrusted(node, disk: hello.incarnation) {
                pendingMembers.distrusted.append(
                    .init(id: node, incarnation: hello.incarnation, acknowledged: known))
                consensus.distrust(node)
                pendingMembers.version += 1
            }
            return HandshakeRefusal(
                .wentBack,
                "the disk of node \(node) went back: it had acknowledged entry \(known), and has "
                    + "\(hello.claim?.last ?? .zero) now. Remove the node, add it and promote it")
        }
        greeted(by: hello)
        return nil
    }

    /// A node of this cluster said which disk it has.
    package mutating func greeted(by handshake: Handshake) {
        guard let node = handshake.node, handshake.incarnation != .unknown,
            let row = memberRow(node), row.incarnation == .unknown,
            !pendingMembers.disks.contains(where: { $0.id == node })
        else { return }
        pendingMembers.disks.append((node, handshake.incarnation))
    }

    /// Why a leader that serves has nothing to do with who sent this handshake.
    package func memberObjection(to hello: Handshake) -> HandshakeRefusal? {
        guard serves, hello.role == .node, let node = hello.node else { return nil }
        guard let row = memberRow(node) else {
            return HandshakeRefusal(
                .notMember,
                "node \(node) is no member of this cluster: `daybook member add` makes it one")
        }
        let known = naming(row).incarnation
        guard known != .unknown, hello.incarnation != known else { return nil }
        return HandshakeRefusal(
            .otherDisk,
            "node \(node) has another disk (\(hello.incarnation)) than the cluster knows "
                + "(\(known)): it has no vote. Remove the node, add it and promote it")
    }

    /// What is known to have been on the node's disk and is not any more; nil when nothing is.
    private func acknowledged(by node: NodeID, _ hello: Handshake) -> LogPosition? {
        let isTold = { (voter: Seal.Voter) in
            voter.id == node && voter.incarnation == hello.incarnation
        }
        if let gone = pendingMembers.distrusted.first(where: isTold) { return gone.acknowledged }
        guard let claim = hello.claim else { return nil }
        if let sealed = ledger.membership.acknowledged.first(where: isTold),
            sealed.acknowledged.index > claim.last.index
        {
            return sealed.acknowledged
        }
        guard consensus.role == .leader, claim.term <= consensus.term,
            let follower = consensus.progress.first(where: { $0.id == node }),
            follower.matchIndex > claim.last.index
        else { return nil }
        return LogPosition(
            term: consensus.term(at: follower.matchIndex) ?? .zero, index: follower.matchIndex)
    }

    /// Whether this disk joined, and no entry that it holds names it: until then it has no vote. What
    /// the genesis, and the log up to there, say of its number is about a disk that is gone; two such
    /// disks, or one of a cluster that one node founded, would be a majority of those founders.
    var isUnnamed: Bool {
        guard identity.isJoining else { return false }
        guard let row = memberRows.first(where: { $0.id == identity.nodeID }) else { return true }
        guard row.incarnation == .unknown else { return row.incarnation != identity.incarnation }
        return row.role == .voter
    }

    func isDistrusted(_ node: NodeID, disk: Identifier) -> Bool {
        pendingMembers.distrusted.contains { $0.id == node && $0.incarnation == disk }
    }

    /// Whether answers of the peer count: it has the disk that the log names, and has not gone back.
    func isTrusted(_ peer: NodeID, disk: Identifier) -> Bool {
        guard disk != .unknown else { return true }
        let known = memberRow(peer)?.incarnation ?? .unknown
        return (known == .unknown || known == disk) && !isDistrusted(peer, disk: disk)
    }

    /// A leader does not let this node in.
    package mutating func refused(
        by peer: NodeID, _ refusal: HandshakeRefusal, into outcome: inout ReplicaOutcome
    ) {
        switch refusal.code {
        case .other: return
        case .notMember, .otherDisk, .wentBack: consensus.retire()
        }
        guard pendingMembers.refusal != refusal.reason else { return }
        pendingMembers.refusal = refusal.reason
        outcome.events.append(.retired(by: peer, refusal.reason))
    }
}
