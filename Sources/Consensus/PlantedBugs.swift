/// Mistakes that real systems made, planted on purpose in one test build to test the tests.
package enum PlantedBug: String, CaseIterable, Sendable {
    /// A vote is given and counted, but only the term is stored.
    case voteNotPersisted = "vote-not-persisted"
    /// A leader commits by counting replicas of an older term's entry (Raft paper figure 8).
    case countOldTerm = "count-old-term"
    /// An append is acknowledged when accepted, not when durable.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    /// A heartbeat's success acknowledges the follower's whole log.
    case heartbeatAdvancesMatch = "heartbeat-advances-match"
    /// A follower commits what its leader committed, whether or not its own log was matched.
    case commitUnverified = "commit-unverified"
    /// Votes go to candidates whose log lacks entries.
    case voteIgnoresLog = "vote-ignores-log"
    /// A leader answers reads before it committed an entry of its term.
    case readBeforeOwnCommit = "read-before-own-commit"
    /// A read joins the round that is already under way.
    case readJoinsOldRound = "read-joins-old-round"
    /// Completion of a write is believed although the log was cut since.
    case staleDurability = "stale-durability"
    /// A candidate that a leader told to stand gets votes whatever its log lacks: the leader has
    /// seen to it. (It had, until it gave the transfer up.)
    case transferSkipsLogCheck = "transfer-skips-log-check"
    /// A follower installs a state that is older than what it has committed.
    case installGoesBack = "install-goes-back"
    /// A leader whose target does not take over waits for it without end.
    case transferNeverAbandoned = "transfer-never-abandoned"
    /// A leader changes the members before it has committed an entry of its term.
    case changeBeforeOwnCommit = "change-before-own-commit"
    /// Members change when the entry is committed, not when it is appended.
    case configurationAtApply = "config-at-apply"
    /// Learners count as voters do.
    case learnerCounts = "learner-counts"
    /// A change that is cut off the log goes on counting.
    case configurationNotUndone = "config-not-undone"
}

/// Which planted bugs are on. Empty, and compiled away, unless the build has `PLANTED_BUGS`.
package struct PlantedBugs: Sendable {
    #if PLANTED_BUGS
        private var bugs: [PlantedBug] = []
    #endif

    package init() {}

    #if PLANTED_BUGS
        package init(_ bugs: [PlantedBug]) { self.bugs = bugs }
    #endif

    @inline(__always)
    package func contains(_ bug: PlantedBug) -> Bool {
        #if PLANTED_BUGS
            bugs.contains(bug)
        #else
            false
        #endif
    }
}
