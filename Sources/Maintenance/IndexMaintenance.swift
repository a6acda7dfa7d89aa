import Compaction
package import EventIndex
package import Records
package import SegmentLog

// The index tables of the archive: one is written with each segment, neighbours are merged, and
// what is missing at a start is made again from the segments.

/// Which events have a later revision below a cut, that of a compaction or of an estimate.
enum SupersededSearch {
    /// The pass over the tables is under way.
    case passing(cut: Sequence, SupersededPass)
    case known(cut: Sequence, SupersededBits)
}

extension Maintainer {
    /// Bytes of rows that one step of a merge handles: about 20 ms of work.
    static var mergeStepBytes: Int { 4 * 1_024 * 1_024 }

    /// Writes the table of a segment with `sequences`; nil when those are none.
    mutating func write(
        _ rows: SegmentRows?, _ sequences: Range<Sequence>
    ) throws(ReadFailure) -> IndexTable? {
        guard let rows, !sequences.isEmpty else { return nil }
        do throws(IndexFailure) {
            let table = try rows.write(sequences: sequences, disk: disk)
            _ = tables.adopt(table)
            return table
        } catch {
            throw ReadFailure(error)
        }
    }

    /// Goes one step on with the merge that is under way, or begins the next. When there is no room
    /// the tables stay as they are.
    mutating func mergeStep() throws(ReadFailure) -> MaintenanceReport {
        var next = merge.take()
        do throws(IndexFailure) {
            if next == nil {
                guard let inputs = tables.nextMerge() else { return .merged(nil) }
                next = try TableMerge(joining: inputs, disk: disk)
            }
            guard let table = try next?.step(byteBudget: Self.mergeStepBytes, disk: disk) else {
                merge = next
                return .merging
            }
            _ = tables.adopt(table)
            return .merged(table)
        } catch .disk(let error) where error.code == DiskError.noSpace {
            try onDisk { disk throws(DiskError) in try next?.abandon(disk: disk) }
            return .merged(nil)
        } catch {
            throw try discarding(error)
        }
    }

    /// Goes one step on with rewriting the tables that have rows of these events. A merge that is
    /// under way is given up: it has the rows, and is begun again.
    mutating func forget(
        _ compaction: LogIndex, _ sequences: [Sequence]
    ) throws(ReadFailure) -> CompactionTaskReport {
        if forgetting?.compaction != compaction {
            if let merge = merge.take() {
                try onDisk { disk throws(DiskError) in try merge.abandon(disk: disk) }
            }
            forgetting = (compaction, sequences[...], nil)
        }
        guard var work = forgetting else { return .forgotten(compaction: compaction) }
        do throws(IndexFailure) {
            if work.merge == nil {
                guard let first = work.left.first,
                    let table = tables.tables.first(where: { $0.sequences.contains(first) })
                else {
                    forgetting = nil
                    return .forgotten(compaction: compaction)
                }
                work.merge = try TableMerge(
                    rewriting: table, leavingOutEvents: sequences, disk: disk)
                work.left = work.left.drop { table.sequences.contains($0) }
            }
            let table = try work.merge?.step(byteBudget: Self.mergeStepBytes, disk: disk)
            if table != nil { work.merge = nil }
            forgetting = work
            guard let table else { return .forgetting(compaction: compaction) }
            _ = tables.adopt(table)
            return .forgot(compaction: compaction, table)
        } catch {
            throw try discarding(error)
        }
    }

    /// Which events have a later revision below the cut of a compaction that asks for it; nil when
    /// that takes another step. Known for one cut at a time: all inputs of a run share it.
    mutating func supersededBits(
        for rules: CompactionRules
    ) throws(ReadFailure) -> SupersededBits? {
        var search = superseded.take()
        let bits = try goOn(&search, for: rules)
        superseded = search
        try removeTables()
        return bits
    }

    /// The same for an estimate. It knows the archive alone: a later revision may be in the tail.
    mutating func estimatedBits(
        for rules: CompactionRules
    ) throws(ReadFailure) -> SupersededBits? {
        var search = estimated.take()
        let bits = try goOn(&search, for: rules)
        estimated = search
        try removeTables()
        return bits
    }

    private func goOn(
        _ search: inout SupersededSearch?, for rules: CompactionRules
    ) throws(ReadFailure) -> SupersededBits? {
        guard rules.policy == .latest else { return SupersededBits(words: []) }
        if case .known(rules.cut, let bits) = search { return bits }
        do throws(IndexFailure) {
            var pass: SupersededPass
            if case .passing(rules.cut, let begun) = search.take() {
                pass = begun
            } else {
                pass = try SupersededPass(
                    tables, cut: min(rules.cut, tables.nextSequence), disk: disk)
            }
            guard let found = try pass.step(byteBudget: supersededStepBytes, disk: disk) else {
                search = .passing(cut: rules.cut, pass)
                return nil
            }
            let bits = SupersededBits(words: found.words)
            search = .known(cut: rules.cut, bits)
            return bits
        } catch {
            throw try discarding(error)
        }
    }

