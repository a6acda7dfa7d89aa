package import Bytes
import Crypto
import Ledger
package import Records
import Replica
import SegmentInspection
package import SegmentLog

// Invariants:
// - what is written depends on the backup, the genesis and the options alone: every member of the new
//   cluster makes the same log of them
// - entries of the parent are taken over bit by bit, but for the one that `until` cuts in two
// - the identity is not written here: until it is there, nothing that was written counts

/// Makes the log of a new cluster out of a backup of another one.
///
/// Segments keep the parent's cluster id and entries, so leaves stay what they were; only the state
/// table behind the last SEAL knows the new cluster. Two entries are added in front of that SEAL: an
/// administrative event that names the parent, and the SEAL itself.
package struct Restoration<Source: Disk, Target: Disk> {
    private let source: Source
    private let target: Target
    private let genesisEntry: Entry
    private let genesis: Genesis
    private let until: Sequence?
    private let keepsTokens: Bool
    private let hash = SHA256()

    /// `genesisEntry` founds the new cluster; `until`: events from this sequence on are left out.
    package init(
        from source: Source, to target: Target, founding genesisEntry: Entry, until: Sequence?,
        keepsTokens: Bool
    ) throws(ByteDefect) {
        self.source = source
        self.target = target
        self.genesisEntry = genesisEntry
        genesis = try Genesis(genesisEntry)
        self.until = until
        self.keepsTokens = keepsTokens
    }

    /// Writes segments, state table and manifest. `progress` is told of bytes that were read.
    package func run(progress: (Int) -> Void) throws(RestorationFailure) -> Restored {
        let files = try reading { () throws(DiskError) in try SegmentFiles(disk: source) }
        guard let parent = files.manifest, let last = parent.segments.last else {
            throw .noBackup
        }
        guard parent.clusterID != genesis.clusterID else { throw .sameCluster }
        if let until, until > parent.nextSequence { throw .beyondEnd(parent.nextSequence) }
        var ledger = try ledger(at: last, of: parent)
        var manifest = Manifest(clusterID: genesis.clusterID)
        var open: OpenSegment?
        for file in files.segments {
            guard let descriptor = file.descriptor, open == nil else { break }
            let bytes = try segment(file, descriptor)
            progress(bytes.count)
            if let until, descriptor.nextSequence > until {
                open = try cut(bytes, file, descriptor, at: until)
            } else {
                try write(bytes, to: descriptor.file)
                manifest.append(descriptor, runs: runs(of: descriptor, in: parent))
            }
        }
        var end =
            open
            ?? OpenSegment(
                header: SegmentHeader(
                    clusterID: genesis.clusterID, after: manifest.segments.last?.seal),
                before: manifest.segments.last?.seal)
        let size = end.nextSequence
        end.append(founding(parent: parent, state: last.stateTable, after: end))
        end.seal(term: end.term)
        let seal = end.last ?? last.seal
        ledger.found(
            genesis, on: seal, segmentCount: manifest.segments.count + 1,
            keepsTokens: keepsTokens)
        let state = StateTableFile(
            seal: seal.index, bytes: StateTable.encode(ledger, clusterID: genesis.clusterID))
        let descriptor = end.descriptor(state: state, hash)
        try write(end.encoded, to: descriptor.file)
        manifest.append(descriptor, runs: end.runs)
        try writing { () throws(DiskError) in
            try state.store(on: target)
            try manifest.store(on: target, hash)
        }
        return Restored(
            manifest: manifest, parent: parent.clusterID, size: size,
            parentState: last.stateTable)
    }

    // MARK: - The parent

    private func ledger(
        at last: SegmentDescriptor, of parent: Manifest
    ) throws(RestorationFailure) -> Ledger {
        let stored = try reading { () throws(DiskError) in
            try StateTableFile.load(last, from: source, hash)
        }
        guard let stored,
            let ledger = try? StateTable.decode(stored, clusterID: parent.clusterID, index: nil)
        else { throw .noState(file: FileName.state(last.lastIndex)) }
        return ledger
    }

    /// The bytes of an archived segment, which are those that the manifest names.
    private func segment(
        _ file: SegmentFile, _ descriptor: SegmentDescriptor
    ) throws(RestorationFailure) -> [UInt8] {
        let bytes = try reading { () throws(DiskError) in try source.contents(of: file.name) }
        guard let bytes else {
            throw .damaged(file: file.name, offset: 0, reason: LogDefect.missing.text)
        }
        var hasher = ChunkHasher(hash)
        hasher.update(bytes.span, in: 0..<bytes.count)
        if hasher.finish().root(hash) == descriptor.digest { return bytes }
        var entries = SegmentEntries(
            bytes.span, file: file, expected: descriptor.header(after: file.previous))
        while let step = entries.next(bytes.span) {
            if case .damage(let range, let defect) = step {
                throw .damaged(file: file.name, offset: range.lowerBound, reason: defect.text)
            }
        }
        throw .damaged(file: file.name, offset: 0, reason: LogDefect.digest.text)
    }

    /// The entries of the segment up to the one that holds `until`, and of that one the events
    /// below it.
    private func cut(
        _ bytes: [UInt8], _ file: SegmentFile, _ descriptor: SegmentDescriptor,
        at until: Sequence
    ) throws(RestorationFailure) -> OpenSegment {
        let header = descriptor.header(after: file.previous)
        var open = OpenSegment(header: header, before: file.previous?.seal)
        var entries = SegmentEntries(bytes.span, file: file, expected: header)
        while case .entry(let entry, let offset) = entries.next(bytes.span) {
            guard entry.kind != .seal, entry.firstSequence < until || entry.recordCount == 0
            else { break }
            if entry.nextSequence <= until {
                open.append(
                    entry, Array(bytes[offset..<(offset + entry.byteCount)]))
                continue
            }
            open.append(
                try firstEvents(
                    of: entry, at: offset, in: bytes, file,
                    count: Int(until.value - entry.firstSequence.value), after: open))
            break
        }
        return open
    }

    private func firstEvents(
        of entry: EntryHeader, at offset: Int, in bytes: [UInt8], _ file: SegmentFile, count: Int,
        after open: OpenSegment
    ) throws(RestorationFailure) -> Entry {
        let start = offset + entry.bodyRange.lowerBound
        var end = start
        do throws(EntryDefect) {
            for _ in 0..<count {
                end += try RecordView.byteCount(
                    bytes.span, at: end, end: offset + entry.bodyRange.upperBound)
            }
        } catch {
            throw .damaged(file: file.name, offset: end, reason: LogDefect.entry(error).text)
        }
        return Entry(
            kind: entry.kind, term: entry.term, after: open.last ?? open.before,
            recordCount: count, timestamp: entry.timestamp, body: Array(bytes[start..<end]))
    }

    private func runs(of segment: SegmentDescriptor, in parent: Manifest) -> [Manifest.TermRun] {
        let first = Manifest.TermRun(
            firstIndex: segment.firstIndex, term: parent.term(at: segment.firstIndex))
        return [first]
            + parent.termRuns.filter {
                $0.firstIndex > segment.firstIndex && $0.firstIndex <= segment.lastIndex
            }
    }

    // MARK: - The new cluster

    /// The first event of the new cluster: which log it continues, and that its administrator's token
    /// is made.
    private func founding(
        parent: Manifest, state: Digest, after end: OpenSegment
    ) -> Entry {
        let details =
            "{\"parent_cluster_id\":\"\(parent.clusterID)\",\"parent_size\":\(end.nextSequence),"
            + "\"parent_state_sha256\":\"\(state)\",\"tokens_kept\":\(keepsTokens)}"
        let author = genesis.administrator.id
        var body: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "cluster-restored", subject: "\(genesis.clusterID)",
            details: Array(details.utf8), application: "", writtenBy: author.description,
            to: &body)
        // Every member makes this entry by itself: the salt follows from what they all have.
        hash.begin()
        hash.update(genesisEntry.bytes)
        hash.update(Array(details.utf8))
        RecordEncoder.decide(
            revision: Revision(1), salts: KeyStream(key: hash.finish()), at: 0, in: &body)
        DirectoryCommand(
            request: genesis.clusterID, author: author,
            change: .createToken(genesis.administrator)
        ).append(to: &body)
        return Entry(
            kind: .directory, term: end.term, after: end.last ?? end.before, recordCount: 1,
            timestamp: max(genesisEntry.header.timestamp, end.nextTimestamp), body: body)
    }

    // MARK: - Disks

    private func write(_ bytes: [UInt8], to file: String) throws(RestorationFailure) {
        try writing { () throws(DiskError) in
            try target.create(file, byteCount: 0)
            try target.write([bytes], to: file, at: 0)
        }
    }

    private func reading<Value>(
        _ work: () throws(DiskError) -> Value
    ) throws(RestorationFailure) -> Value {
        do { return try work() } catch { throw .source(error) }
    }

    private func writing<Value>(
        _ work: () throws(DiskError) -> Value
    ) throws(RestorationFailure) -> Value {
        do { return try work() } catch { throw .target(error) }
    }
}
