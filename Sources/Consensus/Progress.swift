package import Records

/// What a leader knows of one follower.
///
/// Invariant: `matchIndex < nextIndex`.
package struct Progress: Equatable, Sendable {
    package enum State: Equatable, Sendable {
        /// Where the logs agree is not known; one append at a time asks.
        case probing(awaitsAnswer: Bool)
        /// The logs agree; appends go out before earlier ones are acknowledged.
        case replicating
        /// The follower needs entries that are no longer held one by one.
        case awaitingInstall
    }

    package let id: NodeID
    package internal(set) var state = State.probing(awaitsAnswer: false)
    /// The follower holds everything through here, durably.
    package internal(set) var matchIndex = LogIndex.zero
    /// The next entry to send.
    package internal(set) var nextIndex: LogIndex
    /// When the follower last answered in this term.
    package internal(set) var lastHeard: Instant
    /// The greatest commit index that was sent.
    var sentCommit = LogIndex.zero
    /// The latest read round that the follower has answered.
    var readContext: UInt64 = 0

    init(id: NodeID, nextIndex: LogIndex, now: Instant) {
        self.id = id
        self.nextIndex = nextIndex
        lastHeard = now
    }
}
