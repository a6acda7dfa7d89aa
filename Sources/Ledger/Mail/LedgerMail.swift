package import Records

// What entries mean for mail. What follows from them is carried out as changes of the directory, so
// that gateways, which do not see events, follow it too.

extension Ledger {
    /// When time alone changes what mail is owed: the leader proposes an entry for it.
    package var nextMailTime: Timestamp? {
        guard let watch = alerts.nextEnd else { return directory.mail.nextEnd }
        guard let end = directory.mail.nextEnd else { return watch }
        return min(watch, end)
    }

    /// Time has passed: an entry is stamped `time`.
    mutating func passAlerts(to time: Timestamp) {
        guard let end = alerts.nextEnd, end <= time else { return }
        var changes: [MailChange] = []
        alerts.pass(to: time, into: &changes)
        derive(changes, at: time)
    }

    mutating func judgeAlerts(
        _ record: RecordView, in entry: Entry, sequence: Sequence, at time: Timestamp
    ) {
        var changes: [MailChange] = []
        alerts.judge(
            record, in: entry.bytes.span, sequence: sequence, by: directory.mail.rules, at: time,
            into: &changes)
        derive(changes, at: time)
    }

    /// Whether events are judged at all.
    var hasAlerts: Bool { !directory.mail.rules.alerts.isEmpty }

    /// No trace of an erased event stays in mail.
    mutating func eraseMail(about uniqueID: [UInt8], at time: Timestamp) {
        let id = String(decoding: uniqueID, as: UTF8.self)
        alerts.end(id)
        let isOwed = directory.mail.owed.contains { mail in
            guard case .alert(let event) = mail.order.subject else { return false }
            return event.uniqueID == id
        }
        if isOwed { derive([.erase(uniqueID: id)], at: time) }
    }
}
