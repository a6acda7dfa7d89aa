package import Records

/// The index cannot be read: what it says is rebuilt from the log, and until then nothing is
/// judged or applied.
package struct IndexDamage: Error, Equatable, Sendable {
    package let reason: String

    package init(_ reason: String) { self.reason = reason }
}

/// The revisions of archived events, which are on disk. A seam, where a lookup may cost a system
/// call.
package protocol ArchivedRevisions: AnyObject {
    /// Shows the rows of `key`, newest first, to `visit` until it returns false.
    func visit(
        _ key: RevisionKey, _ visit: (RevisionRow) -> Bool
    ) throws(IndexDamage)
}

/// A revision as the index found it.
package struct IndexedRevision: Equatable, Sendable {
    package let row: RevisionRow
    /// Where the record is; nil for an archived event, whose place its segment knows.
    package let place: RecordPlace?

    package var sequence: Sequence { row.sequence }
    package var revision: Revision { row.revision }
}

/// Where a stored record is.
package struct RecordPlace: Equatable, Sendable {
    package let entry: LogIndex
    /// Offset of the stored record in its entry.
    package let offset: Int
}
