import Bytes
import JSON
import Ledger
import Records

// Alert rules and notifications: for administrators.

extension GatewayCore {
    mutating func admitRules(
        _ route: Route, _ credential: Credential, _ request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        let source = text(.rules, of: route)
        var rules = MailRules.none
        if let source {
            do throws(MailRulesDefect) {
                rules = try MailRules(source)
            } catch {
                fault(.rules, .unrecognized, "\(error)")
            }
        }
        reading.readViews(set)
        try judgeFaults()
        var admitted = command(
            .mail(.rules(rules.source)), "alerts/update", "rules",
            ["alerts": "\(rules.alerts.count)", "welcome": rules.welcomes ? "on" : "off"],
            credential, request)
        admitted.reveal = .rules
        return .command(admitted)
    }

    mutating func admitRulesRead(
        _ credential: Credential, requestID: String
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        reading.readViews(set)
        try judgeFaults()
        var object: [UInt8] = []
        MailRow.append(directory?.mail.rules ?? .none, to: &object)
        return .answer(found(object, views(credential), requestID: requestID))
    }

    /// Shows a notification, and notes that it was read.
    mutating func admitNotification(
        _ route: Route, _ credential: Credential, _ request: Identifier, requestID: String
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        beginFaults()
        let id = text(.id, of: route)
        let notification = id.flatMap { UInt64($0) }.flatMap { directory?.mail.notification($0) }
        if id != nil, notification == nil { fault(.id, .unknownID, "no such notification") }
        reading.readViews(set)
        try judgeFaults()
        guard let notification else {
            preconditionFailure("no notification, and nothing at fault")
        }
        guard notification.readAt == nil else {
            var object: [UInt8] = []
            MailRow.append(notification, to: &object)
            return .answer(found(object, views(credential), requestID: requestID))
        }
        return .command(
            command(
                .mail(.read(notification.id)), "notifications/read", "\(notification.id)", [:],
                credential, request, reveal: .notification(notification.id)))
    }
}

/// Mail as objects.
enum MailRow {
    static func append(_ rules: MailRules, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("rules", rules.source, to: &output)
        object.member("from", rules.sender, to: &output)
        object.member("welcome", rules.welcomes, to: &output)
        object.name("alerts", to: &output)
        var array = JSONArrayWriter(to: &output)
        for alert in rules.alerts {
            array.element(to: &output)
            var row = JSONObjectWriter(to: &output)
            row.member("alert", alert.text, to: &output)
            row.member("recipients", alert.recipients, to: &output)
            row.close(to: &output)
        }
        array.close(to: &output)
        object.close(to: &output)
    }

    static func append(_ notification: Notification, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("id", "\(notification.id)", to: &output)
        object.member("state", notification.state.slug, to: &output)
        object.member("message", notification.message, to: &output)
        if notification.mail > 0 { object.member("mail", notification.mail, to: &output) }
        object.member("recipient", notification.recipient, to: &output)
        if let user = notification.user {
            object.member("user_id", user.description, to: &output)
        }
        if !notification.rule.isEmpty { object.member("alert", notification.rule, to: &output) }
        if let sequence = notification.sequence {
            object.member("sequence", sequence.value, to: &output)
        }
        object.member("attempts", UInt64(notification.attempts), to: &output)
        object.member("reason", notification.reason, to: &output)
        object.member("created_at", RFC3339.text(notification.createdAt), to: &output)
        object.member("updated_at", RFC3339.text(notification.updatedAt), to: &output)
        if let readAt = notification.readAt {
            object.member("read_at", RFC3339.text(readAt), to: &output)
        }
        object.close(to: &output)
    }

    /// What can be searched, filtered by and sorted by.
    static let attributes = [
        "id", "state", "recipient", "alert", "reason", "created_at", "updated_at", "read",
    ]

    static func row(_ notification: Notification) -> IndexedRow {
        var object: [UInt8] = []
        append(notification, to: &object)
        return IndexedRow(
            attributes: [
                ("id", "\(notification.id)"), ("state", notification.state.slug),
                ("recipient", notification.recipient), ("alert", notification.rule),
                ("reason", notification.reason),
                ("created_at", RFC3339.text(notification.createdAt)),
                ("updated_at", RFC3339.text(notification.updatedAt)),
                ("read", "\(notification.readAt != nil)"),
            ], object: object)
    }

    /// Mail of the whole cluster, for `/v1/cluster`.
    static func append(_ book: MailBook, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("owed", UInt64(book.owed.count), to: &output)
        object.name("oldest_owed_at", to: &output)
        if let oldest = book.owed.first {
            JSONWriter.append(RFC3339.text(oldest.owedAt), to: &output)
        } else {
            JSONWriter.appendNull(to: &output)
        }
        object.member("unread_notifications", UInt64(book.unreadCount), to: &output)
        object.member("alerts", UInt64(book.rules.alerts.count), to: &output)
        object.member("welcome", book.rules.welcomes, to: &output)
        object.close(to: &output)
    }
}

extension Notification {
    /// A sentence for people.
    var message: String {
        switch state {
        case .retrying: "Mail could not be handed over; that is tried again."
        case .delivered: "Mail was handed over late."
        case .givenUp: "Mail could not be handed over for 24 hours and was given up."
        case .dropped: "Too much mail is owed: further mail is not sent."
        case .heldBack: "A rule matches too many events: further mail of it is held back."
        }
    }
}
