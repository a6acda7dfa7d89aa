import BugZoo
import Crypto
import Records

/// Everything that recovery learns by reading, and the repairs that follow from it.
struct Inspection<D: Disk> {
    private let disk: D
    private let names: [String]
    private let vote: (record: VoteRecord, copy: Int)
    private let persist: (file: PersistFile, name: String)
    private let tail: TailScan<D>
    let recovered: Recovered

    /// Reads and verifies everything; changes nothing.
    init(
        disk: D, clusterID: Identifier?, heldSegments: Int
    ) throws(RecoveryFailure) {
        self.disk = disk
        names = try recovering { () throws(DiskError) in try disk.list() }
        let identity = try Self.identity(on: disk, names: names, clusterID: clusterID)
        vote = try Self.vote(on: disk, names: names)
        persist = try Self.persist(on: disk, names: names)
        let archive = try Archive(disk: disk, names: names, clusterID: identity.clusterID)
        tail = try TailScan(
            disk: disk, names: archive.tailNames, persist: persist.file,
            into: Catalogue(archive: archive.manifest))
        var catalogue = tail.catalogue
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
        if tail.decision == .cut, let last = tail.last, case .bad(_, _, let defect) = last.end {
            let offset = catalogue.keptByteCount(of: last.name)
            cut = .init(file: last.name, offset: offset, defect: defect)
        }
        recovered = Recovered(
            catalogue: catalogue, vote: vote.record.vote, identity: identity, cut: cut,
            faulty: tail.faulty, damagedCopies: persist.file.damagedCopies,
            voteCounter: vote.record.counter, persistCounter: persist.file.newest.counter,
            state: archive.state, missing: archive.missing)
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

    private static func persist(
        on disk: D, names: [String]
    ) throws(RecoveryFailure) -> (file: PersistFile, name: String) {
        let candidates = [FileName.persist, PersistRecord.newName]
        guard let name = candidates.first(where: names.contains) else {
            throw .corrupt(file: FileName.persist, offset: 0, defect: .missing)
        }
        let bytes = try recovering { () throws(DiskError) in
            try disk.read(name, at: 0, count: PersistRecord.fileSize)
        }
        guard let file = PersistFile(bytes.span) else {
            throw .corrupt(file: name, offset: 0, defect: .persist)
        }
        return (file, name)
    }

    // MARK: - Repairing

    /// Brings the directory into the state that the writer expects, every step durable.
    ///
    /// What this process reads may be in the page cache only: the write, the cut or the rename
    /// that was under way when the last process was killed. So the last segment is cut and written
    /// again, both copies of the vote are, and a rename syncs the directory.
    func repair(settings: LogSettings) throws(DiskError) -> Recovered {
        for name in names where name == FileName.spare || FileName.isUnfinished(name) {
            try disk.remove(name)
        }
        for name in tail.later.reversed() { try disk.remove(name) }
        try repairLastSegment(settings: settings)
        // The copy that was believed goes last: it stays whole until the other one is.
        try vote.record.store(on: disk, first: 1 - vote.copy)
        var repaired = recovered
        repaired.persistCounter = try renewPersistFile()
        return repaired
    }

    private func repairLastSegment(settings: LogSettings) throws(DiskError) {
        guard let last = tail.last else { return }
        let catalogue = recovered.catalogue
        let kept = catalogue.keptByteCount(of: last.name)
        if kept == 0 { try disk.remove(last.name) }
        guard let segment = catalogue.tail.last else { return }
        let name = FileName.segment(segment.firstIndex)
        // Zeros behind the entries: whatever cut the file here was durable before they were.
        let isClean =
            (last.end == .open || PlantedBug.tornTailNotCut.isPlanted) && last.byteCount > kept
            && last.byteCount >= settings.segmentBytes
        if kept > 0, !isClean {
            try disk.resize(name, byteCount: kept)
        }
        if !PlantedBug.pageCacheBelieved.isPlanted { try rewrite(name, byteCount: segment.end) }
        guard !segment.isSealed, !isClean else { return }
        do {
            try disk.writeZeros(to: name, from: segment.end, upTo: settings.segmentBytes)
        } catch {
            // A node starts on a full disk: then entries grow the file, and zeros that do not all
            // fit leave the room to others.
            guard error.code == DiskError.noSpace else { throw error }
            try disk.resize(name, byteCount: segment.end)
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

    /// All records say what was found, and are durable as it is. Returns the last counter.
    ///
    /// The file is renamed away and back: that syncs the directory, whose last change may be in
    /// the cache only.
    private func renewPersistFile() throws(DiskError) -> UInt64 {
        let name = PersistRecord.newName
        if persist.name != name { try disk.rename(persist.name, to: name) }
        let counter = try PersistFile.fill(
            name, after: persist.file.newest.counter, end: recovered.catalogue.end(), on: disk)
        try disk.rename(name, to: FileName.persist)
        return counter
    }
}

extension DiskError {
    /// ENOSPC
    package static let noSpace: Int32 = 28
    /// EEXIST
    package static let exists: Int32 = 17
}
