import Bytes
import Crypto
import EventIndex
import Records
package import SegmentLog

/// What was found of one file.
package struct FileReport: Equatable, Sendable {
    package let file: String
    package let byteCount: Int
    /// What the file is and holds, in a few words.
    package let contents: String
    package let damage: [Damage]

    package init(_ file: String, _ byteCount: Int, _ contents: String, _ damage: [Damage] = []) {
        self.file = file
        self.byteCount = byteCount
        self.contents = contents
        self.damage = damage
    }
}

/// Reads every file of a node's directory and holds it against all that is known of it: checksums,
/// the chain of entries, the digests of the manifest. Changes nothing.
///
/// Beside a running node files come and go; what is not there any more, because the manifest names
/// another, is no damage.
package struct Verification<D: Disk> {
    private let disk: D
    private let isNode: Bool
    private let hash = SHA256()
    /// The last entry of segments that were read to a good end.
    private var ends: [LogIndex: EntryHeader] = [:]
    private var done: Set<String> = []
    private var clusterID: Identifier?

    /// `isNode`: the directory is a node's, which has an identity, a vote and persist records.
    package init(disk: D, isNode: Bool = true) {
        self.disk = disk
        self.isNode = isNode
    }

    /// Shows a report of every file to `report`. Throws what the disk refuses.
    package mutating func run(
        progress: (Int) -> Void, report: (FileReport) -> Void
    ) throws(DiskError) {
        if isNode { try nodeFiles(report) }
        try manifests(report)
        var known: SegmentFiles?
        for _ in 0..<SegmentListing.attempts {
            let files = try SegmentFiles(disk: disk)
            // What was missing is missing when nothing else says so a second time.
            if files == known { break }
            let isLast = try segments(
                files, isSecondLook: known != nil, progress: progress, report: report)
            if isLast { break }
            known = files
        }
        if let known, try SegmentFiles(disk: disk) == known {
            for file in known.segments where !done.contains(file.name) {
                let byteCount = file.descriptor?.byteCount ?? 0
                report(
                    FileReport(
                        file.name, byteCount, "segment",
                        [Damage(0..<byteCount, LogDefect.missing)]))
            }
        }
        if isNode { try durableEnd(report) }
        try states(report)
        try tables(progress, report)
    }

    // MARK: Small files

    private mutating func nodeFiles(_ report: (FileReport) -> Void) throws(DiskError) {
        if let bytes = try disk.contents(of: FileName.identity) {
            let identity = NodeFiles.identity(bytes)
            clusterID = identity?.clusterID
            report(
                FileReport(
                    FileName.identity, bytes.count,
                    identity.map { "node \($0.nodeID) of cluster \($0.clusterID)" } ?? "identity",
                    identity == nil ? [Damage(0..<bytes.count, LogDefect.identity)] : []))
        } else {
            report(
                FileReport(FileName.identity, 0, "identity", [Damage(0..<0, LogDefect.missing)]))
        }
        try copiedFile(FileName.vote, "term and vote", NodeFiles.vote, report)
        try copiedFile(
            FileName.persist, "how far the log was durable", { NodeFiles.persist($0).0 }, report)
    }

    private func copiedFile(
        _ name: String, _ contents: String, _ check: ([UInt8]) -> NodeFiles.Finding,
        _ report: (FileReport) -> Void
    ) throws(DiskError) {
        guard let bytes = try disk.contents(of: name) else {
            report(FileReport(name, 0, contents, [Damage(0..<0, LogDefect.missing)]))
            return
        }
        switch check(bytes) {
        case .good: report(FileReport(name, bytes.count, contents))
        case .copy:
            report(
                FileReport(
                    name, bytes.count, contents + "; a copy is not readable, another one counts"))
        case .damaged(let defect):
            report(
                FileReport(name, bytes.count, contents, [Damage(0..<bytes.count, defect)]))
        }
    }

    /// The log must reach as far as the persist records say that it was durable.
    ///
    /// The record is read first: a log that grows meanwhile reaches further. A truncation takes both
    /// back, so that another look agrees.
    private func durableEnd(_ report: (FileReport) -> Void) throws(DiskError) {
        var missing: (file: String, damage: Damage)?
        for _ in 0..<SegmentBytes.looks {
            guard let bytes = try disk.contents(of: FileName.persist),
                let end = NodeFiles.persist(bytes).1
            else { return }
            let files = try SegmentFiles(disk: disk)
            guard end.position.index > files.manifest?.lastIndex ?? .zero,
                let last = files.segments.last(where: { $0.firstIndex <= end.position.index }),
                !last.isArchived, let bytes = try disk.contents(of: last.name)
            else { return }
            var entries = SegmentEntries(bytes.span, file: last)
            var index = LogIndex.zero
            while let step = entries.next(bytes.span) {
                if case .entry(let entry, _) = step { index = entry.index }
            }
            guard index < end.position.index else { return }
            missing = (
                last.name,
                Damage(
                    min(entries.end, end.offset)..<max(entries.end, end.offset),
                    "entries up to \(end.position.index) were durable here, and end with \(index)")
            )
        }
        guard let missing else { return }
        report(FileReport(missing.file, 0, "the log's end", [missing.damage]))
    }

    private func manifests(_ report: (FileReport) -> Void) throws(DiskError) {
        for copy in 0..<Manifest.copies {
            let name = FileName.manifest(copy)
            guard let bytes = try disk.contents(of: name) else { continue }
            guard let manifest = Manifest(bytes.span, hash) else {
                report(
                    FileReport(
                        name, bytes.count, "manifest",
                        [Damage(0..<bytes.count, LogDefect.manifest)]))
                continue
            }
            var damage: [Damage] = []
            if let clusterID, clusterID != manifest.clusterID {
                damage = [Damage(0..<bytes.count, "of cluster \(manifest.clusterID)")]
            }
            report(
                FileReport(
                    name, bytes.count,
                    "manifest, version \(manifest.version), \(manifest.segments.count) segments",
                    damage))
        }
    }

    private func states(_ report: (FileReport) -> Void) throws(DiskError) {
        let manifest = try Manifest.load(from: disk, hash)
        for segment in (manifest?.segments ?? []).suffix(StateTableFile.keptCount) {
            let name = FileName.state(segment.lastIndex)
            guard let bytes = try disk.contents(of: name) else {
                // A running node removes the older one; a backup has the newest alone.
                if segment == manifest?.segments.last {
                    report(FileReport(name, 0, "state", [Damage(0..<0, LogDefect.missing)]))
                }
                continue
            }
            let isGood = StateTableFile.digest(of: bytes, hash) == segment.stateTable
            report(
                FileReport(
                    name, bytes.count, "state after entry \(segment.lastIndex)",
                    isGood ? [] : [Damage(0..<bytes.count, LogDefect.digest)]))
        }
    }

    private func tables(
        _ progress: (Int) -> Void, _ report: (FileReport) -> Void
    ) throws(DiskError) {
        let piece = 256
        for name in try disk.list() where name.hasSuffix(".index") {
            guard let byteCount = try disk.byteCount(of: name) else { continue }
            do throws(IndexFailure) {
                let table = try IndexTable.load(name, disk: disk)
                var block = 0
                while block < table.blockCount {
                    let end = min(block + piece, table.blockCount)
                    _ = try table.blocks(block..<end, disk: disk)
                    block = end
                }
                report(FileReport(name, byteCount, "index of \(table.rowCount) revisions"))
            } catch {
                // A merge took it away.
                guard try disk.byteCount(of: name) != nil else { continue }
                let reason =
                    if case .damaged(_, let defect) = error { defect.text } else { "\(error)" }
                report(FileReport(name, byteCount, "index", [Damage(0..<byteCount, reason)]))
            }
            progress(byteCount)
        }
    }

    // MARK: Segments

    /// Reads what was not read before; false when a file was not there.
    private mutating func segments(
        _ files: SegmentFiles, isSecondLook: Bool, progress: (Int) -> Void,
        report: (FileReport) -> Void
    ) throws(DiskError) -> Bool {
        if !isSecondLook {
            for name in files.strangers {
                report(FileReport(name, 0, "stranger", [Damage(0..<0, LogDefect.name)]))
            }
        }
        var isWhole = true
        // nil behind a segment whose end is not known.
        var next: LogIndex? = LogIndex(1)
        for file in files.segments {
            if let next, file.firstIndex != next, done.insert(FileName.segment(next)).inserted {
                report(
                    FileReport(
                        FileName.segment(next), 0,
                        "entries \(next) to \(file.firstIndex.previous)",
                        [Damage(0..<0, LogDefect.missing)]))
            }
            if !done.contains(file.name) {
                do {
                    let bytes = try SegmentBytes.read(file, from: disk)
                    done.insert(file.name)
                    report(try verify(file, bytes))
                    progress(bytes.count)
                    try places(of: file, report)
                } catch {
                    guard error.code == DiskError.absent else { throw error }
                    isWhole = false
                }
            }
            next = (file.descriptor?.lastIndex ?? ends[file.firstIndex]?.index)?.next
        }
        return isWhole
    }

    private mutating func verify(
        _ file: SegmentFile, _ bytes: [UInt8]
    ) throws(DiskError) -> FileReport {
        let bytes = bytes.span
        var damage: [Damage] = []
        var count = (entries: 0, records: 0)
        var entries = SegmentEntries(bytes, file: file, expected: expectedHeader(of: file))
        var last: EntryHeader?
        while let step = entries.next(bytes) {
            switch step {
            case .damage(let range, let defect): damage.append(Damage(range, defect))
            case .entry(let entry, let offset):
                last = entry
                count.entries += 1
                count.records += entry.recordCount
                if let defect = Self.recordDefect(entry, at: offset, in: bytes) {
                    damage.append(
                        Damage(offset..<(offset + entry.byteCount), LogDefect.entry(defect)))
                }
            }
        }
        if damage.isEmpty || file.isLast { ends[file.firstIndex] = last ?? ends[file.firstIndex] }
        if let descriptor = file.descriptor {
            damage += try digestDamage(descriptor, after: file.previous, bytes, besides: damage)
        }
        var contents =
            "\(file.isArchived ? "archive" : "tail"), generation \(file.generation), "
            + "\(count.entries) entries, \(count.records) records"
        if let unfinished = entries.unfinished {
            contents +=
                "; \(unfinished.count) bytes at \(unfinished.lowerBound) of a write that was cut, "
                + "or is under way"
        }
        let byteCount = file.isLast && !entries.isSealed ? entries.end : bytes.count
        return FileReport(file.name, byteCount, contents, damage)
    }

    private func expectedHeader(of file: SegmentFile) -> SegmentHeader? {
        if let descriptor = file.descriptor { return descriptor.header(after: file.previous) }
        guard let clusterID else { return nil }
        if file.firstIndex == LogIndex(1) { return SegmentHeader(clusterID: clusterID, after: nil) }
        let before = ends.values.first { $0.index.next == file.firstIndex }
        return before.map { SegmentHeader(clusterID: clusterID, after: $0) }
    }

    private static func recordDefect(
        _ entry: EntryHeader, at offset: Int, in bytes: Span<UInt8>
    ) -> EntryDefect? {
        var events = StoredEvents(entry, at: offset)
        do throws(EntryDefect) {
            while try events.next(bytes) != nil {}
            return nil
        } catch { return error }
    }

    /// The chunks that are not those of the manifest, but for what is known to be damaged already.
    private func digestDamage(
        _ segment: SegmentDescriptor, after previous: SegmentDescriptor?, _ bytes: Span<UInt8>,
        besides known: [Damage]
    ) throws(DiskError) -> [Damage] {
        var hasher = ChunkHasher(hash)
        hasher.update(bytes, in: 0..<bytes.count)
        let found = hasher.finish()
        guard found.root(hash) != segment.digest else { return [] }
        guard found.byteCount == segment.byteCount else {
            return [
                Damage(
                    min(
                        found.byteCount, segment.byteCount)..<max(
                            found.byteCount, segment.byteCount),
                    "\(found.byteCount) bytes, the manifest says \(segment.byteCount)")
            ]
        }
        guard
            let places = try SegmentPlaces.load(segment, after: previous, from: disk, hash)
        else {
            return known.isEmpty ? [Damage(0..<bytes.count, LogDefect.digest)] : []
        }
        let bad = found.chunks.indices.filter { found.chunks[$0] != places.digests.chunks[$0] }
            .map { found.range(of: $0) }
            .filter { range in !known.contains { $0.range.overlaps(range) } }
        return Damage.joining(bad, LogDefect.digest.text)
    }

    private func places(
        of file: SegmentFile, _ report: (FileReport) -> Void
    ) throws(DiskError) {
        guard let segment = file.descriptor,
            let byteCount = try disk.byteCount(of: segment.places)
        else { return }
        let isGood =
            try SegmentPlaces.load(segment, after: file.previous, from: disk, hash) != nil
        report(
            FileReport(
                segment.places, byteCount, "places of \(segment.file)",
                isGood
                    ? []
                    : [Damage(0..<byteCount, "not whole; it is made again from the segment")]))
    }
}
