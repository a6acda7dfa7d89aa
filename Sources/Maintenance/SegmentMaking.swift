package import Compaction
import Crypto
import EventIndex
package import SegmentLog

/// One segment that a compaction reads, and the segment in front of it.
package struct CompactionInput: Equatable, Sendable {
    package let segment: SegmentDescriptor
    /// nil in front of the first.
    package let before: SegmentDescriptor?

    package init(_ segment: SegmentDescriptor, after before: SegmentDescriptor?) {
        self.segment = segment
        self.before = before
    }
}

/// What a compaction made of one input; its own descriptor where nothing changed.
package struct MadeSegment: Equatable, Sendable {
    package let descriptor: SegmentDescriptor
    package let tally: SegmentTally
}

/// The making of one output, and of what stands beside it. Depends on no other output, so several
/// may run at once, each on a thread and a disk of its own.
package struct SegmentMaking: Sendable {
    let input: CompactionInput
    let rules: CompactionRules
    let superseded: SupersededBits

    /// Makes the output durable, with its places. Memory is that of `SegmentCompaction`.
    package func run(on disk: some Disk) throws(ReadFailure) -> MadeSegment {
        let output = try SegmentCompaction(
            disk: disk, input: input.segment, after: input.before, rules: rules,
            superseded: superseded
        ).run()
        if let written = output.written {
            if let summary = try carriedSummary(output.tally, on: disk) {
                let places = SegmentPlaces(
                    digests: written.digests, catalogue: written.catalogue,
                    summary: summary.encoded)
                do {
                    try disk.replace(output.descriptor.places, with: places.encoded)
                } catch { throw .disk(error) }
            } else {
                try output.descriptor.describe(after: input.before, on: disk)
            }
        }
        return MadeSegment(descriptor: output.descriptor, tally: output.tally)
    }

    /// The input's, with other counts: it may match more than it has to, which costs a read at
    /// worst. nil where something was erased, of which no trace may stay, or the input has none.
    private func carriedSummary(
        _ tally: SegmentTally, on disk: some Disk
    ) throws(ReadFailure) -> SegmentSummary? {
        guard tally.erased == 0, tally.redacted == 0 else { return nil }
        let places: SegmentPlaces?
        do {
            places = try SegmentPlaces.load(
                input.segment, after: input.before, from: disk, SHA256())
        } catch { throw .disk(error) }
        return places.flatMap { SegmentSummary($0.summary) }?.compacting(tally.compacted)
    }
}