    /// Gives up the passes that are under way, when there are some: nothing asks for that of a
    /// compaction any more, and an estimate begins its own anew.
    mutating func endPasses() throws(ReadFailure) {
        if case .passing = superseded { superseded = nil }
        if case .passing = estimated { estimated = nil }
        try removeTables()
    }

    /// Removes the tables that nobody uses any more. A pass that is under way goes on with those
    /// that it began with.
    mutating func removeTables() throws(ReadFailure) {
        if case .passing = superseded { return }
        if case .passing = estimated { return }
        let files = tablesToRemove
        tablesToRemove = []
        try onDisk { disk throws(DiskError) in try disk.remove(files) }
    }

    /// What to say of `failure`. A damaged table is removed, so that the next start makes it again.
    private func discarding(_ failure: IndexFailure) throws(ReadFailure) -> ReadFailure {
        if let file = failure.file {
            try onDisk { disk throws(DiskError) in try disk.remove(file) }
        }
        return ReadFailure(failure)
    }
}

extension IndexTables {
    /// What `open` found.
    package struct Start: Sendable {
        package let tables: IndexTables
        /// What was made again from the segments.
        package let rebuilt: [Range<Sequence>]
        /// What was wrong with tables that were there.
        package let damaged: [IndexFailure]
    }

    /// Opens the tables of `archive`, and makes those that are missing or damaged again. `seed` is
    /// for a directory without tables.
    package static func start(
        _ archive: Manifest, disk: some Disk, seed: RevisionKey.Seed
    ) throws(ReadFailure) -> Start {
        let opened: Opened
        do {
            opened = try open(disk: disk, through: archive.nextSequence, seed: seed)
        } catch { throw .disk(error) }
        var tables = opened.tables
        for range in opened.missing {
            for place in archive.segments.indices {
                let segment = archive.segments[place]
                let part = range.clamped(to: segment.firstSequence..<segment.nextSequence)
                guard !part.isEmpty else { continue }
                let rows = try rows(of: place, in: archive, part, tables.seed, disk)
                do throws(IndexFailure) {
                    _ = tables.adopt(try rows.write(sequences: part, disk: disk))
                } catch {
                    throw ReadFailure(error)
                }
            }
        }
        return Start(tables: tables, rebuilt: opened.missing, damaged: opened.damaged)
    }

    /// The rows of a segment of the archive that are of events in `part`.
    private static func rows(
        of place: Int, in archive: Manifest, _ part: Range<Sequence>, _ seed: RevisionKey.Seed,
        _ disk: some Disk
    ) throws(ReadFailure) -> SegmentRows {
        let segment = archive.segments[place]
        let previous = place > 0 ? archive.segments[place - 1] : nil
        var walk = try SegmentWalk(
            disk, file: segment.file, byteCount: segment.byteCount,
            expected: segment.header(after: previous))
        var rows = SegmentRows(seed: seed, within: part)
        while let step = try walk.next() { try rows.append(step, of: walk) }
        return rows
    }
}

extension SegmentRows {
    /// Takes the records of an entry that a walk has come to.
    mutating func append<D>(
        _ step: SegmentWalk<D>.Step, of walk: SegmentWalk<D>
    ) throws(ReadFailure) {
        let window = walk.window
        do {
            try append(recordsOf: step.header, in: window.span, at: step.range.lowerBound)
        } catch {
            throw walk.corrupt(.entry(error))
        }
    }
}

extension SegmentSummary {
    /// Takes the records of an entry that a walk has come to.
    mutating func insert<D>(
        _ step: SegmentWalk<D>.Step, of walk: SegmentWalk<D>
    ) throws(ReadFailure) {
        let window = walk.window
        do {
            try insert(recordsOf: step.header, in: window.span, at: step.range.lowerBound)
        } catch {
            throw walk.corrupt(.entry(error))
        }
    }
}

extension ReadFailure {
    fileprivate init(_ failure: IndexFailure) {
        switch failure {
        case .disk(let error): self = .disk(error)
        case .damaged(let file, _): self = .corrupt(file: file, offset: 0, defect: .indexTable)
        case .incomplete(let sequence): preconditionFailure("no table of event \(sequence)")
        }
    }
}
