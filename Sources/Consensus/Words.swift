package import Records

/// What the core knows of an entry: where it stands, how many bytes it has, and the members that it
/// sets.
package struct EntryDescriptor: Equatable, Sendable {
    package let position: LogPosition
    package let byteCount: Int
    /// The members from this entry on; nil for all entries but those that change them.
    package let configuration: Configuration?

    package init(position: LogPosition, byteCount: Int, configuration: Configuration? = nil) {
        self.position = position
        self.byteCount = byteCount
        self.configuration = configuration
    }
}

/// The end of the log at one moment, for saying later that it is durable up to here.
///
/// A position alone may name an entry that was cut off and written a second time, so that the
/// completion of the first write would be taken for the second's. `epoch` counts truncations.
package struct LogMark: Equatable, Sendable {
    package let position: LogPosition
    package let epoch: UInt64

    package init(position: LogPosition, epoch: UInt64) {
        self.position = position
        self.epoch = epoch
    }
}

/// A follower's log cannot be brought up to date by entries: everything through `base` is to be
/// fetched, from `from` or anybody else who has it.
package struct InstallHint: Equatable, Sendable {
    /// The leader that said so.
    package let from: NodeID
    /// The last entry that the leader does not send. It is committed.
    package let base: LogPosition

    package init(from: NodeID, base: LogPosition) {
        self.from = from
        self.base = base
    }
}

/// Names one read that waits for confirmation.
package struct ReadTicket: Hashable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }
}

/// What a node is in its current term.
package enum Role: String, Equatable, Sendable {
    case follower
    /// Asks whether an election could be won, without raising its term (dissertation 9.6).
    case preCandidate = "pre-candidate"
    case candidate
    case leader
}

/// Who a node is and whom it follows, as of the last input.
package struct Standing: Equatable, Sendable {
    package let role: Role
    package let term: Term
    /// The leader of `term`, where this node knows it.
    package let leader: NodeID?

    package init(role: Role, term: Term, leader: NodeID?) {
        self.role = role
        self.term = term
        self.leader = leader
    }
}
