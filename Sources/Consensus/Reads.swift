import BugZoo
package import Records

// Reads by ReadIndex (dissertation 6.4): a leader is still one if a majority answered a message that
// was sent after the read arrived. No clock is trusted.

/// Reads that wait for a round of answers.
///
/// One round is under way at a time, and a read that arrives meanwhile waits for the next: a round
/// that was sent before the read began says nothing about it.
struct PendingReads: Sendable {
    private struct Read {
        let ticket: ReadTicket
        let index: LogIndex
        /// The round, or any later one, whose answers confirm the read.
        let context: UInt64
    }

    /// The latest round that was sent. Rises only, and is never used twice.
    private(set) var context: UInt64 = 0
    private var lastTicket: UInt64 = 0
    /// In the order of arrival; `context` never falls.
    private var reads: [Read] = []

    var count: Int { reads.count }

    /// Whether a read waits for a round that is not sent yet.
    var needsRound: Bool { (reads.last?.context ?? 0) > context }

    mutating func add(index: LogIndex, joiningRound: Bool) -> ReadTicket {
        lastTicket += 1
        let ticket = ReadTicket(lastTicket)
        reads.append(
            Read(ticket: ticket, index: index, context: joiningRound ? context : context + 1))
        return ticket
    }

    mutating func beginRound() { context += 1 }

    /// Whether the latest round is still without a majority's answer, given what has been answered.
    func isRoundUnderWay(confirmed: UInt64) -> Bool {
        guard let first = reads.first else { return false }
        return first.context <= context && confirmed < context
    }

    mutating func confirm(through confirmed: UInt64, into outcome: inout Outcome) {
        let done = reads.prefix { $0.context <= confirmed }
        for read in done {
            outcome.confirmedReads.append(
                Outcome.ConfirmedRead(ticket: read.ticket, index: read.index))
        }
        reads.removeFirst(done.count)
    }

    /// For the model check.
    func appendState(to bytes: inout [UInt8]) {
        bytes.append(UInt8(context))
        bytes.append(UInt8(lastTicket))
        bytes.append(UInt8(reads.count))
        for read in reads {
            bytes.append(UInt8(read.ticket.value))
            bytes.append(UInt8(read.index.value))
            bytes.append(UInt8(read.context))
        }
    }

    mutating func fail(into outcome: inout Outcome) {
        for read in reads { outcome.failedReads.append(read.ticket) }
        reads.removeAll(keepingCapacity: true)
    }
}

extension Consensus {
    /// Begins a read of everything committed before this call. The outcome of this or a later input
    /// confirms it with the entry to wait for, or fails it.
    ///
    /// Nil when this node does not lead, has not committed an entry of its own term (what older
    /// terms committed is then not known, Raft paper section 8), or has too many reads waiting.
    package mutating func requestRead(now: Instant, into outcome: inout Outcome) -> ReadTicket? {
        let early = role == .leader && settings.plantedBugs.contains(.readBeforeOwnCommit)
        guard hasCommittedInTerm || early else { return nil }
        guard reads.count < settings.maxPendingReads else { return nil }
        let isUnderWay = reads.isRoundUnderWay(confirmed: confirmedContext())
        let joins = settings.plantedBugs.contains(.readJoinsOldRound) && reads.context > 0
        let ticket = reads.add(index: commitIndex, joiningRound: joins)
        if !isUnderWay { beginReadRound(now: now, into: &outcome) }
        confirmReads(now: now, into: &outcome)
        return ticket
    }

    /// Confirms what the answers allow, and sends the next round if reads wait for it.
    mutating func confirmReads(now: Instant, into outcome: inout Outcome) {
        guard reads.count > 0 else { return }
        let confirmed = confirmedContext()
        reads.confirm(through: confirmed, into: &outcome)
        if reads.needsRound, confirmed >= reads.context {
            beginReadRound(now: now, into: &outcome)
        }
    }

    private mutating func beginReadRound(now: Instant, into outcome: inout Outcome) {
        guard reads.needsRound else { return }
        reads.beginRound()
        guard !isDiskStalled(now: now) else { return }
        for place in progress.indices { sendEmpty(to: place, into: &outcome) }
    }

    /// The latest round that a majority has answered.
    private func confirmedContext() -> UInt64 {
        if settings.plantedBugs.contains(.readWithoutRound) { return reads.context }
        return configuration.agreed { voter in
            if voter == id { return reads.context }
            for follower in progress where follower.id == voter { return follower.readContext }
            return 0
        }
    }
}
