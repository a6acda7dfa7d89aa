internal import Records

extension Consensus {
    /// Traps when a promise at the head of Consensus.swift is broken. For tests and simulation.
    package func checkInvariants() {
        precondition(
            log.base.index <= commitIndex && commitIndex <= log.last.index,
            "commit \(commitIndex) in \(log.base)...\(log.last)")
        precondition(
            log.base.index <= durableIndex && durableIndex <= log.last.index,
            "durable \(durableIndex) in \(log.base)...\(log.last)")
        precondition(durableIndex == log.last.index || logOwedSince != nil, "nobody owes a write")
        precondition(vote.term >= log.last.term, "term \(vote.term), log \(log.last)")
        precondition(durableVote.term <= vote.term, "\(durableVote) is ahead of \(vote)")
        precondition(held.isEmpty || !isVoteDurable, "\(held.count) messages held for nothing")
        precondition(held.count <= settings.maxHeldMessages, "\(held.count) messages held")
        checkRole()
        checkConfiguration()
        for follower in progress { check(follower) }
    }

    private func checkRole() {
        switch role {
        case .leader:
            precondition(leader == id && vote.votedFor == id && isVoteDurable, "leads by \(vote)")
            let others = (configuration.voters + configuration.learners).filter { $0 != id }
            precondition(progress.map(\.id) == others.sorted(), "\(progress), \(configuration)")
            precondition(reads.count <= settings.maxPendingReads, "\(reads.count) reads")
        case .candidate:
            precondition(leader == nil && vote.votedFor == id, "stands with \(vote)")
        case .preCandidate:
            precondition(leader == nil && grantedBy.contains(id), "\(grantedBy)")
        case .follower:
            precondition(leader != id, "follows itself")
            precondition((leader == nil) == (heardLeader == nil), "leader not heard")
        }
        guard role != .leader else { return }
        precondition(
            progress.isEmpty && reads.count == 0 && transfer == nil, "leads no more")
        precondition(verifiedIndex <= log.last.index, "verified \(verifiedIndex)")
    }

    /// Planted bugs of the configuration break these at once, before anybody sees harm from them.
    private func checkConfiguration() {
        let bugs = settings.plantedBugs
        guard !bugs.contains(.configurationAtApply), !bugs.contains(.configurationNotUndone) else {
            return
        }
        precondition(configuration == log.configuration, "\(configuration) is not the newest")
        var before = log.configuration(at: log.base.index) ?? configuration
        for change in log.changes {
            let voters = before.votersChanged(to: change.configuration)
            precondition(voters.count <= 1, "entry \(change.index) changes voters \(voters)")
            before = change.configuration
        }
        guard hasCommittedInTerm, !bugs.contains(.changeBeforeOwnCommit) else { return }
        let open = log.changes.filter { $0.index > commitIndex }
        precondition(open.count <= 1, "changes \(open) are under way at once")
    }

    private func check(_ follower: Progress) {
        precondition(
            follower.matchIndex < follower.nextIndex && follower.nextIndex <= log.last.index.next,
            "follower \(follower.id): match \(follower.matchIndex), next \(follower.nextIndex)")
        precondition(
            follower.state != .install || follower.nextIndex <= log.base.index,
            "follower \(follower.id) needs \(follower.nextIndex), the base is \(log.base)")
        precondition(
            (1...settings.maxInflightBytes).contains(follower.inflightLimit),
            "\(follower.inflightLimit) bytes may be in flight")
        precondition(follower.sentCommit <= commitIndex, "sent commit \(follower.sentCommit)")
    }
}
