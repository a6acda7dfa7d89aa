import Compaction
import Crypto
package import EventIndex
import Records
package import SegmentLog

/// Does maintenance tasks on a node's files. Owned by one thread; the only writer of the manifest.
///
/// After an error nothing is known about the file that was written: the process ends, or opens
/// everything anew. Every task may be cut short anywhere and is asked for again after a restart.
package struct Maintainer<D: Disk> {
    let disk: D
    let hash = SHA256()
    package internal(set) var manifest: Manifest
    var tables: IndexTables
    var merge: TableMerge?
    /// Rows that leave the index: those of tables not begun yet, and the rewriting under way.
    var forgetting: (compaction: LogIndex, left: ArraySlice<Sequence>, merge: TableMerge?)?
    /// What was scrubbed last.
    var scrubbing: (segment: SegmentDescriptor, digests: ChunkDigests)?
    /// Bytes of rows that one step of the pass for a compaction handles: about 20 ms of work.
    package var supersededStepBytes = 16 * 1_024 * 1_024
    /// For the outputs that were made last.
    var superseded: SupersededSearch?
    /// For the estimate that was asked for last.
    var estimated: SupersededSearch?
    /// Runs makings at once, each on a disk of its own over the same files, and returns what came of
    /// them in their order; nil where nobody helps this thread.
    package var runTogether: (@Sendable ([SegmentMaking]) -> [Result<MadeSegment, ReadFailure>]?)?
    /// Tables that are to be removed once no pass under way reads them any more.
    var tablesToRemove: [String] = []

    /// Goes on from the manifest that recovery found, and the tables of its index.
    package init(disk: D, manifest: Manifest, tables: IndexTables) {
        self.disk = disk
        self.manifest = manifest
        self.tables = tables
    }

    package mutating func perform(
        _ task: MaintenanceTask
    ) throws(ReadFailure) -> MaintenanceReport {
        switch task {
        case .archive(let segment):
            let table = try archive(segment)
            return .archived(manifest, table)
        case .storeState(let state):
            try onDisk { disk throws(DiskError) in try state.store(on: disk) }
            return .done
        case .survey(let file, let digests, let isResumed):
            let bad = try survey(file, digests)
            if isResumed { try rewrite(file, digests, except: bad) }
            return .surveyed(file: file, bad: bad)
        case .store(let file, let offset, let bytes):
            try onDisk { disk throws(DiskError) in
                if try disk.byteCount(of: file) == nil { try disk.create(file, byteCount: 0) }
                try disk.write([bytes], to: file, at: offset)
            }
            return .stored(file: file)
        case .install(let manifest, let state):
            try install(manifest, state)
            return .installed
        case .describe(let segment, let previous):
            do {
                try segment.describe(after: previous, on: disk)
            } catch {
                // Damaged again since it was mended: whoever reads it next has it mended again.
                guard error.isDamage(of: segment.file) else { throw error }
            }
            return .done
        case .mergeIndex: return try mergeStep()
        case .removeTables(let files):
            tablesToRemove += files
            try removeTables()
            return .done
        case .scrub(let segment, let previous, let chunks):
            return try scrub(segment, after: previous, chunks)
        case .compaction(let task): return .compaction(try perform(task))
        }
    }

    /// The manifest comes last: until it is there the segment is tail, and all of this is done again.
    private mutating func archive(_ segment: SealedSegment) throws(ReadFailure) -> IndexTable? {
        let file = FileName.segment(segment.header.firstIndex)
        var rows: SegmentRows? = SegmentRows(seed: tables.seed)
        let (places, seal) = try SegmentPlaces.make(
            of: file, byteCount: segment.byteCount, header: segment.header, on: disk, rows: &rows)
        guard seal.index == segment.state.seal else {
            throw .corrupt(file: file, offset: segment.byteCount, defect: .unsealed)
        }
        let descriptor = SegmentDescriptor(
            header: segment.header, seal: seal, byteCount: segment.byteCount,
            digest: places.digests.root(hash),
            stateTable: StateTableFile.digest(of: segment.state.bytes, hash))
        var next = manifest
        next.append(descriptor, runs: segment.runs)
        let table = try write(rows, descriptor.firstSequence..<descriptor.nextSequence)
        try onDisk { disk throws(DiskError) in
            try disk.replace(descriptor.places, with: places.encoded)
            try segment.state.store(on: disk)
            try next.store(on: disk, hash)
        }
        manifest = next
        try removeOldStates()
        return table
    }

    private func survey(
        _ file: String, _ digests: ChunkDigests
    ) throws(ReadFailure) -> [Int] {
        let bad = try survey(file, digests, digests.chunks.indices)
        try onDisk { disk throws(DiskError) in
            if bad.isEmpty, try disk.byteCount(of: file) != digests.byteCount {
                try disk.resize(file, byteCount: digests.byteCount)
            }
        }
        return bad
    }

    /// The same bytes again, through to the disk.
    private func rewrite(
        _ file: String, _ digests: ChunkDigests, except bad: [Int]
    ) throws(ReadFailure) {
        try onDisk { disk throws(DiskError) in
            for number in digests.chunks.indices where !bad.contains(number) {
                let range = digests.range(of: number)
                let bytes = try disk.read(file, at: range.lowerBound, count: range.count)
                try disk.write([bytes], to: file, at: range.lowerBound)
            }
        }
    }

    /// Takes over a peer's archive (Raft paper section 7, with files in place of a snapshot).
    ///
    /// The manifest is the one step that counts; nothing is given up before it. It says that the
    /// tail behind it is void, which contradicts what is committed or is not there; the start that
    /// follows removes that (`FetchedFiles.finish`).
    private mutating func install(
        _ next: Manifest, _ state: StateTableFile
    ) throws(ReadFailure) {
        // Those alone that were asked for: beside a segment that this node has, an attempt that was
        // given up may have left a part.
        let fetched = next.segments.filter { !manifest.names($0) }
        var next = next
        next.beginTakeover(from: manifest)
        try onDisk { disk throws(DiskError) in
            try FetchedFiles.verify(fetched, on: disk)
            try state.store(on: disk)
            try next.store(on: disk, hash)
        }
        manifest = next
    }

    private func removeOldStates() throws(ReadFailure) {
        for segment in manifest.segments.dropLast(StateTableFile.keptCount).suffix(2) {
            try onDisk { disk throws(DiskError) in
                let name = FileName.state(segment.lastIndex)
                if try disk.byteCount(of: name) != nil { try disk.remove(name) }
            }
        }
    }

    func onDisk(_ work: (D) throws(DiskError) -> Void) throws(ReadFailure) {
        do { try work(disk) } catch { throw .disk(error) }
    }
}
