import Bytes
import Crypto
import JSON
package import Records

/// What rules say of events that nobody has posted yet, by the same reading and judging as the
/// service's.
package struct AlertTrial {
    private let rules: MailRules
    private let times: TimeReading
    private let hash = SHA256()
    private var set = ParameterSet()
    private var reading = EventReading()

    package init(_ rules: MailRules, times: TimeReading = TimeReading()) {
        self.rules = rules
        self.times = times
    }

    /// The rules that match an event, which is one JSON object; throws why it is none.
    package mutating func matches(_ line: [UInt8]) throws(Refusal) -> [AlertRule] {
        let bytes = line.span
        try set.read(bytes, body: 0..<line.count, query: nil)
        reading.read(&set, bytes, times: times)
        guard reading.faults.isEmpty else { throw Refusal.judging(reading.faults) }
        var application: [UInt8] = []
        if case .text(let range) = set[.application] { application = Array(set.text[range]) }
        var record: [UInt8] = []
        RecordEncoder.append(
            reading.parameters, values: set.text, application: application, writtenBy: [],
            hash: hash, to: &record)
        guard let view = try? RecordView(decoding: record.span, at: 0, end: record.count) else {
            preconditionFailure("an event that is no record")
        }
        return rules.alerts.filter { $0.matches(view, in: record.span) }
    }
}
