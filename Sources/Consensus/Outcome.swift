package import Records

/// What the driver must do after one input: truncate, then append, in the order of the inputs; store
/// the vote, before or after; send.
///
/// Carried out and cleared after each input, for `acceptedEntries` counts in that input's message.
/// Messages may go out at once: none depends on anything that is not durable yet.
package struct Outcome: Equatable, Sendable {
    package struct Envelope: Equatable, Sendable {
        package let to: NodeID
        package let message: Message
    }

    package struct ConfirmedRead: Equatable, Sendable {
        package let ticket: ReadTicket
        /// The read may be answered from state that has applied this entry.
        package let index: LogIndex
    }

    package var messages: [Envelope] = []
    /// To be made durable; then `voteDurable` with the same value.
    package var voteToStore: DurableVote?
    /// Cut this entry and all after it off the log.
    package var truncateFrom: LogIndex?
    /// Which of the received append's entries to append; once they are durable, `logDurable` with
    /// the `logMark` as it is now.
    package var acceptedEntries: Range<Int>?
    /// This node now leads: encode a no-operation entry for this position, and `propose` it before
    /// any other input.
    package var noOperation: LogPosition?
    /// The new commit index.
    package var committed: LogIndex?
    package var confirmedReads: [ConfirmedRead] = []
    /// Leadership was lost before these reads were confirmed.
    package var failedReads: [ReadTicket] = []
    /// Role, term or known leader has changed.
    package var standing: Standing?
    /// Leadership was to go to this member, and did not within an election timeout.
    package var transferAbandoned: NodeID?
    /// Followers that, since this input, need entries which this leader no longer holds one by one.
    package var installs: [NodeID] = []
    /// This node needs an install: everything through the base from elsewhere, then to begin anew
    /// with a log that has that base, or a later one.
    package var needsInstall: InstallHint?

    package init() {}

    /// Empties it and keeps the memory.
    package mutating func clear() {
        messages.removeAll(keepingCapacity: true)
        voteToStore = nil
        truncateFrom = nil
        acceptedEntries = nil
        noOperation = nil
        committed = nil
        confirmedReads.removeAll(keepingCapacity: true)
        failedReads.removeAll(keepingCapacity: true)
        standing = nil
        transferAbandoned = nil
        installs.removeAll(keepingCapacity: true)
        needsInstall = nil
    }
}
