import BugZoo
package import Compaction
package import EventIndex
package import Records
package import SegmentLog

/// The parts of a compaction that are work on files; each is bounded by the segments
/// of one step (`ReplicaSettings.compactionSegments`).
package enum CompactionTask: Equatable, Sendable {
    /// Makes the outputs of these inputs, beside them.
    case make([CompactionInput], rules: CompactionRules)
    /// Says what would become of the segment at this place of the manifest. Writes nothing.
    case plan(place: Int, rules: CompactionRules)
    /// Rows of these events, which rise, leave the index: one step. Asked for until it is
    /// forgotten; before the swap, so that a crash between them has it done again.
    case forget(compaction: LogIndex, sequences: [Sequence])
    /// Segments of a peer's archive that lie beside this node's own take their places; its tail
    /// stays. They are what the compactions made through this entry.
    case takeOver([SegmentDescriptor], through: LogIndex)
    /// The manifest names the outputs instead of the inputs from now on.
    case swap(compaction: LogIndex, outputs: [SegmentDescriptor])
    /// Files of segments, and state tables, that the archive covers and does not name are removed;
    /// `fetched`: and what is left of takeovers that nobody goes on with.
    case sweep(fetched: Bool)
}

/// What came of such a part, durably.
package enum CompactionTaskReport: Equatable, Sendable {
    /// More of the index has to be read before an output can be made: the task wants to be handed
    /// over again, behind what waits.
    case preparing(compaction: LogIndex)
    /// In the order of the inputs.
    case made(compaction: LogIndex, [MadeSegment])
    /// An input is damaged.
    case failed(compaction: LogIndex, ReadFailure)
    case swapped(compaction: LogIndex, Manifest)
    /// The same of an estimate.
    case planning
    /// nil where the manifest has no such place.
    case planned(SegmentDescriptor?, SegmentTally)
    /// The segment is damaged.
    case unplanned(ReadFailure)
    case swept
    /// There are more steps.
    case forgetting(compaction: LogIndex)
    /// A table was rewritten, and its input is not removed yet.
    case forgot(compaction: LogIndex, IndexTable)
    case forgotten(compaction: LogIndex)
}

extension Maintainer {
    mutating func perform(
        _ task: CompactionTask
    ) throws(ReadFailure) -> CompactionTaskReport {
        switch task {
        case .make(let inputs, let rules):
            guard let superseded = try supersededBits(for: rules) else {
                return .preparing(compaction: rules.compaction)
            }
            return try make(inputs, rules, superseded)
        case .plan(let place, let rules):
            guard let superseded = try estimatedBits(for: rules) else { return .planning }
            return try plan(place, rules, superseded)
        case .forget(let compaction, let sequences):
            return try forget(compaction, sequences)
        case .takeOver(let segments, let compaction):
            try takeOver(segments, through: compaction)
            return .swapped(compaction: compaction, manifest)
        case .swap(let compaction, let outputs):
            if manifest.compactedThrough < compaction {
                var next = manifest
                next.replace(with: outputs, through: compaction)
                if PlantedBug.inputsRemovedEarly.isPlanted {
                    try removeInputs(of: outputs)
                }
                try onDisk { disk throws(DiskError) in try next.store(on: disk, hash) }
                manifest = next
            }
            return .swapped(compaction: compaction, manifest)
        case .sweep(let fetched):
            try endPasses()
            try sweep(fetched: fetched)
            return .swept
        }
    }

    private func make(
        _ inputs: [CompactionInput], _ rules: CompactionRules, _ superseded: SupersededBits
    ) throws(ReadFailure) -> CompactionTaskReport {
        let makings = inputs.map {
            SegmentMaking(input: $0, rules: rules, superseded: superseded)
        }
        var made: [MadeSegment] = []
        for (input, result) in zip(inputs, run(makings)) {
            switch result {
            case .success(let segment): made.append(segment)
            case .failure(let error):
                guard error.isCorrupt || error.isDamage(of: input.segment.file) else {
                    throw error
                }
                return .failed(compaction: rules.compaction, error)
            }
        }
        return .made(compaction: rules.compaction, made)
    }

    /// On threads of their own where there are some, else one behind the other.
    private func run(_ makings: [SegmentMaking]) -> [Result<MadeSegment, ReadFailure>] {
        if let results = runTogether?(makings) { return results }
        return makings.map { making in
            Result { () throws(ReadFailure) in try making.run(on: disk) }
        }
    }

    private mutating func takeOver(
        _ segments: [SegmentDescriptor], through compaction: LogIndex
    ) throws(ReadFailure) {
        try onDisk { disk throws(DiskError) in
            try FetchedFiles.verify(segments, on: disk)
            try FetchedFiles.adopt(segments, on: disk)
        }
        var next = manifest
        next.replace(with: segments, through: compaction)
        for segment in segments {
            let place = next.segments.firstIndex { $0.firstIndex == segment.firstIndex } ?? 0
            try segment.describe(
                after: place > 0 ? next.segments[place - 1] : nil, on: disk)
        }
        try onDisk { disk throws(DiskError) in try next.store(on: disk, hash) }
        manifest = next
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
            guard error.isCorrupt || error.isDamage(of: segments[place].file) else { throw error }
            return .unplanned(error)
        }
    }

    /// Removes what `outputs` replace: `PlantedBug.inputsRemovedEarly`.
    private func removeInputs(of outputs: [SegmentDescriptor]) throws(ReadFailure) {
        try onDisk { disk throws(DiskError) in
            for output in outputs {
                guard let place = manifest.place(holding: output.firstIndex),
                    case let input = manifest.segments[place], input.digest != output.digest
                else { continue }
                try disk.remove(input.file)
            }
        }
    }

    private func sweep(fetched: Bool) throws(ReadFailure) {
        var named = Set(manifest.segments.flatMap { [$0.file, $0.places] })
        for segment in manifest.segments.suffix(StateTableFile.keptCount) {
            named.insert(FileName.state(segment.lastIndex))
        }
        try onDisk { disk throws(DiskError) in
            let left = try disk.list().filter { name in
                guard !named.contains(name) else { return false }
                let index = FileName.archivedSegment(named: name) ?? FileName.state(named: name)
                let isReplaced = index.map { $0 <= manifest.lastIndex } ?? false
                return isReplaced || fetched && FetchedFiles.isName(name)
            }
            try disk.remove(left)
        }
    }
}
