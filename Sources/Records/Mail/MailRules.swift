import Bytes

// Invariant: the text of the rules is what the log holds, so its grammar is a format: what it takes
// keeps its meaning, and later versions only add to it (docs/guides/alerts.md).

/// What of an event a rule looks at.
package enum AlertField: String, CaseIterable, Sendable {
    case uniqueID = "unique_id"
    case scriptName = "script_name"
    case hostName = "host_name"
    case fileName = "file_name"
    case updatedIn = "updated_in"
    case application
    /// The text of all strings in it, and its JSON as sent.
    case notes
}

/// A text that is looked for; the case of ASCII letters does not count.
package struct AlertText: Equatable, Sendable {
    package let text: String
    let folded: [UInt8]

    init(_ text: String) {
        self.text = text
        folded = text.utf8.map(Self.fold)
    }

    static func fold(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
}

package enum AlertCondition: Equatable, Sendable {
    case contains(AlertField, AlertText)
    case equals(AlertField, AlertText)
    /// stop_time is more than so many microseconds after start_time.
    case longerThan(Int)
    /// So many microseconds after it was recorded, no newer revision has a stop_time.
    case unstopped(after: Int)
}

/// Whom to write to about which events.
package struct AlertRule: Equatable, Sendable {
    /// As it was written, behind `alert =`.
    package let text: String
    /// All must hold.
    package let conditions: [AlertCondition]
    package let recipients: [String]

    /// Microseconds after which it looks for a stop_time; nil: it judges at once.
    package var delay: Int? {
        for case .unstopped(let delay) in conditions { return delay }
        return nil
    }
}

/// What mail the cluster owes: the same for all gateways, for it is in the log.
package struct MailRules: Equatable, Sendable {
    /// Bytes of the rules' text.
    package static let sourceBytes = 16 * 1_024
    package static let alertLimit = 64
    package static let conditionLimit = 8
    package static let recipientLimit = 16
    package static let patternBytes = 255

    /// No mail is owed.
    package static let none = MailRules()

    /// As it was given.
    package internal(set) var source = ""
    package internal(set) var sender = ""
    package internal(set) var senderName = ""
    /// Whether a registered client is welcomed.
    package internal(set) var welcomes = false
    package internal(set) var alerts: [AlertRule] = []

    init() {}
}

/// What is wrong with the text of rules, and where: lines and characters count from 1.
package struct MailRulesDefect: Error, Equatable, Sendable, CustomStringConvertible {
    package let line: Int
    package let column: Int
    package let reason: String

    package var description: String { "line \(line), column \(column): \(reason)" }
}

extension AlertRule {
    /// Whether `record` (in `bytes`) is an event that the rule is about. Of a rule that waits for a
    /// stop_time: whether the event must be waited for.
    package func matches(_ record: RecordView, in bytes: Span<UInt8>) -> Bool {
        guard record.resource == .auditEvent else { return false }
        return conditions.allSatisfy { condition in
            switch condition {
            case .longerThan(let duration):
                record.stopTime != nil
                    && record.stoppedAt > record.startedAt.advanced(byMicroseconds: duration)
            case .unstopped: record.stopTime == nil
            case .contains(.notes, let text):
                record.notes.map { AlertNotes.contain(text.folded, $0, bytes) } ?? false
            case .contains(let field, let text):
                record.range(of: field).map { text.isContained(in: $0, bytes) } ?? false
            case .equals(let field, let text):
                record.range(of: field).map {
                    $0.count == text.folded.count && text.isContained(in: $0, bytes)
                } ?? false
            }
        }
    }
}

extension RecordView {
    fileprivate func range(of field: AlertField) -> Range<Int>? {
        switch field {
        case .uniqueID: uniqueID
        case .scriptName: scriptName
        case .hostName: hostName
        case .fileName: fileName
        case .updatedIn: updatedIn
        case .application: application
        case .notes: notes
        }
    }
}

extension AlertText {
    func isContained(in range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        Self.find(folded, in: range, bytes)
    }

    static func find(_ folded: [UInt8], in range: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        guard let first = folded.first, range.count >= folded.count else { return folded.isEmpty }
        for start in range.lowerBound...(range.upperBound - folded.count) {
            guard fold(bytes[start]) == first else { continue }
            var offset = 1
            while offset < folded.count, fold(bytes[start + offset]) == folded[offset] {
                offset += 1
            }
            if offset == folded.count { return true }
        }
        return false
    }
}
