package import Bytes
import Crypto
package import Records
package import SegmentLog

/// One segment as `segment list` shows it.
package struct SegmentRow: Equatable, Sendable {
    package let file: SegmentFile
    /// Of the file; of an open segment up to the end of its last good entry.
    package let byteCount: Int
    /// SHA-256 of these bytes.
    package let sha256: Digest
    /// The sequence that its first event has, or would have.
    package let firstSequence: Sequence
    /// Behind its last event; the first one where it holds none.
    package let nextSequence: Sequence
    package internal(set) var usage: SegmentUsage
    package let damage: [Damage]
}

/// Reads a whole log and says what is where.
package struct SegmentListing: Equatable, Sendable {
    /// How often everything is read again because files were replaced meanwhile.
    package static let attempts = 5

    package let files: SegmentFiles
    package let rows: [SegmentRow]

    /// `progress` is told of bytes that were read. Throws ENOENT for a segment that is missing and
    /// stays so.
    package init(
        disk: some Disk, seed: RevisionKey.Seed, progress: (Int) -> Void
    ) throws(DiskError) {
        var attempt = 1
        while true {
            let files = try SegmentFiles(disk: disk)
            do {
                rows = try Self.read(files, disk, seed, progress)
                self.files = files
                return
            } catch {
                // A compaction's inputs go once the manifest names its outputs.
                guard error.code == DiskError.absent, attempt < Self.attempts,
                    try SegmentFiles(disk: disk) != files
                else { throw error }
                attempt += 1
            }
        }
    }

    private static func read(
        _ files: SegmentFiles, _ disk: some Disk, _ seed: RevisionKey.Seed,
        _ progress: (Int) -> Void
    ) throws(DiskError) -> [SegmentRow] {
        let hash = SHA256()
        var count = UsageCount(seed: seed)
        var rows: [SegmentRow] = []
        var next = Sequence.zero
        for file in files.segments {
            let bytes = try SegmentBytes.read(file, from: disk)
            let row = read(file, bytes, after: next, &count, hash)
            next = row.nextSequence
            rows.append(row)
            progress(bytes.count)
        }
        for place in rows.indices { rows[place].usage = count.segments[place] }
        return rows
    }

    private static func read(
        _ file: SegmentFile, _ bytes: [UInt8], after next: Sequence, _ count: inout UsageCount,
        _ hash: SHA256
    ) -> SegmentRow {
        let bytes = bytes.span
        var damage: [Damage] = []
        var entries = SegmentEntries(
            bytes, file: file, expected: file.descriptor?.header(after: file.previous))
        var last: EntryHeader?
        count.begin(cut: entries.header?.compaction?.cut)
        while let step = entries.next(bytes) {
            switch step {
            case .damage(let range, let defect): damage.append(Damage(range, defect))
            case .entry(let entry, let offset):
                last = entry
                do throws(EntryDefect) {
                    try count.add(entry, at: offset, in: bytes)
                } catch {
                    damage.append(
                        Damage(offset..<(offset + entry.byteCount), LogDefect.entry(error)))
                }
            }
        }
        let byteCount = file.isLast ? entries.end : bytes.count
        hash.begin()
        hash.update(bytes, in: 0..<byteCount)
        let first = file.descriptor?.firstSequence ?? entries.header?.firstSequence ?? next
        return SegmentRow(
            file: file, byteCount: byteCount, sha256: hash.finishDigest(), firstSequence: first,
            nextSequence: file.descriptor?.nextSequence ?? last?.nextSequence ?? first,
            usage: count.segments[count.segments.count - 1], damage: damage)
    }
}

/// The bytes of a segment beside a node that may be writing it.
package enum SegmentBytes {
    /// How often a segment of the tail that looks damaged is read again.
    package static let looks = 3

    /// All of the file. Throws ENOENT when it is not there.
    ///
    /// A truncation by a new leader replaces entries of the tail: half of the old ones and half of
    /// the new ones look like damage, and another look does not find it again.
    package static func read(
        _ file: SegmentFile, from disk: some Disk
    ) throws(DiskError) -> [UInt8] {
        var bytes = try whole(file.name, disk)
        guard !file.isArchived else { return bytes }
        for _ in 1..<looks where isDamaged(bytes, file) {
            let again = try whole(file.name, disk)
            if again == bytes { break }
            bytes = again
        }
        return bytes
    }

    private static func whole(_ name: String, _ disk: some Disk) throws(DiskError) -> [UInt8] {
        guard let bytes = try disk.contents(of: name) else {
            throw DiskError(operation: "read", file: name, code: DiskError.absent)
        }
        return bytes
    }

    private static func isDamaged(_ bytes: [UInt8], _ file: SegmentFile) -> Bool {
        let bytes = bytes.span
        var entries = SegmentEntries(bytes, file: file)
        while let step = entries.next(bytes) {
            if case .damage = step { return true }
        }
        return false
    }
}
