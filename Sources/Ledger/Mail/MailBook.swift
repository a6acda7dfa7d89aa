package import Records

// Invariants:
// - committed state, the same on every replica, and on every gateway that has heard as much
// - numbers of mail and of notifications rise and are never given twice
// - mail of which an attempt failed, or that nobody tried in time, has a notification

/// Bounds of mail, and how it is tried again. Times are the log's.
package enum MailLimits {
    /// Mail that is owed at once. More is not: a notification says so.
    package static let owed = 1_000
    /// Notifications that are kept: the oldest read ones go first, then the oldest.
    package static let notifications = 500
    /// Mail of one rule within `alertPeriod`. More is not owed: a notification says so.
    package static let alertsOfRule: UInt32 = 100
    /// Microseconds.
    package static let alertPeriod = 600 * 1_000_000
    /// Events at once that wait for their stop_time. Further ones are not watched: a notification
    /// says so.
    package static let watches = 10_000
    /// Microseconds from a failed attempt to the next; doubles with each.
    static let firstPause = 5 * 1_000_000
    static let longestPause = 900 * 1_000_000
    /// Microseconds after which mail that could not be handed over is given up.
    package static let lifetime = 86_400 * 1_000_000
    /// Microseconds for which one gateway is the one that delivers.
    package static let lease = 20 * 1_000_000

    /// Microseconds from the failed attempt of this number, from 1, to the next.
    package static func pause(after attempt: UInt32) -> Int {
        attempt > 8 ? longestPause : min(firstPause << Int(attempt - 1), longestPause)
    }
}

/// One mail to one address that has yet to be handed over.
package struct OwedMail: Equatable, Identifiable, Sendable {
    package let id: UInt64
    package let order: MailOrder
    package let owedAt: Timestamp
    /// That failed.
    package internal(set) var attempts: UInt32 = 0
    /// When it is tried next.
    package internal(set) var dueAt: Timestamp
    /// A notification says that it is late.
    package internal(set) var isReported = false
}

/// Which gateway delivers.
package struct MailLease: Equatable, Sendable {
    package let gateway: Identifier
    /// Others may have it from then on.
    package let until: Timestamp
}

/// What developers are told.
package struct Notification: Equatable, Identifiable, Sendable {
    package enum State: UInt8, Sendable {
        /// Mail could not be handed over and is tried again.
        case retrying = 1
        /// It was handed over later on.
        case delivered = 2
        case givenUp = 3
        /// Mail that was not even noted: too much was owed.
        case dropped = 4
        /// A rule made too much mail.
        case heldBack = 5

        package var slug: String {
            switch self {
            case .retrying: "retrying"
            case .delivered: "delivered"
            case .givenUp: "given-up"
            case .dropped: "dropped"
            case .heldBack: "held-back"
            }
        }
    }

    package let id: UInt64
    package let createdAt: Timestamp
    package internal(set) var state: State
    package internal(set) var updatedAt: Timestamp
    /// 0 where it is about no single mail.
    package let mail: UInt64
    package internal(set) var recipient = ""
    /// Of a welcome.
    package internal(set) var user: UserID?
    /// Of an alert.
    package internal(set) var rule = ""
    package internal(set) var sequence: Sequence?
    package internal(set) var attempts: UInt32 = 0
    /// Why the newest attempt failed.
    package internal(set) var reason: String
    package internal(set) var readAt: Timestamp?
}

