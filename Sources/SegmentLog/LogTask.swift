package import Records

/// Where one entry is, and enough of its header to know it again.
package struct Place: Equatable, Sendable {
    /// First index of the segment that holds the entry.
    package let segment: LogIndex
    /// How often that segment was compacted.
    package let generation: UInt32
    package let offset: Int
    package let header: EntryHeader
    /// The header of the segment that this entry begins.
    package let opens: SegmentHeader?

    package var file: String { FileName.segment(segment, generation: generation) }
    package var byteCount: Int { header.byteCount }
    package var end: Int { offset + header.byteCount }
    /// Nothing follows this entry in its segment.
    package var seals: Bool { header.kind == .seal }
}

/// What has to be done to the files so that a suffix of the log is gone.
package struct TruncationPlan: Equatable, Sendable {
    package struct Cut: Equatable, Sendable {
        /// First index of the segment.
        package let segment: LogIndex
        /// Bytes that stay.
        package let byteCount: Int
    }

    /// First indexes of the segments that go whole, newest first.
    package let removed: [LogIndex]
    /// The segment that loses its end after those are gone; open for appending again.
    package let cut: Cut?
    /// Where the log ends then; a persist record says so before anything is removed.
    package let end: DurableEnd
}

/// One thing for the log writer to do. Done in order.
package enum LogTask: Equatable, Sendable {
    case append([UInt8], at: Place)
    case truncate(TruncationPlan)
    case storeVote(DurableVote)
}
