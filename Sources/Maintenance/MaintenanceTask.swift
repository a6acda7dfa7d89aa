package import EventIndex
import Records
package import SegmentLog

/// Work on files that are not written by the log writer. Decided by the Replica, done in order by one
/// thread, each task bounded.
package enum MaintenanceTask: Equatable, Sendable {
    /// A sealed, committed segment goes to the archive.
    case archive(SealedSegment)
    /// A state table of an archived segment is written again: it was not whole.
    case storeState(StateTableFile)
    /// Which chunks of the file are not what they should be.
    ///
    /// `isResumed`: good ones may be what another process was writing when it was killed, in the
    /// page cache and not on the disk; they are written again.
    case survey(file: String, ChunkDigests, isResumed: Bool)
    /// Verified bytes of an archived segment; the file is made when it is not there.
    case store(file: String, offset: Int, [UInt8])
    /// The archive of a peer takes the place of this node's log: its segments are on this disk
    /// already, those that were fetched under names of their own.
    case install(Manifest, StateTableFile)
    /// The places of an archived segment are written anew: its file was repaired.
    case describe(SegmentDescriptor, after: SegmentDescriptor?)
    /// One step of a merge of index tables, the one that is under way or the next.
    case mergeIndex
    /// Files of index tables that were merged, and that nobody uses any more, are removed.
    case removeTables([String])
    /// Chunks of an archived segment are held against their digests.
    case scrub(SegmentDescriptor, after: SegmentDescriptor?, chunks: Range<Int>)
    case compaction(CompactionTask)
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
    /// The manifest as it is on disk now, and the index table of the segment that was added; nil
    /// when it has no events.
    case archived(Manifest, IndexTable?)
    case surveyed(file: String, bad: [Int])
    case stored(file: String)
    /// The log on the disk is another one now: everything has to be opened anew.
    case installed
    /// There are more steps of the merge.
    case merging
    /// A merge is finished, and its inputs are not removed yet; nil when there is none to do, or no
    /// room for it.
    case merged(IndexTable?)
    /// What was read of the segment ends before chunk `through`.
    case scrubbed(SegmentDescriptor, through: Int, byteCount: Int, isGood: Bool)
    case compaction(CompactionTaskReport)
    case done
}
