import Crypto
import Records

/// Everything that recovery learns by reading, and the repairs that follow from it.
struct Inspection<D: Disk> {
    private let disk: D
    private let names: [String]
    private let vote: (record: VoteRecord, copy: Int)
    let recovered: Recovered
    /// The last segment's file and what its end is; nil when there is no segment.
    private let last: (name: String, byteCount: Int, end: SegmentScan.End)?

    /// Reads and verifies everything; changes nothing.
    init(
        disk: D, clusterID: Identifier?, heldSegments: Int
    ) throws(RecoveryFailure) {
        self.disk = disk
        names = try recovering { () throws(DiskError) in try disk.list() }
        let identity = try Self.identity(on: disk, names: names, clusterID: clusterID)
        vote = try Self.vote(on: disk, names: names)
        let announcement = try Self.announcement(on: disk, names: names)
        let archive = try Archive(disk: disk, names: names, clusterID: identity.clusterID)
        var catalogue = Catalogue(archive: archive.manifest)
        last = try Self.scan(
            disk, names: archive.tailNames, announcement: announcement, into: &catalogue)
        try archive.holdPlaces(of: heldSegments, in: &catalogue)
        // Genesis is written before there is any term; whatever follows is accepted in one.
        if let header = catalogue.lastHeader, header.kind != .genesis,
            header.term > vote.record.vote.term
        {
            throw .corrupt(
                file: FileName.vote, offset: vote.copy * VoteRecord.copyDistance,
                defect: .voteBehindLog(stored: vote.record.vote.term, log: header.term))
        }
        var cut: Recovered.TornTail?
        if let last, case .torn(let defect) = last.end {
            let offset = Self.keptByteCount(of: last.name, in: catalogue)
            cut = .init(file: last.name, offset: offset, defect: defect)
        }
        recovered = Recovered(
            catalogue: catalogue, vote: vote.record.vote, identity: identity, cut: cut,
            voteCounter: vote.record.counter, state: archive.state, missing: archive.missing)
    }

    // MARK: - Reading

    private static func identity(
        on disk: D, names: [String], clusterID: Identifier?
    ) throws(RecoveryFailure) -> DiskIdentity {
        guard names.contains(FileName.identity) else { throw .notInitialized }
        let bytes = try recovering { () throws(DiskError) in
            try disk.read(FileName.identity, at: 0, count: DiskIdentity.encodedSize + 1)
        }
        guard let identity = DiskIdentity(bytes.span) else {
            throw .corrupt(file: FileName.identity, offset: 0, defect: .identity)
        }
        if let clusterID, clusterID != identity.clusterID {
            throw .foreign(expected: clusterID, found: identity.clusterID)
        }
        return identity
    }

    private static func vote(
        on disk: D, names: [String]
    ) throws(RecoveryFailure) -> (record: VoteRecord, copy: Int) {
        guard names.contains(FileName.vote) else {
            throw .corrupt(file: FileName.vote, offset: 0, defect: .missing)
        }
        let bytes = try recovering { () throws(DiskError) in
            try disk.read(FileName.vote, at: 0, count: VoteRecord.fileSize)
        }
        guard let newest = VoteRecord.newest(in: bytes.span) else {
            throw .corrupt(file: FileName.vote, offset: 0, defect: .vote)
        }
        return newest
    }

    private static func announcement(
        on disk: D, names: [String]
    ) throws(RecoveryFailure) -> Announcement? {
        let candidates = [FileName.announcement, Announcement.newName]
        guard let name = candidates.first(where: names.contains) else {
            throw .corrupt(file: FileName.announcement, offset: 0, defect: .missing)
        }
        let bytes = try recovering { () throws(DiskError) in
            try disk.read(name, at: 0, count: Announcement.encodedSize)
        }
        return Announcement(bytes.span)
    }

