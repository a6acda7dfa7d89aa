import BugZoo
import Bytes
package import Crypto
package import Records

/// The archive: which segments are sealed, committed and immutable, and by which digests.
///
/// Two copies on disk; of two good ones the one with the higher version is true.
package struct Manifest: Equatable, Sendable {
    // Invariants: segments follow each other without gaps from entry 1 on; terms rise.

    /// The first entry of a term, where terms change.
    package struct TermRun: Equatable, Sendable {
        package let firstIndex: LogIndex
        package let term: Term

        package init(firstIndex: LogIndex, term: Term) {
            self.firstIndex = firstIndex
            self.term = term
        }
    }

    package static let copies = 2
    /// "DAYBKMAN"
    private static let magic: UInt64 = 0x4e41_4d4b_4259_4144
    private static let format: UInt32 = 1

    package let clusterID: Identifier
    /// How often the manifest was written.
    package private(set) var version: UInt64 = 0
    package private(set) var segments: [SegmentDescriptor] = []
    /// Of all entries of the segments.
    package private(set) var termRuns: [TermRun] = []
    /// The entry through which compaction commands have taken effect in `segments`.
    package private(set) var compactedThrough = LogIndex.zero

    /// It was taken over from a peer, and that is not finished: segments behind it, and persist
    /// records, are of the log that it replaced.
    package private(set) var voidsTail = false

    package init(clusterID: Identifier) { self.clusterID = clusterID }

    package var lastIndex: LogIndex { segments.last?.lastIndex ?? .zero }
    package var nextSequence: Sequence { segments.last?.nextSequence ?? .zero }
    /// Bytes of all segments.
    package var byteCount: Int { segments.reduce(0) { $0 + $1.byteCount } }

    /// Adds the segment that follows; `runs` are the changes of term within it, of which a first
    /// one that only goes on with the term before is left out.
    package mutating func append(_ segment: SegmentDescriptor, runs: [TermRun]) {
        precondition(
            segment.firstIndex == lastIndex.next && segment.firstSequence == nextSequence,
            "segment \(segment.firstIndex) does not follow \(lastIndex)")
        segments.append(segment)
        for run in runs where run.term != termRuns.last?.term { termRuns.append(run) }
        version += 1
    }

    /// Puts compacted segments in the place of those with the same first entries.
    package mutating func replace(with outputs: [SegmentDescriptor], through index: LogIndex) {
        for output in outputs {
            let place = segments.firstPosition { $0.firstIndex >= output.firstIndex }
            precondition(
                place < segments.count && segments[place].firstIndex == output.firstIndex
                    && segments[place].lastIndex == output.lastIndex,
                "no segment \(output.firstIndex)...\(output.lastIndex) to replace")
            segments[place] = output
        }
        compactedThrough = max(compactedThrough, index)
        version += 1
    }

    /// Makes this, which a peer sent, the manifest after `own`.
    package mutating func beginTakeover(from own: Manifest) {
        version = max(version, own.version) + 1
        voidsTail = !PlantedBug.takeoverKeepsTail.isPlanted
    }

    mutating func endTakeover() {
        version += 1
        voidsTail = false
    }

    /// The end of the archive in the words of a persist record.
    func end(isTruncation: Bool) -> DurableEnd {
        guard let last = segments.last else { return .none }
        return DurableEnd(
            position: last.seal.position, checksum: last.seal.checksum, segment: last.firstIndex,
            offset: last.byteCount, isTruncation: isTruncation)
    }

    /// The place in `segments` of the one that holds the entry.
    package func place(holding index: LogIndex) -> Int? {
        guard index > .zero, index <= lastIndex else { return nil }
        return segments.firstPosition { $0.firstIndex > index } - 1
    }

    /// Whether the segment is in this archive too, with the same bytes.
    package func names(_ segment: SegmentDescriptor) -> Bool {
        guard let place = place(holding: segment.firstIndex) else { return false }
        return segments[place].firstIndex == segment.firstIndex
            && segments[place].digest == segment.digest
    }

    /// The place in `segments` of the one that holds the event.
    package func place(holding sequence: Sequence) -> Int? {
        guard sequence < nextSequence else { return nil }
        return segments.firstPosition { $0.nextSequence > sequence }
    }

    // MARK: - Bytes

    /// Reads and verifies a copy; nil when it is not whole.
    package init?(_ bytes: Span<UInt8>, _ hash: SHA256) {
        let end = bytes.count - Digest.byteCount
        guard end >= 56, bytes.littleEndian(UInt64.self, at: 0) == Self.magic,
            bytes.littleEndian(UInt32.self, at: 8) == Self.format
        else { return nil }
        hash.begin()
        hash.update(bytes, in: 0..<end)
        guard hash.finishDigest() == Digest(bytes, at: end) else { return nil }
        self.init(clusterID: Identifier(bytes, at: 16))
        voidsTail = bytes.littleEndian(UInt32.self, at: 12) & 1 == 1
        var cursor = ByteCursor(32..<end)
        do {
            version = try cursor.integer(bytes)
            compactedThrough = LogIndex(try cursor.integer(bytes))
            for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
                let segment = try SegmentDescriptor(&cursor, bytes)
                guard segment.firstIndex == lastIndex.next,
                    segment.firstSequence == nextSequence
                else { return nil }
                segments.append(segment)
            }
            for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
                let first = LogIndex(try cursor.integer(bytes))
                termRuns.append(
                    TermRun(firstIndex: first, term: Term(try cursor.integer(bytes))))
            }
            try cursor.finish()
        } catch { return nil }
    }

    package func encoded(_ hash: SHA256) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Self.magic)
        bytes.append(littleEndian: Self.format)
        bytes.append(littleEndian: UInt32(voidsTail ? 1 : 0))
        clusterID.append(to: &bytes)
        bytes.append(littleEndian: version)
        bytes.append(littleEndian: compactedThrough.value)
        bytes.append(littleEndian: UInt32(segments.count))
        for segment in segments { segment.append(to: &bytes) }
        bytes.append(littleEndian: UInt32(termRuns.count))
        for run in termRuns {
            bytes.append(littleEndian: run.firstIndex.value)
            bytes.append(littleEndian: run.term.value)
        }
        hash.begin()
        hash.update(bytes)
        hash.finishDigest().append(to: &bytes)
        return bytes
    }
}

