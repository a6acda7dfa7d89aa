import Bytes
import Records

// Invariants:
// - a function of the applied entries alone, judged by the rules that stand in front of each
// - watches stand in the order in which they end, and no more than `MailLimits.watches`

/// An event that has no stop_time yet, as a rule waits for it.
struct AlertWatch: Equatable, Sendable {
    let endsAt: Timestamp
    let event: AlertedEvent
    let recipients: [String]
    /// The rule's text, whole.
    let rule: String
}

/// How much mail a rule has made in its present period.
struct AlertUse: Equatable, Sendable {
    let rule: String
    var since: Timestamp
    var count: UInt32
}

/// What the alert rules remember besides mail that is owed. Gateways do not need it.
struct Alerts: Equatable, Sendable {
    private(set) var watches: [AlertWatch] = []
    private(set) var uses: [AlertUse] = []
    /// Watches of each unique_id, so that most events are passed by at once.
    private var watched: [String: Int] = [:]

    init() {}

    /// When the first watch ends.
    var nextEnd: Timestamp? { watches.first?.endsAt }

    /// Judges an event that was applied at `time`; appends what follows.
    mutating func judge(
        _ record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, by rules: MailRules,
        at time: Timestamp, into changes: inout [MailChange]
    ) {
        if !watches.isEmpty, record.stopTime != nil {
            end(String(decoding: bytes.copy(record.uniqueID), as: UTF8.self))
        }
        for rule in rules.alerts where rule.matches(record, in: bytes) {
            let event = AlertedEvent(record, in: bytes, sequence: sequence, rule: rule)
            if let delay = rule.delay {
                let end = time.advanced(byMicroseconds: delay)
                watch(event, rule, until: end, at: time, into: &changes)
            } else {
                owe(event, to: rule.recipients, of: rule.text, at: time, into: &changes)
            }
        }
    }

    /// Appends what follows from the watches that have ended by `time`.
    mutating func pass(to time: Timestamp, into changes: inout [MailChange]) {
        while let first = watches.first, first.endsAt <= time {
            remove(at: 0)
            owe(first.event, to: first.recipients, of: first.rule, at: time, into: &changes)
        }
    }

    /// The event has its stop_time, or is erased.
    mutating func end(_ uniqueID: String) {
        guard watched[uniqueID] != nil else { return }
        watched[uniqueID] = nil
        watches.removeAll { $0.event.uniqueID == uniqueID }
    }

    /// Forgets what belongs to rules that are gone.
    mutating func keep(_ rules: MailRules) {
        let texts = rules.alerts.map(\.text)
        uses.removeAll { !texts.contains($0.rule) }
        for place in watches.indices.reversed() where !texts.contains(watches[place].rule) {
            remove(at: place)
        }
    }

    mutating func restart() { self = Alerts() }

    private mutating func watch(
        _ event: AlertedEvent, _ rule: AlertRule, until end: Timestamp, at time: Timestamp,
        into changes: inout [MailChange]
    ) {
        // A later revision without a stop_time does not begin anew.
        let isKnown =
            watched[event.uniqueID] != nil
            && watches.contains { $0.event.uniqueID == event.uniqueID && $0.rule == rule.text }
        guard !isKnown else { return }
        guard watches.count < MailLimits.watches else {
            if count("", at: time) == 1 {
                changes.append(
                    .heldBack(
                        rule: event.rule,
                        until: time.advanced(byMicroseconds: MailLimits.alertPeriod)))
            }
            return
        }
        let place = watches.partition { $0.endsAt <= end }
        watches.insert(
            AlertWatch(
                endsAt: end, event: event, recipients: rule.recipients, rule: rule.text),
            at: place)
        watched[event.uniqueID, default: 0] += 1
    }

    private mutating func remove(at place: Int) {
        let id = watches.remove(at: place).event.uniqueID
        let count = (watched[id] ?? 1) - 1
        watched[id] = count == 0 ? nil : count
    }

    private mutating func owe(
        _ event: AlertedEvent, to recipients: [String], of rule: String, at time: Timestamp,
        into changes: inout [MailChange]
    ) {
        let number = count(rule, at: time)
        guard number <= MailLimits.alertsOfRule else {
            if number == MailLimits.alertsOfRule + 1,
                let use = uses.first(where: { $0.rule == rule })
            {
                changes.append(
                    .heldBack(
                        rule: event.rule,
                        until: use.since.advanced(byMicroseconds: MailLimits.alertPeriod)))
            }
            return
        }
        changes.append(
            .owe(recipients.map { MailOrder(recipient: $0, subject: .alert(event)) }))
    }

    /// Which one it is of the rule within the present period, from 1.
    private mutating func count(_ rule: String, at time: Timestamp) -> UInt32 {
        guard let place = uses.firstIndex(where: { $0.rule == rule }) else {
            uses.append(AlertUse(rule: rule, since: time, count: 1))
            return 1
        }
        if uses[place].since.advanced(byMicroseconds: MailLimits.alertPeriod) <= time {
            uses[place] = AlertUse(rule: rule, since: time, count: 0)
        }
        uses[place].count = min(uses[place].count, .max - 1) + 1
        return uses[place].count
    }

    // MARK: - The state table

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let place = cursor.offset
            let watch = AlertWatch(
                endsAt: try cursor.time(bytes), event: try AlertedEvent(&cursor, bytes),
                recipients: try cursor.texts(bytes), rule: try cursor.text(bytes))
            guard watches.last.map({ $0.endsAt <= watch.endsAt }) ?? true else {
                throw ByteDefect(offset: place)
            }
            watches.append(watch)
            watched[watch.event.uniqueID, default: 0] += 1
        }
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            uses.append(
                AlertUse(
                    rule: try cursor.text(bytes), since: try cursor.time(bytes),
                    count: try cursor.integer(bytes)))
        }
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: UInt32(watches.count))
        for watch in watches {
            bytes.append(littleEndian: watch.endsAt.microseconds)
            watch.event.append(to: &bytes)
            bytes.append(texts: watch.recipients)
            bytes.append(counted: watch.rule)
        }
        bytes.append(littleEndian: UInt32(uses.count))
        for use in uses {
            bytes.append(counted: use.rule)
            bytes.append(littleEndian: use.since.microseconds)
            bytes.append(littleEndian: use.count)
        }
    }
}

extension [AlertWatch] {
    /// The first place at which the condition, which holds for a beginning, does not hold.
    fileprivate func partition(_ holds: (AlertWatch) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
