/// The eight parameters of an audit event as places in one buffer, strings already unescaped.
///
/// Absent optional parameters are nil. `notes` is the JSON text as sent; `canonicalNotes` is the
/// form by value that equality is judged on.
package struct EventParameters: Equatable, Sendable {
    package var uniqueID: Range<Int> = 0..<0
    package var scriptName: Range<Int> = 0..<0
    package var hostName: Range<Int> = 0..<0
    package var fileName: Range<Int> = 0..<0
    package var startTime: Range<Int> = 0..<0
    package var stopTime: Range<Int>?
    package var notes: Range<Int>?
    package var canonicalNotes: Range<Int>?
    package var updatedIn: Range<Int>?
    /// `startTime` in UTC.
    package var startedAt: Timestamp = .absent
    /// `stopTime` in UTC, or `.absent`.
    package var stoppedAt: Timestamp = .absent

    package init() {}
}
