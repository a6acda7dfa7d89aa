internal import Bytes
internal import Records

// Who leads: Raft paper section 5.2 and 5.4.1; pre-vote and stickiness: dissertation 9.6, 4.2.3;
// by the leader's order: 3.10.

extension Consensus {
    /// From one to one and a half election timeouts, so that a follower stands before long and
    /// never inside the time in which the others still refuse.
    mutating func restartElectionTimer(now: Instant) {
        let timeout = settings.electionTimeoutNanoseconds
        electionDeadline = now.advanced(byNanoseconds: timeout + random.below(timeout / 2))
    }

    /// From a quarter to half an election timeout: a failed round is tried again soon, so that
    /// even two collisions leave the whole failover within three election timeouts.
    mutating func restartRetryTimer(now: Instant) {
        let timeout = settings.electionTimeoutNanoseconds
        electionDeadline = now.advanced(byNanoseconds: timeout / 4 + random.below(timeout / 4))
    }

    mutating func electionTimedOut(now: Instant, into outcome: inout Outcome) {
        guard mayStand else {
            return becomeFollower(term: vote.term, leader: nil, now: now, into: &outcome)
        }
        // A vote that is still on its way to the disk would be overtaken by the next one's term.
        guard isVoteDurable else { return restartRetryTimer(now: now) }
        stand(byOrder: false, now: now, into: &outcome)
    }

    /// Begins an election: with the pre-vote, or by the leader's order without it.
    mutating func stand(byOrder: Bool, now: Instant, into outcome: inout Outcome) {
        role = .preCandidate
        leader = nil
        heardLeader = nil
        grantedBy = [id]
        restartRetryTimer(now: now)
        guard !byOrder, voteCount(of: grantedBy) < committing.quorum else {
            return becomeCandidate(byOrder: byOrder, now: now, into: &outcome)
        }
        broadcast(.preVoteRequest(term: vote.term.next, last: log.last), into: &outcome)
    }

    private mutating func becomeCandidate(
        byOrder: Bool, now: Instant, into outcome: inout Outcome
    ) {
        precondition(role == .preCandidate && isVoteDurable, "node \(id) skips the pre-vote")
        role = .candidate
        grantedBy.removeAll(keepingCapacity: true)
        verifiedIndex = .zero
        seenReadContext = 0
        setVote(DurableVote(term: vote.term.next, votedFor: id), into: &outcome)
        restartRetryTimer(now: now)
        broadcast(
            .voteRequest(term: vote.term, last: log.last, byOrder: byOrder), into: &outcome)
        countOwnVote(now: now, into: &outcome)
    }

    /// A candidate's own vote counts once it is durable.
    mutating func countOwnVote(now: Instant, into outcome: inout Outcome) {
        guard role == .candidate, isVoteDurable else { return }
        countVote(of: id, now: now, into: &outcome)
    }

    private mutating func countVote(
        of voter: NodeID, now: Instant, into outcome: inout Outcome
    ) {
        if !grantedBy.contains(voter) { grantedBy.append(voter) }
        guard voteCount(of: grantedBy) >= committing.quorum, isVoteDurable else { return }
        becomeLeader(now: now, into: &outcome)
    }

    private mutating func broadcast(_ message: Message, into outcome: inout Outcome) {
        for voter in committing.voters where voter != id {
            send(message, to: voter, into: &outcome)
        }
    }

    /// Leads, or has heard from a leader within the least time after which anybody may stand.
    private func believesInLeader(now: Instant) -> Bool {
        if role == .leader { return true }
        guard leader != nil, let heardLeader else { return false }
        return now.nanoseconds(since: heardLeader) < settings.electionTimeoutNanoseconds
    }

    private func isUpToDate(_ last: LogPosition) -> Bool {
        last >= log.last || settings.plantedBugs.contains(.voteIgnoresLog)
    }
}

// MARK: - Messages

extension Consensus {
    /// Changes nothing here but answers. A refusal has this node's term, so that one who is behind
    /// in terms, but ahead in entries, can catch up and ask again.
    mutating func receivePreVoteRequest(
        term: Term, last: LogPosition, from sender: NodeID, now: Instant,
        into outcome: inout Outcome
    ) {
        let granted = term > vote.term && isUpToDate(last) && !believesInLeader(now: now)
        let answer = granted ? term : vote.term
        send(.preVoteResponse(term: answer, granted: granted), to: sender, into: &outcome)
    }

    mutating func receivePreVoteResponse(
        term: Term, granted: Bool, from sender: NodeID, now: Instant, into outcome: inout Outcome
    ) {
        if granted {
            guard role == .preCandidate, term == vote.term.next else { return }
            if !grantedBy.contains(sender) { grantedBy.append(sender) }
            guard voteCount(of: grantedBy) >= committing.quorum else { return }
            becomeCandidate(byOrder: false, now: now, into: &outcome)
        } else if term > vote.term {
            let wasStanding = role == .preCandidate || role == .candidate
            becomeFollower(term: term, leader: nil, now: now, into: &outcome)
            if wasStanding { restartRetryTimer(now: now) }
        }
    }

    /// Answers whoever asks, and as a learner too: it may be a voter already and not have the entry
    /// that says so.
    mutating func receiveVoteRequest(
        term: Term, last: LogPosition, byOrder: Bool, from sender: NodeID, now: Instant,
        into outcome: inout Outcome
    ) {
        // Not even the term is taken over: a member that was cut off must not depose a leader.
        if term > vote.term, !byOrder, believesInLeader(now: now) { return }
        if term > vote.term { followLaterTerm(term, now: now, into: &outcome) }
        let mayVote = vote.votedFor == nil || vote.votedFor == sender
        let skips = byOrder && settings.plantedBugs.contains(.transferSkipsLogCheck)
        let granted =
            term == vote.term && role == .follower && leader == nil && mayVote
            && (isUpToDate(last) || skips)
        if granted, vote.votedFor == nil {
            setVote(DurableVote(term: term, votedFor: sender), into: &outcome)
        }
        if granted { restartElectionTimer(now: now) }
        send(.voteResponse(term: vote.term, granted: granted), to: sender, into: &outcome)
    }

    /// Takes over a candidate's term. One who was about to stand keeps its turn: if the candidate's
    /// log is behind, nobody else might stand for a whole timeout.
    private mutating func followLaterTerm(
        _ term: Term, now: Instant, into outcome: inout Outcome
    ) {
        let deadline = electionDeadline
        becomeFollower(term: term, leader: nil, now: now, into: &outcome)
        electionDeadline = min(electionDeadline, max(deadline, now))
    }

    mutating func receiveVoteResponse(
        term: Term, granted: Bool, from sender: NodeID, now: Instant, into outcome: inout Outcome
    ) {
        if term > vote.term {
            becomeFollower(term: term, leader: nil, now: now, into: &outcome)
            return restartRetryTimer(now: now)
        }
        guard granted, term == vote.term, role == .candidate else { return }
        countVote(of: sender, now: now, into: &outcome)
    }
}
