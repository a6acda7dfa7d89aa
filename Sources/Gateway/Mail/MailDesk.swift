package import Ledger
package import PeerWire
package import Records

// Invariants:
// - an attempt begins only while this gateway holds the lease with certainty, and ends before that
//   certainty does: so one gateway at a time delivers
// - of one mail there is one attempt at a time, and the next begins after the directory shows the
//   outcome of the last

/// A request whose answer waits for mail.
package struct MailWait: Sendable {
    package enum Answer: Sendable {
        case receipt(Receipt)
        case command(CommandReply.Outcome)
    }

    package let exchange: ExchangeID
    package let item: Int
    package let answer: Answer
    let mails: [UInt64]
    /// After it the mail is told to be late.
    let deadline: Instant
    /// After it the answer goes out whatever the log says.
    let end: Instant
}

/// What this gateway does about mail: which it tries, what it reports, whose answers wait for it.
///
/// All it knows comes from the directory; it reports to the leader and looks there for what came of
/// it.
package struct MailDesk: Sendable {
    /// Of the first attempt, for which an answer waits.
    package static let firstAttemptNanoseconds: UInt64 = 2_000_000_000
    /// Of the others.
    package static let laterAttemptNanoseconds: UInt64 = 5_000_000_000
    /// How far the clocks of two leaders may be apart: a lease counts for so much less.
    static let clockNanoseconds: UInt64 = 5_000_000_000
    /// Attempts at once.
    package static let attemptLimit = 4
    /// How long an answer waits for mail: the attempt, and writing down what came of it.
    static let answerNanoseconds: UInt64 = 2_500_000_000
    static let endNanoseconds: UInt64 = 4_500_000_000
    /// What the directory does not show is said again after so long.
    static let repeatNanoseconds: UInt64 = 1_000_000_000

    package struct Attempt: Equatable, Sendable {
        package let mail: OwedMail
        package let timeoutNanoseconds: UInt64
    }

    /// Names this gateway in the lease.
    let gateway: Identifier
    /// Whether it has what delivering needs: a key.
    let delivers: Bool
    private var inFlight: Set<UInt64> = []
    /// What came of attempts and is not in the directory yet.
    private var outcomes: [MailReport] = []
    private var waits: [MailWait] = []
    /// When the oldest claim was sent of those whose answer has not been seen.
    private var claimedAt: Instant?
    private var lastClaim: Instant?
    private var lastReport: Instant?
    /// The lease as it was seen last, and how long it counts.
    private var lease: MailLease?
    package private(set) var holdsUntil = Instant.zero

    /// For the leader, in this turn.
    package var reports: [MailReport] = []
    /// To be made now.
    package var attempts: [Attempt] = []
    /// Whose answers wait no more, and whether mail of theirs is late.
    package var settled: [(wait: MailWait, isLate: Bool)] = []
    /// When `advance` has more to do though nothing came.
    package private(set) var deadline: Instant?

    package init(gateway: Identifier, delivers: Bool) {
        self.gateway = gateway
        self.delivers = delivers
    }

    // MARK: Waiting

    /// The mail that a new event owes; what was tried already, while its receipt was on the way, too.
    package static func owed(for sequence: Sequence, in book: MailBook?) -> [UInt64] {
        guard let book, !book.owed.isEmpty else { return [] }
        return book.owed.filter { mail in
            guard case .alert(let event) = mail.order.subject else { return false }
            return event.sequence == sequence
        }.map(\.id)
    }

    /// The welcome of a user who has registered, be it tried already, as above.
    package static func owed(for user: UserID, in book: MailBook?) -> [UInt64] {
        guard let book else { return [] }
        return book.owed.filter { $0.order.subject == .welcome(user) }.map(\.id)
    }

    /// Holds an answer back until its mail is handed over, or is late.
    package mutating func wait(
        for mails: [UInt64], _ answer: MailWait.Answer, exchange: ExchangeID, item: Int,
        now: Instant
    ) {
        waits.append(
            MailWait(
                exchange: exchange, item: item, answer: answer, mails: mails,
                deadline: now.advanced(byNanoseconds: Self.answerNanoseconds),
                end: now.advanced(byNanoseconds: Self.endNanoseconds)))
    }

    // MARK: Attempts

    /// An attempt is over; nil: the mail was taken.
    package mutating func finished(_ attempt: Attempt, failure: String?) {
        inFlight.remove(attempt.mail.id)
        outcomes.append(
            failure.map {
                .failed(attempt.mail.id, attempt: attempt.mail.attempts + 1, reason: $0)
            } ?? .delivered(attempt.mail.id))
        lastReport = nil
    }

    /// Whether this gateway is the one that delivers.
    package func isDelivering(at now: Instant) -> Bool { now < holdsUntil }

    /// This gateway is about to end: what it says to the leader last. It keeps the lease while attempts
    /// are under way, for nobody will report them.
    package mutating func leave(at now: Instant) -> [MailReport] {
        guard isDelivering(at: now), inFlight.isEmpty else { return [] }
        holdsUntil = .zero
        return outcomes.prefix(MailReport.limit - 1) + [.release(gateway)]
    }

    /// Decides what is to be done, by the directory as it is now.
    package mutating func advance(_ book: MailBook, now: Instant, wall: Timestamp) {
        deadline = nil
        see(book.lease, now: now)
        settle(book, now: now)
        outcomes.removeAll { !book.isNews($0, at: wall) }
        if !outcomes.isEmpty {
            if isDue(lastReport, now) {
                lastReport = now
                reports.append(contentsOf: outcomes.prefix(MailReport.limit - 1))
            }
            wake(lastReport, now)
        }
        if delivers { deliver(book, now: now, wall: wall) }
    }

    /// A lease that this gateway asked for counts from when it asked, never from when it heard.
    private mutating func see(_ found: MailLease?, now: Instant) {
        guard found != lease else { return }
        lease = found
        // It was let go of: whoever waits for it asks at once.
        if found == nil { lastClaim = nil }
        guard let found, found.gateway == gateway else {
            holdsUntil = .zero
            return
        }
        guard let asked = claimedAt else { return }
        claimedAt = nil
        let length = UInt64(MailLimits.lease) * 1_000 - Self.clockNanoseconds
        holdsUntil = asked.advanced(byNanoseconds: length)
    }

    private mutating func deliver(_ book: MailBook, now: Instant, wall: Timestamp) {
        let waiting = book.owed.filter { mail in
            !inFlight.contains(mail.id) && !outcomes.contains { $0.mail == mail.id }
        }
        // The first attempt is due at once, whatever the clocks say.
        let due = waiting.filter { $0.attempts == 0 || $0.dueAt <= wall }
            .sorted { ($0.attempts, $0.dueAt, $0.id) < ($1.attempts, $1.dueAt, $1.id) }
        if let next = waiting.lazy.filter({ $0.dueAt > wall }).map(\.dueAt).min() {
            let microseconds = UInt64(max(next.microseconds - wall.microseconds, 1_000))
            wake(at: now.advanced(byNanoseconds: microseconds * 1_000))
        }
        guard !due.isEmpty || !inFlight.isEmpty else { return }
        let needed = now.advanced(byNanoseconds: 2 * Self.laterAttemptNanoseconds)
        if holdsUntil < needed {
            if isDue(lastClaim, now) {
                lastClaim = now
                claimedAt = claimedAt ?? now
                reports.append(.claim(gateway))
            }
            wake(lastClaim, now)
        }
        for mail in due.prefix(max(Self.attemptLimit - inFlight.count, 0)) {
            let timeout =
                mail.attempts == 0
                ? Self.firstAttemptNanoseconds : Self.laterAttemptNanoseconds
            guard now.advanced(byNanoseconds: timeout) <= holdsUntil else { break }
            inFlight.insert(mail.id)
            attempts.append(Attempt(mail: mail, timeoutNanoseconds: timeout))
        }
    }

    // MARK: Answers

    private mutating func settle(_ book: MailBook, now: Instant) {
        guard !waits.isEmpty else { return }
        var left: [MailWait] = []
        var late: [MailReport] = []
        for wait in waits {
            let owed = wait.mails.compactMap(book.owed)
            if owed.isEmpty {
                settled.append((wait, false))
            } else if owed.allSatisfy(\.isReported) || wait.end <= now {
                settled.append((wait, true))
            } else {
                left.append(wait)
                guard wait.deadline <= now else {
                    wake(at: wait.deadline)
                    continue
                }
                wake(at: wait.end)
                late += owed.filter { !$0.isReported }.map { .overdue($0.id) }
            }
        }
        waits = left
        for report in late where !outcomes.contains(report) {
            outcomes.append(report)
            lastReport = nil
        }
    }

    private func isDue(_ last: Instant?, _ now: Instant) -> Bool {
        guard let last else { return true }
        return last.advanced(byNanoseconds: Self.repeatNanoseconds) <= now
    }

    private mutating func wake(_ last: Instant?, _ now: Instant) {
        wake(at: (last ?? now).advanced(byNanoseconds: Self.repeatNanoseconds))
    }

    private mutating func wake(at time: Instant) { deadline = min(deadline ?? time, time) }
}

extension MailReport {
    /// The mail whose attempt it tells of.
    fileprivate var mail: UInt64? {
        switch self {
        case .delivered(let mail), .failed(let mail, _, _): mail
        case .claim, .overdue, .release: nil
        }
    }
}
