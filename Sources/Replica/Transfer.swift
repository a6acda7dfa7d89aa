import Consensus
import Ledger
package import PeerWire
package import Records

// Leadership on its way to another member: this node takes nothing new until it follows, or until
// an election timeout has passed and it serves on.

/// Who waits for the transfer that is under way.
struct PendingTransfer {
    /// Commands that wait for one transfer. One more is answered `none`, and its sender asks again.
    static let waitingLimit = 64

    var waiting: [(client: ClientID, id: UInt64)] = []
}

extension Replica {
    /// A command about the cluster from a gateway. It is answered when it is done or refused.
    package mutating func cluster(
        _ command: ClusterCommand, from client: ClientID, now: Instant, wall: Timestamp,
        into outcome: inout ReplicaOutcome
    ) {
        guard serves || consensus.transferTarget != nil else {
            return clusterReply(.none, to: command.id, client, into: &outcome)
        }
        guard mayAdminister(command.author, wall: wall) else {
            let refusal = ClusterReply.Outcome.refused(
                .notAllowed, detail: "Only an administrator's token may do this.")
            return clusterReply(refusal, to: command.id, client, into: &outcome)
        }
        switch command.action {
        case .transfer(let node):
            transfer(to: node, id: command.id, client, now: now, wall: wall, into: &outcome)
        case .seal: seal(for: client, id: command.id, now: now, wall: wall, into: &outcome)
        case .members:
            clusterReply(
                serves ? .members(memberReport(now: now)) : .none, to: command.id, client,
                into: &outcome)
        case .change(let change):
            changeMembers(change, for: client, id: command.id, now: now, into: &outcome)
        case .estimate(let order, let place):
            estimate(order, from: place, id: command.id, client, wall: wall, into: &outcome)
        case .holds(let uniqueID):
            clusterReply(.holds(holds(after: uniqueID)), to: command.id, client, into: &outcome)
        }
    }

    /// Whether commands about the cluster may come in this name. Which of them a session may give,
    /// its gateway judges.
    private func mayAdminister(_ author: TokenID, wall: Timestamp) -> Bool {
        guard let authority = ledger.directory.authority(of: author, application: "") else {
            return false
        }
        return authority.mayAdminister
            && ledger.directory.standing(of: author, at: wall) == .usable
            && !commands.isRevoking(author, of: authority.user)
    }

    mutating func transfer(
        to node: NodeID, id: UInt64, _ client: ClientID, now: Instant, wall: Timestamp,
        into outcome: inout ReplicaOutcome
    ) {
        if node == consensus.id, serves {
            return clusterReply(.leads(node, consensus.term), to: id, client, into: &outcome)
        }
        do throws(TransferRefusal) {
            try beginTransfer(to: node, now: now, wall: wall, into: &outcome)
        } catch {
            return clusterReply(Self.reply(error), to: id, client, into: &outcome)
        }
        guard transfer.waiting.count < PendingTransfer.waitingLimit else {
            return clusterReply(.none, to: id, client, into: &outcome)
        }
        transfer.waiting.append((client, id))
    }

    /// Hands leadership to the voter that can take over soonest, for a node that is about to stop.
    /// False when it does not lead or nobody can: then there is nothing to wait for.
    package mutating func handOver(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) -> Bool {
        if consensus.transferTarget != nil { return true }
        guard let target = consensus.transferCandidate(now: now) else { return false }
        do throws(TransferRefusal) {
            try beginTransfer(to: target, now: now, wall: wall, into: &outcome)
            return true
        } catch {
            preconditionFailure("a candidate for the transfer is refused: \(error)")
        }
    }

    /// Whether another node leads, as this one knows; then it may stop without anybody noticing.
    package var hasHandedOver: Bool {
        consensus.role != .leader && consensus.leader != nil
    }

    mutating func beginTransfer(
        to node: NodeID, now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) throws(TransferRefusal) {
        let isNew = consensus.transferTarget == nil
        closeBatch(now: now, wall: wall, into: &outcome)
        try consensus.transferLeadership(to: node, now: now, into: &core)
        if isNew {
            outcome.events.append(.handsOver(to: node))
            serves = false
            statusDeadline = .zero
        }
        carryOut(now: now, into: &outcome)
    }

    /// The target did not take over in time. `startServing` lets this node go on.
    mutating func abandonTransfer(to node: NodeID, into outcome: inout ReplicaOutcome) {
        outcome.events.append(.transferAbandoned(to: node))
        var detail = "Node \(node) did not take over within an election timeout"
        if let follower = consensus.progress.first(where: { $0.id == node }) {
            let lag = consensus.lastPosition.index.value - follower.matchIndex.value
            detail += lag == 0 ? ", though it has the whole log" : ": it lacks \(lag) entries"
        }
        answerTransfer(.refused(.abandoned, detail: detail + "."), into: &outcome)
    }

    /// Leadership is gone, to the target or to somebody else: who leads now says the rest.
    mutating func failTransfer(into outcome: inout ReplicaOutcome) {
        answerTransfer(.unknown, into: &outcome)
    }

    private mutating func answerTransfer(
        _ result: ClusterReply.Outcome, into outcome: inout ReplicaOutcome
    ) {
        for waiting in transfer.waiting {
            clusterReply(result, to: waiting.id, waiting.client, into: &outcome)
        }
        transfer.waiting.removeAll()
    }

    private static func reply(_ refusal: TransferRefusal) -> ClusterReply.Outcome {
        switch refusal {
        case .notLeading: .none
        case .notVoter(let node):
            .refused(.unknownMember, detail: "Node \(node) is not a member with a vote.")
        case .underWay(let node):
            .refused(.underWay, detail: "Leadership is being handed to node \(node) already.")
        case .unreachable(let node):
            .refused(.unreachable, detail: "Node \(node) does not answer the leader.")
        case .lagging(let node, let entryCount, let byteCount):
            .refused(
                .lagging,
                detail: "Node \(node) lacks \(entryCount) entries"
                    + (byteCount.map { " of \($0) bytes" } ?? "") + ", too many to send in time.")
        }
    }

    func clusterReply(
        _ result: ClusterReply.Outcome, to id: UInt64, _ client: ClientID,
        into outcome: inout ReplicaOutcome
    ) {
        outcome.send(to: .client(client)) { bytes in
            Frame.append(.clusterAnswer, to: &bytes) { payload in
                ClusterReply(id: id, outcome: result).append(to: &payload)
            }
        }
    }
}
