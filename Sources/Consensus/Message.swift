package import Records

/// What members say to each other (Raft paper figure 2; pre-vote: dissertation 9.6;
/// transfer: dissertation 3.10).
///
/// Any message may be lost, delayed, repeated or overtaken.
package enum Message: Equatable, Sendable {
    /// Could the sender, whose log ends at `last`, win an election in `term`, which is not begun?
    case preVoteRequest(term: Term, last: LogPosition)
    /// Granted: `term` is the asked one. Refused: the answering member's own.
    case preVoteResponse(term: Term, granted: Bool)
    /// `byOrder`: the leader told the sender to stand, so that who hears one still votes.
    case voteRequest(term: Term, last: LogPosition, byOrder: Bool = false)
    case voteResponse(term: Term, granted: Bool)
    case appendRequest(AppendRequest)
    case appendResponse(AppendResponse)
    /// The leader of `term` asks the receiver to stand for election at once.
    case timeoutNow(term: Term)
    /// The leader of `term` holds no entries through `base`, and the receiver needs some of them.
    case installHint(term: Term, base: LogPosition)
}

/// A leader's entries for a follower; without entries, its heartbeat.
package struct AppendRequest: Equatable, Sendable {
    package let term: Term
    /// The entry in front of `entries`.
    package let previous: LogPosition
    package var entries: [EntryDescriptor]
    /// The leader's commit index.
    package let commit: LogIndex
    /// The leader's latest read round; the answer repeats it.
    package let readContext: UInt64
    /// How often the leader has gone back with this follower in the term; a rejection repeats it.
    package let window: UInt32

    package init(
        term: Term, previous: LogPosition, entries: [EntryDescriptor], commit: LogIndex,
        readContext: UInt64, window: UInt32 = 0
    ) {
        self.term = term
        self.previous = previous
        self.entries = entries
        self.commit = commit
        self.readContext = readContext
        self.window = window
    }

    /// The last entry that the message names.
    package var last: LogPosition { entries.last?.position ?? previous }

    /// Throws unless `entries` follow `previous` one by one in terms up to the leader's own.
    package func validate() throws(MessageDefect) {
        var before = previous
        for entry in entries {
            guard entry.position.index == before.index.next else {
                throw .entryOutOfPlace(entry.position, after: before)
            }
            guard entry.position.term >= before.term, entry.byteCount > 0 else {
                throw .entryOutOfPlace(entry.position, after: before)
            }
            before = entry.position
        }
        guard before.term <= term else { throw .entryFromLaterTerm(before, than: term) }
    }
}

/// A follower's answer to an append.
package struct AppendResponse: Equatable, Sendable {
    package enum Result: Equatable, Sendable {
        /// The log is the leader's, and durable, up to and including this entry.
        case matched(through: LogPosition)
        /// There is no such entry as `previous` in the log; a match can only be at or before
        /// `hint`, an entry of the follower's. `window` is the append's.
        case rejected(previous: LogIndex, hint: LogPosition, window: UInt32 = 0)
    }

    package let term: Term
    package let result: Result
    /// The latest read round that the follower has seen in this term.
    package let readContext: UInt64

    package init(term: Term, result: Result, readContext: UInt64) {
        self.term = term
        self.result = result
        self.readContext = readContext
    }
}

/// Why a message cannot have come from a working member. The core is unchanged by it.
package enum MessageDefect: Error, Equatable, Sendable {
    /// The sender is this node itself.
    case sender(NodeID)
    case entryOutOfPlace(LogPosition, after: LogPosition)
    case entryFromLaterTerm(LogPosition, than: Term)
    /// An acknowledgement or hint of an entry that the leader does not have.
    case unknownEntry(LogPosition)
}