    /// Twenty digits each, so the names' order is the indexes'.
    private static func scan(
        _ disk: D, names: [String], announcement: Announcement?, into catalogue: inout Catalogue
    ) throws(RecoveryFailure) -> (name: String, byteCount: Int, end: SegmentScan.End)? {
        var last: (name: String, byteCount: Int, end: SegmentScan.End)?
        for name in names {
            let expected = FileName.segment(catalogue.lastIndex.next)
            guard name == expected else {
                throw .corrupt(file: expected, offset: 0, defect: .missing)
            }
            let bytes = try recovering { () throws(DiskError) in
                let byteCount = try disk.byteCount(of: name) ?? 0
                return try disk.read(name, at: 0, count: byteCount)
            }
            let scan = SegmentScan(
                name: name, isLast: name == names.last, announcement: announcement)
            last = (name, bytes.count, try scan.run(bytes.span, into: &catalogue))
        }
        return last
    }

    // MARK: - Repairing

    /// Brings the directory into the state that the writer expects, every step durable.
    ///
    /// What this process reads may be in the page cache only: the write, the cut or the rename
    /// that was under way when the last process was killed. So the last segment is cut and written
    /// again, both copies of the vote are, and a rename syncs the directory.
    func repair(settings: LogSettings) throws(DiskError) {
        for name in names where name == FileName.spare || FileName.isUnfinished(name) {
            try disk.remove(name)
        }
        try repairLastSegment(settings: settings)
        // The copy that was believed goes last: it stays whole until the other one is.
        try vote.record.store(on: disk, first: 1 - vote.copy)
        try clearAnnouncement()
    }

    private func repairLastSegment(settings: LogSettings) throws(DiskError) {
        guard let last else { return }
        let catalogue = recovered.catalogue
        let kept = Self.keptByteCount(of: last.name, in: catalogue)
        if kept == 0 { try disk.remove(last.name) }
        guard let segment = catalogue.tail.last else { return }
        let name = FileName.segment(segment.firstIndex)
        // Zeros behind the entries: whatever cut the file here was durable before they were.
        let isClean =
            last.end == .open && last.byteCount > kept
            && last.byteCount >= settings.segmentBytes
        if kept > 0, !isClean {
            try disk.resize(name, byteCount: kept)
        }
        try rewrite(name, byteCount: segment.end)
        guard !segment.isSealed, !isClean else { return }
        do {
            try disk.writeZeros(to: name, from: segment.end, upTo: settings.segmentBytes)
        } catch {
            // A node starts on a full disk: then entries grow the file.
            guard error.code == DiskError.noSpace else { throw error }
        }
    }

    /// The same bytes again, through to the disk. At most this segment can hold a write that was
    /// under way: its file was made after everything before it was durable.
    private func rewrite(_ name: String, byteCount: Int) throws(DiskError) {
        let chunk = 4 * 1_024 * 1_024
        var offset = 0
        while offset < byteCount {
            let bytes = try disk.read(name, at: offset, count: min(chunk, byteCount - offset))
            try disk.write([bytes], to: name, at: offset)
            offset += bytes.count
        }
    }

    private func clearAnnouncement() throws(DiskError) {
        if names.contains(FileName.announcement) {
            try disk.rename(FileName.announcement, to: Announcement.newName)
        }
        let none = [UInt8](repeating: 0, count: Announcement.encodedSize)
        try disk.write([none], to: Announcement.newName, at: 0)
        try disk.rename(Announcement.newName, to: FileName.announcement)
    }

    /// Bytes of the file up to its last good entry; 0 when it holds none.
    private static func keptByteCount(of name: String, in catalogue: Catalogue) -> Int {
        guard let segment = catalogue.tail.last,
            FileName.segment(segment.firstIndex) == name
        else { return 0 }
        return segment.end
    }
}

extension DiskError {
    /// ENOSPC
    package static let noSpace: Int32 = 28
    /// EEXIST
    package static let exists: Int32 = 17
}
