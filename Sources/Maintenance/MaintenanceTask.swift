import Records
package import SegmentLog

/// Work on files that are not written by the log writer. Decided by the Replica, done in order by one
/// thread, each task bounded.
package enum MaintenanceTask: Equatable, Sendable {
    /// A sealed, committed segment goes to the archive.
    case archive(SealedSegment)
    /// A state table of an archived segment is written again: it was not whole.
    case storeState(StateTableFile)
}

/// A segment whose SEAL is applied.
package struct SealedSegment: Equatable, Sendable {
    package let header: SegmentHeader
    /// Bytes of the file.
    package let byteCount: Int
    /// Changes of term in it; the first may only go on with the term before.
    package let runs: [Manifest.TermRun]
    /// The state after its SEAL.
    package let state: StateTableFile

    package init(
        header: SegmentHeader, byteCount: Int, runs: [Manifest.TermRun], state: StateTableFile
    ) {
        self.header = header
        self.byteCount = byteCount
        self.runs = runs
        self.state = state
    }
}

/// What a task has led to, durably.
package enum MaintenanceReport: Equatable, Sendable {
    /// The manifest as it is on disk now.
    case archived(Manifest)
    case done
}
