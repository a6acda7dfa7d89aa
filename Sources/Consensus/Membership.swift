internal import BugZoo
package import Records

// Changes of the members: Ongaro's dissertation, chapter 4, one server at a time, with the condition
// that he added on raft-dev in 2015 ("bug in single-server membership changes"): a leader begins
// none before it has committed an entry of its own term.
//
// - The newest configuration in a log counts, committed or not, from its entry on.
// - Cutting the entry off brings back the configuration before it.
// - One change at a time: none begins before the one before it is committed.
// - So any two majorities that may decide at the same time share a voter.

/// Why a leader does not change the members.
package enum ChangeRefusal: Error, Equatable, Sendable {
    /// This node does not lead.
    case notLeading
    /// It has not committed an entry of its own term: a change that an earlier leader began may
    /// still be on some logs, unknown to it.
    case notCommittedInTerm
    /// The change at this entry is not committed.
    case underWay(LogIndex)
    /// Leadership is being handed over.
    case handingOver(to: NodeID)
    /// More than one voter would come or go.
    case several([NodeID])
    /// It is to become a voter, and is no learner.
    case notLearner(NodeID)
    /// The learner has not answered for half an election timeout.
    case unreachable(NodeID, entryCount: UInt64)
    /// The learner lacks too much; `byteCount` is nil where it is not known.
    case lagging(NodeID, entryCount: UInt64, byteCount: Int?)
    /// So few of the voters that there would be answer that the change might never be committed.
    case losesQuorum(reachable: Int, needed: Int)
}

extension Consensus {
    /// The newest entry that set the configuration; zero while it is the one that the log began with.
    package var configurationIndex: LogIndex { log.configurationIndex }

    /// Why the next entry may not set `configuration`; nil when it may.
    package func changeRefusal(to changed: Configuration, now: Instant) -> ChangeRefusal? {
        guard role == .leader else { return .notLeading }
        guard hasCommittedInTerm || settings.plantedBugs.contains(.changeBeforeOwnCommit) else {
            return .notCommittedInTerm
        }
        if log.configurationIndex > commitIndex { return .underWay(log.configurationIndex) }
        if let transfer { return .handingOver(to: transfer.target) }
        let voters = configuration.votersChanged(to: changed)
        guard voters.count <= 1 else { return .several(voters) }
        guard let voter = voters.first else { return nil }
        if changed.hasVoter(voter), let refusal = promotionRefusal(of: voter, now: now) {
            return refusal
        }
        let reachable = changed.voters.count { isReachable($0, now: now) }
        guard reachable >= changed.quorum else {
            return .losesQuorum(reachable: reachable, needed: changed.quorum)
        }
        return nil
    }

    /// Whether a learner holds the log durably but for what is on its way to it: the entry that made it
    /// a member too, without which a new disk votes for nobody.
    private func promotionRefusal(of id: NodeID, now: Instant) -> ChangeRefusal? {
        guard configuration.hasLearner(id), let follower = progress(of: id) else {
            return .notLearner(id)
        }
        let (entryCount, byteCount) = lag(of: follower)
        guard isReachable(id, now: now) else { return .unreachable(id, entryCount: entryCount) }
        guard follower.matchIndex > .zero, let byteCount,
            byteCount <= settings.maxPromotionLagBytes,
            follower.matchIndex >= log.configurationIndex
        else { return .lagging(id, entryCount: entryCount, byteCount: byteCount) }
        return nil
    }

    /// What the follower lacks of the log: entries, and bytes where those are held.
    package func lag(of follower: Progress) -> (entryCount: UInt64, byteCount: Int?) {
        let isHeld = follower.matchIndex >= log.base.index
        return (
            log.last.index.value - follower.matchIndex.value,
            isHeld ? log.byteCount(after: follower.matchIndex, through: log.last.index) : nil
        )
    }

    /// Whether the member is this one, or has answered within half an election timeout.
    package func isReachable(_ member: NodeID, now: Instant) -> Bool {
        if member == id { return true }
        guard let follower = progress(of: member), follower.hasAnswered else { return false }
        let silence = now.nanoseconds(since: follower.lastHeard)
        return silence <= settings.electionTimeoutNanoseconds / 2
    }

    /// The follower's log is not what it was: a disk that went back to an earlier state. What it
    /// acknowledged counts no more.
    package mutating func distrust(_ member: NodeID) {
        guard let place = progress.firstIndex(where: { $0.id == member }) else { return }
        progress[place].matchIndex = .zero
        progress[place].readContext = 0
        progress[place].hasAnswered = false
        progress[place].lastHeard = .zero
        progress[place].state = .probing(awaitsAnswer: false)
    }

    /// Somebody who knows says that this node is no member any more. It stands for no election until
    /// a leader speaks to it.
    package mutating func retire() { isRetired = true }

    /// Whether this node may stand for election: as a voter, and also when the newest entry takes its
    /// vote away and is not known to be committed. It may hold the only log that can win, and does
    /// not count itself then (dissertation 4.2.2).
    var mayStand: Bool {
        let committed = log.configuration(at: commitIndex)?.hasVoter(id) ?? false
        return !isRetired && (configuration.hasVoter(id) || committed)
    }

    /// Makes the newest configuration of the log count.
    mutating func adoptConfiguration(now: Instant) {
        let late = settings.plantedBugs.contains(.configurationAtApply)
        let newest = late ? log.configuration(at: commitIndex) : log.configuration
        guard let newest, newest != configuration else { return }
        configuration = newest
        guard role == .leader else { return }
        progress.removeAll { !newest.hasMember($0.id) }
        for member in newest.voters + newest.learners
        where member != id && progress(of: member) == nil {
            track(member, from: log.last.index, now: now)
        }
        progress.sort { $0.id < $1.id }
    }

    /// A leader that its last change removed leads until that is committed, and no longer
    /// (dissertation 4.2.2).
    mutating func stepDownIfRemoved(now: Instant, into outcome: inout Outcome) {
        guard role == .leader, !configuration.hasVoter(id),
            log.configurationIndex <= commitIndex
        else { return }
        becomeFollower(term: vote.term, leader: nil, now: now, into: &outcome)
    }

    /// The members whose durable log makes an entry committed.
    var committing: Configuration {
        guard settings.plantedBugs.contains(.learnerCounts) else { return configuration }
        return Configuration(voters: configuration.voters + configuration.learners)
    }

    /// How many of `members` have votes.
    func voteCount(of members: [NodeID]) -> Int {
        members.count { committing.hasVoter($0) }
    }
}
