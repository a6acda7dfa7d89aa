import Bytes

/// Which events a reader wants; everything given must hold.
package struct EventFilter: Equatable, Sendable {
    package enum Resources: UInt8, Sendable {
        case auditEvents = 0
        case administration = 1
        case all = 2
    }

    package var resources: Resources = .auditEvents
    package var uniqueID: [UInt8]?
    package var scriptName: [UInt8]?
    package var hostName: [UInt8]?
    package var fileName: [UInt8]?
    /// Started at or after this time.
    package var since: Timestamp?
    /// Started before this time.
    package var untilTime: Timestamp?
    /// What is known of an event's end.
    package var state = State.any
    /// A text that some attribute has.
    package var search: EventSearch?
    /// Of each unique_id the newest revision below this sequence alone, and no erased ones. Who
    /// filters by it holds what it found against the index of revisions.
    package var newestBefore: Sequence?

    package enum State: UInt8, Sendable {
        case any = 0
        /// Without a stop_time.
        case running = 1
        case finished = 2
        /// Running and finished: nothing is.
        case neither = 3
    }

    package init() {}

    /// Whether `record` (in `bytes`) is wanted.
    package func accepts(_ record: RecordView, in bytes: Span<UInt8>) -> Bool {
        switch resources {
        case .auditEvents: guard record.resource == .auditEvent else { return false }
        case .administration: guard record.resource == .administration else { return false }
        case .all: break
        }
        return Self.matches(uniqueID, record.uniqueID, bytes)
            && Self.matches(scriptName, record.scriptName, bytes)
            && Self.matches(hostName, record.hostName, bytes)
            && Self.matches(fileName, record.fileName, bytes)
            && (since.map { $0 <= record.startedAt } ?? true)
            && (untilTime.map { record.startedAt < $0 } ?? true)
            && accepts(state: record)
            && (search.map { $0.accepts(record, in: bytes) } ?? true)
    }

    private func accepts(state record: RecordView) -> Bool {
        switch state {
        case .any: true
        case .running: record.stopTime == nil
        case .finished: record.stopTime != nil
        case .neither: false
        }
    }

    /// Whether an erased event is wanted, of which nothing is known but its place. `isNamed`: it was
    /// looked for by its unique_id.
    package func acceptsErased(isNamed: Bool) -> Bool {
        resources != .administration && newestBefore == nil && state == .any && search == nil
            && (uniqueID == nil || isNamed) && scriptName == nil
            && hostName == nil && fileName == nil && since == nil && untilTime == nil
    }

    private static func matches(
        _ wanted: [UInt8]?, _ range: Range<Int>, _ bytes: Span<UInt8>
    ) -> Bool {
        guard let wanted else { return true }
        return bytes.equals(wanted.span, in: range)
    }
}
