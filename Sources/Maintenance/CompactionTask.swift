package import Compaction
package import Records
package import SegmentLog

/// The parts of a compaction that are work on files; each is bounded by one segment.
package enum CompactionTask: Equatable, Sendable {
    /// Makes the output of one input, beside it. `before` is the segment in front of the input.
    case make(
        input: SegmentDescriptor, before: SegmentDescriptor?, rules: CompactionRules)
    /// Says what would become of the segment at this place of the manifest. Writes nothing.
    case plan(place: Int, rules: CompactionRules)
    /// The manifest names the outputs instead of the inputs from now on.
    case swap(compaction: LogIndex, outputs: [SegmentDescriptor])
    /// Files of segments that the archive covers and the manifest does not name are removed.
    case sweep
}

/// What came of such a part, durably.
package enum CompactionTaskReport: Equatable, Sendable {
    /// The output's own descriptor is the input's where nothing changed.
    case made(compaction: LogIndex, output: SegmentDescriptor, tally: SegmentTally)
    /// The input is damaged.
    case failed(compaction: LogIndex, ReadFailure)
    case swapped(compaction: LogIndex, Manifest)
    /// nil where the manifest has no such place.
    case planned(SegmentDescriptor?, SegmentTally)
    /// The segment is damaged.
    case unplanned(ReadFailure)
    case swept
}

extension Maintainer {
    mutating func perform(
        _ task: CompactionTask
    ) throws(ReadFailure) -> CompactionTaskReport {
        switch task {
        case .make(let input, let before, let rules):
            return try make(input, before, rules, supersededBits(for: rules))
        case .plan(let place, let rules):
            return try plan(place, rules, supersededBits(for: rules))
        case .swap(let compaction, let outputs):
            if manifest.compactedThrough < compaction {
                var next = manifest
                next.replace(with: outputs, through: compaction)
                try onDisk { disk throws(DiskError) in try next.store(on: disk, hash) }
                manifest = next
            }
            return .swapped(compaction: compaction, manifest)
        case .sweep:
            try sweep()
            return .swept
        }
    }

    private func make(
        _ input: SegmentDescriptor, _ before: SegmentDescriptor?, _ rules: CompactionRules,
        _ superseded: SupersededBits
    ) throws(ReadFailure) -> CompactionTaskReport {
        do {
            let output = try SegmentCompaction(
                disk: disk, input: input, after: before, rules: rules, superseded: superseded
            ).run()
            if output.digests != nil { try describe(output.descriptor, after: before) }
            return .made(
                compaction: rules.compaction, output: output.descriptor, tally: output.tally)
        } catch {
            guard case .corrupt = error else { throw error }
            return .failed(compaction: rules.compaction, error)
        }
    }

    private func plan(
        _ place: Int, _ rules: CompactionRules, _ superseded: SupersededBits
    ) throws(ReadFailure) -> CompactionTaskReport {
        let segments = manifest.segments
        guard place < segments.count else { return .planned(nil, SegmentTally()) }
        do {
            let tally = try SegmentCompaction(
                disk: disk, input: segments[place], after: place > 0 ? segments[place - 1] : nil,
                rules: rules, superseded: superseded
            ).plan()
            return .planned(segments[place], tally)
        } catch {
            guard case .corrupt = error else { throw error }
            return .unplanned(error)
        }
    }

    private func sweep() throws(ReadFailure) {
        let named = Set(manifest.segments.flatMap { [$0.file, $0.places] })
        try onDisk { disk throws(DiskError) in
            for name in try disk.list() where !named.contains(name) {
                guard let first = FileName.archivedSegment(named: name),
                    first <= manifest.lastIndex
                else { continue }
                try disk.remove(name)
            }
        }
    }
}