/// Mail that is owed, who delivers it, and what developers are told of it.
package struct MailBook: Equatable, Sendable {
    package internal(set) var rules = MailRules.none
    package internal(set) var lease: MailLease?
    /// In ascending order of numbers.
    package internal(set) var owed: [OwedMail] = []
    package internal(set) var notifications: [Notification] = []
    var mailCount: UInt64 = 0
    var notificationCount: UInt64 = 0

    package init() {}

    package func owed(_ id: UInt64) -> OwedMail? {
        owed.first { $0.id == id }
    }

    package func notification(_ id: UInt64) -> Notification? {
        notifications.first { $0.id == id }
    }

    package var unreadCount: Int { notifications.count { $0.readAt == nil } }

    /// When the oldest mail is given up.
    var nextEnd: Timestamp? {
        owed.first?.owedAt.advanced(byMicroseconds: MailLimits.lifetime)
    }

    /// Whether a report would change anything at `time`: if not, it need not go into the log.
    package func isNews(_ report: MailReport, at time: Timestamp) -> Bool {
        switch report {
        case .claim(let gateway):
            guard let lease, lease.until > time else { return true }
            return lease.gateway == gateway
        case .release(let gateway): return lease?.gateway == gateway
        case .delivered(let id): return owed(id) != nil
        case .failed(let id, let attempt, _): return owed(id).map { $0.attempts < attempt } ?? false
        case .overdue(let id): return owed(id).map { !$0.isReported } ?? false
        }
    }

    // MARK: Changes

    /// Carries out a change; false when it does not fit.
    mutating func apply(_ change: MailChange, at time: Timestamp) -> Bool {
        switch change {
        case .rules(let source):
            guard let rules = try? MailRules(source) else { return false }
            self.rules = rules
        case .read(let id):
            guard let place = notifications.firstIndex(where: { $0.id == id }) else { return false }
            notifications[place].readAt = notifications[place].readAt ?? time
        case .reports(let reports):
            for report in reports where isNews(report, at: time) { note(report, at: time) }
            giveUp(at: time)
        case .owe(let orders): for order in orders { owe(order, at: time) }
        case .erase(let uniqueID):
            owed.removeAll { mail in
                guard case .alert(let event) = mail.order.subject else { return false }
                return event.uniqueID == uniqueID
            }
        case .heldBack(let rule, let until):
            notify(.heldBack, at: time, reason: "no more mail before \(RFC3339.text(until))") {
                $0.rule = rule
            }
        }
        return true
    }

    mutating func owe(_ order: MailOrder, at time: Timestamp) {
        guard owed.count < MailLimits.owed else {
            return notify(
                .dropped, at: time, reason: "\(MailLimits.owed) mails are owed already"
            ) { $0.tell(order) }
        }
        mailCount += 1
        owed.append(OwedMail(id: mailCount, order: order, owedAt: time, dueAt: time))
    }

    /// The user is gone: nobody writes there any more, nor remembers the address.
    mutating func forget(_ user: UserID) {
        owed.removeAll { $0.order.subject == .welcome(user) }
        for place in notifications.indices where notifications[place].user == user {
            notifications[place].recipient = ""
        }
    }

    /// For a new cluster on the log of an old one, which writes its mail itself.
    mutating func restart() {
        owed = []
        lease = nil
    }

    private mutating func note(_ report: MailReport, at time: Timestamp) {
        switch report {
        case .claim(let gateway):
            lease = MailLease(
                gateway: gateway, until: time.advanced(byMicroseconds: MailLimits.lease))
        case .release: lease = nil
        case .delivered(let id):
            owed.removeAll { $0.id == id }
            update(id, at: time) { $0.state = .delivered }
        case .failed(let id, let attempt, let reason):
            guard let place = owed.firstIndex(where: { $0.id == id }) else { return }
            owed[place].attempts = attempt
            owed[place].dueAt = time.advanced(byMicroseconds: MailLimits.pause(after: attempt))
            tell(of: place, reason, at: time)
        case .overdue(let id):
            guard let place = owed.firstIndex(where: { $0.id == id }) else { return }
            tell(of: place, "no gateway has tried it yet", at: time)
        }
    }

    // MARK: Notifications

    /// Tells developers of mail that is late, once for each mail.
    private mutating func tell(of place: Int, _ reason: String, at time: Timestamp) {
        let mail = owed[place]
        if !mail.isReported {
            owed[place].isReported = true
            notify(.retrying, at: time, mail: mail.id, reason: reason) { $0.tell(mail.order) }
        }
        update(mail.id, at: time) {
            $0.attempts = mail.attempts
            $0.reason = reason
        }
    }

    private mutating func giveUp(at time: Timestamp) {
        while let end = nextEnd, end <= time, let mail = owed.first {
            if !mail.isReported { tell(of: 0, "no gateway has tried it", at: time) }
            owed.removeFirst()
            update(mail.id, at: time) {
                $0.state = .givenUp
                $0.readAt = nil
            }
        }
    }

    private mutating func notify(
        _ state: Notification.State, at time: Timestamp, mail: UInt64 = 0, reason: String,
        _ fill: (inout Notification) -> Void
    ) {
        // One for all that was dropped in a row is enough.
        if mail == 0, let last = notifications.indices.last, notifications[last].state == state,
            notifications[last].readAt == nil, state == .dropped
        {
            notifications[last].updatedAt = time
            return
        }
        if notifications.count == MailLimits.notifications {
            notifications.remove(at: notifications.firstIndex { $0.readAt != nil } ?? 0)
        }
        notificationCount += 1
        var notification = Notification(
            id: notificationCount, createdAt: time, state: state, updatedAt: time, mail: mail,
            reason: reason)
        fill(&notification)
        notifications.append(notification)
    }

    private mutating func update(
        _ mail: UInt64, at time: Timestamp, _ change: (inout Notification) -> Void
    ) {
        guard let place = notifications.lastIndex(where: { $0.mail == mail }) else { return }
        change(&notifications[place])
        notifications[place].updatedAt = time
    }
}

extension Notification {
    fileprivate mutating func tell(_ order: MailOrder) {
        recipient = order.recipient
        switch order.subject {
        case .welcome(let user): self.user = user
        case .alert(let event):
            rule = event.rule
            sequence = event.sequence
        }
    }
}
