package import Records

/// What a compaction makes, or would make, of one segment.
package struct SegmentTally: Equatable, Sendable, CustomStringConvertible {
    /// Records that stay.
    package var kept = 0
    /// Stubs that earlier compactions and erasures left, and that stay.
    package var stubs = 0
    /// Records that become stubs.
    package var compacted = 0
    /// Records and stubs of which an erasure leaves the leaf entry.
    package var erased = 0
    /// Control entries that lose an erased unique_id.
    package var redacted = 0
    package var inputBytes = 0
    package var outputBytes = 0

    package init() {}

    /// Whether the output differs from the input.
    package var changes: Bool { compacted + erased + redacted > 0 }

    package var description: String {
        guard changes else { return "\(inputBytes) bytes stay as they are" }
        return "\(kept) events stay, \(compacted) are compacted away, \(erased) are erased, "
            + "\(stubs) were gone before; \(inputBytes) bytes become \(outputBytes)"
    }

    package static func += (left: inout SegmentTally, right: SegmentTally) {
        left.kept += right.kept
        left.stubs += right.stubs
        left.compacted += right.compacted
        left.erased += right.erased
        left.redacted += right.redacted
        left.inputBytes += right.inputBytes
        left.outputBytes += right.outputBytes
    }
}

/// What a compaction would do, segment by segment, for whoever asks before it is done.
package struct CompactionPlan: Equatable, Sendable, CustomStringConvertible {
    package struct Segment: Equatable, Sendable {
        package let firstIndex: LogIndex
        package let generation: UInt32
        package let tally: SegmentTally

        package init(firstIndex: LogIndex, generation: UInt32, tally: SegmentTally) {
            self.firstIndex = firstIndex
            self.generation = generation
            self.tally = tally
        }
    }

    package var segments: [Segment]

    package init(segments: [Segment] = []) { self.segments = segments }

    package var total: SegmentTally { segments.reduce(into: SegmentTally()) { $0 += $1.tally } }

    /// One line for each segment, and one for all.
    package var description: String {
        var lines = segments.map { segment in
            "segment \(segment.firstIndex) of generation \(segment.generation): "
                + segment.tally.description
        }
        lines.append("\(segments.count) segments: \(total)")
        return lines.joined(separator: "\n")
    }
}
