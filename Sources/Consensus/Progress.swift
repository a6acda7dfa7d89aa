package import Records

/// What a leader knows of one follower, voter or learner.
///
/// Invariants: `matchIndex < nextIndex`; what is next is not held while it needs an install.
package struct Progress: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        /// Where the logs agree is not known; one append at a time asks.
        case probing(awaitsAnswer: Bool)
        /// The logs agree; appends go out before earlier ones are acknowledged.
        case replicating
        /// The follower needs entries that are no longer held one by one; until it answers for the
        /// base it is sent none.
        case install
    }

    package let id: NodeID
    package internal(set) var state = State.probing(awaitsAnswer: false)
    /// The follower holds everything through here, durably.
    package internal(set) var matchIndex = LogIndex.zero
    /// The next entry to send.
    package internal(set) var nextIndex: LogIndex
    /// When the follower last answered in this term.
    package internal(set) var lastHeard: Instant
    /// Whether it has answered in this term at all.
    package internal(set) var hasAnswered = false
    /// How often the leader has gone back with this follower. A rejection counts if it answers what
    /// was sent since: each window is sent again once, however many frames of it were overtaken.
    package internal(set) var window: UInt32 = 0
    /// Bytes that may be on their way to the follower. Half of what was, after going back; more by
    /// what it acknowledges. So where appends are lost or overtaken all the time, what is sent in
    /// vain stays in proportion to what arrives.
    var inflightLimit: Int
    /// When the follower may be told again that it needs an install.
    var hintDeadline = Instant.zero
    /// The greatest commit index that was sent.
    var sentCommit = LogIndex.zero
    /// The latest read round that the follower has answered.
    var readContext: UInt64 = 0

    init(id: NodeID, nextIndex: LogIndex, inflightLimit: Int, now: Instant) {
        self.id = id
        self.inflightLimit = inflightLimit
        self.nextIndex = nextIndex
        lastHeard = now
    }
}
