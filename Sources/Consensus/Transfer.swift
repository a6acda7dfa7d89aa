package import Records

// Handing leadership over: dissertation 3.10. The leader brings one voter up to date and tells it to
// stand at once; its vote requests say so, and nobody refuses them for having heard a leader. Safety
// does not rest on any of it: such an election counts votes and compares logs like every other.

/// Why leadership is not handed to a member.
package enum TransferRefusal: Error, Equatable, Sendable {
    /// This node does not lead.
    case notLeading
    /// It has no vote, or is this node itself.
    case notVoter(NodeID)
    /// A transfer to another member has begun and is not over.
    case underWay(to: NodeID)
    /// It has not answered for half an election timeout.
    case unreachable(NodeID)
    /// It lacks more than can be sent to it in time; `byteCount` is nil where that is not known.
    case lagging(NodeID, entryCount: UInt64, byteCount: Int?)
}

/// A leader's attempt to hand over.
struct Transfer: Equatable, Sendable {
    let target: NodeID
    /// When it is given up: after an election timeout, which is how long nothing is proposed.
    let deadline: Instant
    /// The target was told since the last heartbeat.
    var isTold = false
}

extension Consensus {
    /// The member to which leadership is being handed. Meanwhile the driver proposes nothing: each
    /// new entry is one more that the target lacks.
    package var transferTarget: NodeID? { transfer?.target }

    /// The voter that can take over soonest: the one with the longest log among those that would
    /// not be refused.
    package func transferCandidate(now: Instant) -> NodeID? {
        guard role == .leader else { return nil }
        let able = progress.filter { transferRefusal(to: $0.id, now: now) == nil }
        return able.max { ($0.matchIndex, $1.id) < ($1.matchIndex, $0.id) }?.id
    }

    /// Begins to hand leadership to `target`. It is over when this node follows, or when an outcome
    /// says `transferAbandoned`. Beginning the same transfer again changes nothing.
    package mutating func transferLeadership(
        to target: NodeID, now: Instant, into outcome: inout Outcome
    ) throws(TransferRefusal) {
        if let transfer, transfer.target == target { return }
        if let refusal = transferRefusal(to: target, now: now) { throw refusal }
        transfer = Transfer(
            target: target,
            deadline: now.advanced(byNanoseconds: settings.electionTimeoutNanoseconds))
        for place in progress.indices where progress[place].id == target {
            replicate(to: place, now: now, into: &outcome)
        }
        advanceTransfer(into: &outcome)
    }

    private func transferRefusal(to target: NodeID, now: Instant) -> TransferRefusal? {
        guard role == .leader else { return .notLeading }
        guard configuration.hasVoter(target), let follower = progress(of: target) else {
            return .notVoter(target)
        }
        if let transfer { return .underWay(to: transfer.target) }
        let silence = now.nanoseconds(since: follower.lastHeard)
        guard silence <= settings.electionTimeoutNanoseconds / 2 else {
            return .unreachable(target)
        }
        let (entryCount, byteCount) = lag(of: follower)
        guard let byteCount, byteCount <= settings.maxTransferLagBytes else {
            return .lagging(target, entryCount: entryCount, byteCount: byteCount)
        }
        return nil
    }

    /// Tells the target to stand once it holds the whole log durably.
    mutating func advanceTransfer(into outcome: inout Outcome) {
        guard let transfer, !transfer.isTold,
            let follower = progress.first(where: { $0.id == transfer.target }),
            follower.matchIndex == log.last.index
        else { return }
        self.transfer?.isTold = true
        send(.timeoutNow(term: vote.term), to: transfer.target, into: &outcome)
    }

    /// Gives the transfer up when its time is over.
    mutating func tickTransfer(now: Instant, into outcome: inout Outcome) {
        guard let transfer, now >= transfer.deadline,
            !settings.plantedBugs.contains(.transferNeverAbandoned)
        else { return }
        self.transfer = nil
        outcome.transferAbandoned = transfer.target
    }

    /// The leader of this term asks this node to stand now: no pre-vote, no waiting.
    mutating func receiveTimeoutNow(
        term: Term, from sender: NodeID, now: Instant, into outcome: inout Outcome
    ) {
        guard term == vote.term, role == .follower, leader == sender, isVoteDurable,
            mayStand
        else { return }
        stand(byOrder: true, now: now, into: &outcome)
    }
}