// MARK: - On the disk

extension Manifest {
    /// Writes both copies, one after the other: one is whole at any moment. Durable on return.
    package func store(on disk: some Disk, _ hash: SHA256) throws(DiskError) {
        let bytes = encoded(hash)
        if PlantedBug.manifestInPlace.isPlanted { return try overwrite(with: bytes, on: disk) }
        for copy in 0..<Self.copies {
            try disk.replace(FileName.manifest(copy), with: bytes)
        }
    }

    /// The one copy of `PlantedBug.manifestInPlace`.
    private func overwrite(with bytes: [UInt8], on disk: some Disk) throws(DiskError) {
        let name = FileName.manifest(0)
        if try disk.byteCount(of: name) == nil { try disk.create(name, byteCount: 0) }
        try disk.write([bytes], to: name, at: 0)
        try disk.resize(name, byteCount: bytes.count)
    }

    /// The newest whole copy; nil when neither is there or neither is whole.
    package static func load(
        from disk: some Disk, _ hash: SHA256
    ) throws(DiskError) -> Manifest? {
        var newest: Manifest?
        for copy in 0..<copies {
            guard let bytes = try disk.contents(of: FileName.manifest(copy)),
                let manifest = Manifest(bytes.span, hash)
            else { continue }
            if let known = newest, known.version >= manifest.version { continue }
            newest = manifest
        }
        return newest
    }
}

extension Disk {
    /// All bytes of a file; nil when there is none.
    package func contents(of name: String) throws(DiskError) -> [UInt8]? {
        guard let byteCount = try byteCount(of: name) else { return nil }
        return try read(name, at: 0, count: byteCount)
    }

    /// Gives the file these contents, or leaves it as it was: written beside it, then renamed.
    /// Durable on return. What a crash left of an earlier attempt is replaced.
    package func replace(_ name: String, with bytes: [UInt8]) throws(DiskError) {
        let new = name + FileName.newSuffix
        if try byteCount(of: new) != nil { try remove(new) }
        try create(new, byteCount: 0)
        try write([bytes], to: new, at: 0)
        try rename(new, to: name)
    }
}
