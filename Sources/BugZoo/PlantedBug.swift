/// Mistakes that real systems made, planted on purpose in one test build to test the tests.
///
/// This is the whole list: the sentence above each is what docs/internals/bug-zoo.md says of it, and
/// `tools/simulate --zoo` demands that each is found. One mistake is one line where it would be made.
package enum PlantedBug: String, CaseIterable, Sendable {
    // MARK: Elections

    /// A vote is given and counted, but only the term is stored.
    case voteNotPersisted = "vote-not-persisted"
    /// Answers leave before the vote in them is on the disk.
    case voteBeforeDurable = "vote-before-durable"
    /// A voter forgets that it has voted in the term.
    case votesTwice = "votes-twice"
    /// Votes go to candidates whose log lacks entries.
    case voteIgnoresLog = "vote-ignores-log"
    /// Who was granted a pre-vote counts it as a vote.
    case preVoteCountsAsVote = "pre-vote-counts-as-vote"
    /// A vote of an earlier term counts in this one.
    case staleVoteCounts = "stale-vote-counts"
    /// A refused pre-vote does not name the later term, so that who has the longest log never
    /// catches up.
    case preVoteHidesTerm = "pre-vote-hides-term"
    /// A candidate that a leader told to stand gets votes whatever its log lacks: the leader has
    /// seen to it. (It had, until it gave the transfer up.)
    case transferSkipsLogCheck = "transfer-skips-log-check"
    /// A leader whose target does not take over waits for it without end.
    case transferNeverAbandoned = "transfer-never-abandoned"

    // MARK: Log

    /// A leader commits by counting replicas of an older term's entry (Raft paper figure 8).
    case countOldTerm = "count-old-term"
    /// An append is acknowledged when accepted, not when durable.
    case acknowledgeBeforeSync = "acknowledge-before-sync"
    /// A leader counts itself before its own disk has the entry.
    case leaderCountsItselfEarly = "leader-counts-itself-early"
    /// A heartbeat's success acknowledges the follower's whole log.
    case heartbeatAdvancesMatch = "heartbeat-advances-match"
    /// A follower commits what its leader committed, whether or not its own log was matched.
    case commitUnverified = "commit-unverified"
    /// A follower takes an entry for known by its index, whatever its term.
    case keepsConflictingSuffix = "keeps-conflicting-suffix"
    /// Completion of a write is believed although the log was cut since.
    case staleDurability = "stale-durability"
    /// A follower installs a state that is older than what it has committed.
    case installGoesBack = "install-goes-back"
    /// After a peer's archive was taken over, the tail of the log that it replaced is kept.
    case takeoverKeepsTail = "takeover-keeps-tail"

    // MARK: Membership

    /// A leader changes the members before it has committed an entry of its term.
    case changeBeforeOwnCommit = "change-before-own-commit"
    /// Members change when the entry is committed, not when it is appended.
    case configurationAtApply = "config-at-apply"
    /// Learners count as voters do.
    case learnerCounts = "learner-counts"
    /// A change that is cut off the log goes on counting.
    case configurationNotUndone = "config-not-undone"

    // MARK: Reads

    /// A leader answers reads before it committed an entry of its term.
    case readBeforeOwnCommit = "read-before-own-commit"
    /// A read joins the round that is already under way.
    case readJoinsOldRound = "read-joins-old-round"
    /// A leader answers reads without asking anybody whether it leads.
    case readWithoutRound = "read-without-round"
    /// A follower's memory of read rounds outlives the term, so that rounds of two leaders share a
    /// number.
    case readRoundOutlivesTerm = "read-round-outlives-term"
    /// A node answers a read that is to see a sequence, and is not as far.
    case readIgnoresSequence = "read-ignores-sequence"

    // MARK: Events

    /// An event is acknowledged when it was proposed, not when it is committed.
    case receiptBeforeCommit = "receipt-before-commit"
    /// A duplicate is answered while what it repeats may still be lost.
    case duplicateBeforeCommit = "duplicate-before-commit"
    /// A new leader decides about events before it knows what is committed.
    case servesBeforeOwnCommit = "serves-before-own-commit"
    /// A leader that steps down says of proposed events that they were not appended.
    case unknownToldAsNone = "unknown-told-as-none"
    /// A leader that steps down keeps what it had proposed in its index.
    case overlayOutlivesLeadership = "overlay-outlives-leadership"
    /// Revisions are taken from committed state alone, not from what is proposed.
    case revisionIgnoresProposed = "revision-ignores-proposed"
    /// Repeats are recognised as far as memory goes, not in the archive.
    case duplicatesInMemoryOnly = "duplicates-in-memory-only"
    /// An entry's time is what the leader's clock says, even when that went back.
    case timeGoesBack = "time-goes-back"
    /// The leader does not look whether a token was revoked: the gateway has.
    case revocationLeftToGateways = "revocation-left-to-gateways"
    /// A revocation that is proposed counts only once it is applied.
    case pendingRevocationIgnored = "pending-revocation-ignored"
    /// The answers to commands are not in the state table.
    case answersNotInTable = "answers-not-in-table"

    // MARK: Clients

    /// A gateway that has waited long enough says that nothing was appended.
    case timeoutToldAsFailure = "timeout-told-as-failure"
    /// A gateway that sends a command again gives it another request id.
    case retryWithNewRequest = "retry-with-new-request"

    // MARK: Disk

    /// Writes return before they are durable.
    case writeNotSynced = "write-not-synced"
    /// Renames and removals are not followed by a sync of the directory.
    case directoryNotSynced = "directory-not-synced"
    /// A write whose sync failed is taken for done.
    case failedSyncBelieved = "failed-sync-believed"
    /// No record says how far the log was durable.
    case noPersistRecord = "no-persist-record"
    /// A damaged entry that was durable is taken for the end of a torn write, and cut.
    case damageTakenForTorn = "damage-taken-for-torn"
    /// Zeros where an entry was durable are taken for the end of the log.
    case zerosTakenForEnd = "zeros-taken-for-end"
    /// A torn tail is left where it is, and appended to.
    case tornTailNotCut = "torn-tail-not-cut"
    /// What a killed process left in the page cache is taken for durable.
    case pageCacheBelieved = "page-cache-believed"
    /// A truncation begins before a record voids those of the entries it removes.
    case truncationNotAnnounced = "truncation-not-announced"
    /// A truncation removes the oldest files first.
    case truncationOldestFirst = "truncation-oldest-first"
    /// A truncation that reaches into a sealed file removes the files behind it alone.
    case truncationSparesSealed = "truncation-spares-sealed"
    /// Term and vote are stored by two writes.
    case voteInTwoWrites = "vote-in-two-writes"
    /// The manifest has one copy, which is written in its place.
    case manifestInPlace = "manifest-in-place"
    /// A segment goes to the archive before this node's own disk has all of it.
    case archivedBeforeDurable = "archived-before-durable"

    // MARK: Index

    /// The filter of an index table does not know every key of the table.
    case filterLies = "filter-lies"

    // MARK: Compaction

    /// A compaction's inputs are removed before the manifest names its outputs.
    case inputsRemovedEarly = "inputs-removed-early"
    /// An erased unique_id takes events again.
    case erasedIDReopened = "erased-id-reopened"
}
