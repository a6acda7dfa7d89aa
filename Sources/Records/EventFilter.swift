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
    }

    /// Whether an erased event is wanted, of which nothing is known but its place. `isNamed`: it was
    /// looked for by its unique_id.
    package func acceptsErased(isNamed: Bool) -> Bool {
        resources != .administration && (uniqueID == nil || isNamed) && scriptName == nil
            && hostName == nil && fileName == nil && since == nil && untilTime == nil
    }

    private static func matches(
        _ wanted: [UInt8]?, _ range: Range<Int>, _ bytes: Span<UInt8>
    ) -> Bool {
        guard let wanted else { return true }
        return bytes.equals(wanted.span, in: range)
    }
}
