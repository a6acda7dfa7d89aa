package import Records

/// A log's directory as a whole: made once, opened at every start.
package enum LogDirectory {
    /// Makes an empty log in the directory. Durable on return.
    ///
    /// The identity comes last: without it nothing here counts, and this may be called again. Throws
    /// EEXIST when a log, or what is left of one, is here already.
    package static func initialize(
        disk: some Disk, identity: DiskIdentity
    ) throws(DiskError) {
        try removeLeftovers(on: disk)
        try disk.create(FileName.vote, byteCount: VoteRecord.fileSize)
        let vote = VoteRecord(counter: 1, vote: DurableVote(term: .zero, votedFor: nil))
        try vote.store(on: disk)
        try PersistFile.make(on: disk)
        try disk.create(FileName.newIdentity, byteCount: DiskIdentity.encodedSize)
        try disk.write([identity.encoded], to: FileName.newIdentity, at: 0)
        try disk.rename(FileName.newIdentity, to: FileName.identity)
    }

    /// Makes the directory of a log whose archive is written already, with the state table of its
    /// last SEAL. Durable on return; without the identity, which comes last, nothing here counts.
    package static func initialize(
        disk: some Disk, identity: DiskIdentity, archive: Manifest
    ) throws(DiskError) {
        guard let end = archive.segments.last?.seal else {
            preconditionFailure("an archive without a segment")
        }
        try disk.create(FileName.vote, byteCount: VoteRecord.fileSize)
        let vote = VoteRecord(counter: 1, vote: DurableVote(term: end.term, votedFor: nil))
        try vote.store(on: disk)
        try PersistFile.make(on: disk)
        try PersistFile.fill(
            FileName.persist, after: UInt64(PersistRecord.slots),
            end: archive.end(isTruncation: false), on: disk)
        try disk.create(FileName.newIdentity, byteCount: DiskIdentity.encodedSize)
        try disk.write([identity.encoded], to: FileName.newIdentity, at: 0)
        try disk.rename(FileName.newIdentity, to: FileName.identity)
    }

    /// Removes what an `initialize` that was cut short may have left, and refuses anything more.
    private static func removeLeftovers(on disk: some Disk) throws(DiskError) {
        let names = try disk.list()
        let taken = names.first { name in
            name == FileName.identity || name.hasSuffix(FileName.segmentSuffix)
        }
        if let taken {
            throw DiskError(operation: "initialize", file: taken, code: DiskError.exists)
        }
        if names.contains(FileName.vote) {
            let bytes = try disk.read(FileName.vote, at: 0, count: VoteRecord.fileSize)
            if let known = VoteRecord.newest(in: bytes.span), known.record.vote.term > .zero {
                throw DiskError(
                    operation: "initialize", file: FileName.vote, code: DiskError.exists)
            }
        }
        for name in [FileName.vote, FileName.persist, FileName.newIdentity]
        where names.contains(name) {
            try disk.remove(name)
        }
    }

    /// Reads and verifies everything, and changes nothing.
    ///
    /// `clusterID`: the cluster that the directory must belong to; nil takes what it says.
    package static func inspect(
        disk: some Disk, clusterID: Identifier? = nil
    ) throws(RecoveryFailure) -> Recovered {
        try Inspection(disk: disk, clusterID: clusterID, heldSegments: 0).recovered
    }

    /// Opens the log: verifies everything, cuts what is torn, and makes durable what it returns.
    ///
    /// Throws before it changes anything when something durable is damaged: `.faulty` when other
    /// nodes may have it. May be cut short anywhere and run again.
    package static func recover(
        disk: some Disk, clusterID: Identifier? = nil, settings: LogSettings = LogSettings()
    ) throws(RecoveryFailure) -> Recovered {
        try recovering { () throws(DiskError) in try FetchedFiles.finish(on: disk) }
        let inspection = try Inspection(
            disk: disk, clusterID: clusterID, heldSegments: settings.heldSegments)
        if let faulty = inspection.recovered.faulty { throw .faulty(faulty) }
        do { return try inspection.repair(settings: settings) } catch { throw .disk(error) }
    }
}

/// What a log's directory holds.
package struct Recovered: Equatable, Sendable {
    /// The end of a write that a crash cut, dropped: it was never acknowledged.
    package struct TornTail: Equatable, Sendable {
        package let file: String
        package let offset: Int
        package let defect: LogDefect
    }

    package let catalogue: Catalogue
    package let vote: DurableVote
    package let identity: DiskIdentity
    package let cut: TornTail?
    /// Something that was durable and is damaged; the catalogue ends before it.
    package let faulty: FaultyTail?
    /// Copies of persist records that are damaged, each the lesser half of two. Made good by
    /// `recover`.
    package let damagedCopies: Int
    let voteCounter: UInt64
    /// Of the newest persist record.
    package var persistCounter: UInt64
    /// The newest state table that is whole; nil: the log is applied from its first entry on.
    package let state: StateTableFile?
    /// Archived segments whose files are not there, or not of their length.
    package let missing: [SegmentDescriptor]
}
