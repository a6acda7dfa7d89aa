package import Bytes
package import Records
package import SegmentLog

/// Why a backup was not restored. What was written has no identity, and no node starts on it.
package enum RestorationFailure: Error, Equatable, Sendable {
    case source(DiskError)
    case target(DiskError)
    /// There is no whole manifest, or it lists no segment.
    case noBackup
    /// A segment is not the one that the manifest names, from this offset on.
    case damaged(file: String, offset: Int, reason: String)
    /// The state table of the last segment is missing or not whole.
    case noState(file: String)
    /// The events end before the sequence that was asked for.
    case beyondEnd(Sequence)
    /// The genesis is of the cluster that was backed up.
    case sameCluster
}

/// What a restored log is.
package struct Restored: Equatable, Sendable {
    package let manifest: Manifest
    /// The cluster that was backed up.
    package let parent: Identifier
    /// Events of it that were taken over: those below this sequence.
    package let size: Sequence
    /// SHA-256 of its state table.
    package let parentState: Digest
}
