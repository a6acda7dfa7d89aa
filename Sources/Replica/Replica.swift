import Bytes
package import Consensus
import Crypto
package import EventIndex
package import Ledger
import Maintenance
package import PeerWire
package import Records
package import SegmentLog

// Invariants:
// - catalogue, cache and the consensus core agree on where the log ends
// - the ledger's overlay is empty unless this node leads and has applied an entry of its own term
// - an open batch has the index after the log's last, and its events are in the overlay
// - nothing is answered before what it rests on is committed and applied

/// Reads entries back from this node's files; a seam where the call already costs a syscall.
package protocol EntrySource {
    func entry(at place: Place) throws(ReplicaFailure) -> Entry

    /// The places of a segment of the archive; `place` counts those of the manifest.
    func places(of place: Int, in manifest: Manifest) throws(ReplicaFailure) -> SegmentCatalogue

    /// What a filter needs to know to pass a segment of the archive by; nil when that is not known.
    func summary(of place: Int, in manifest: Manifest) throws(ReplicaFailure) -> SegmentSummary?

    /// The chunk digests of a segment of the archive.
    func digests(of place: Int, in manifest: Manifest) throws(ReplicaFailure) -> ChunkDigests

    /// Bytes of a file (nil range: all of them); nil when there is no such file.
    func contents(of file: String, range: Range<Int>?) throws(ReplicaFailure) -> [UInt8]?
}

extension EntrySource {
    /// An entry of the archive.
    package func archivedEntry(
        at index: LogIndex, in manifest: Manifest
    ) throws(ReplicaFailure) -> Entry {
        guard let place = manifest.place(holding: index) else {
            preconditionFailure("entry \(index) is not archived")
        }
        let places = try places(of: place, in: manifest)
        return try entry(at: places.place(of: index, term: manifest.term(at: index)))
    }
}

/// One whole node with its hands tied: frames and completions in, frames and disk tasks out.
///
/// A turn is any number of inputs and then `endTurn`, which proposes what came in as one entry,
/// applies what was committed and answers what is decided.
package struct Replica {
    package let identity: DiskIdentity
    package internal(set) var settings: ReplicaSettings
    package internal(set) var consensus: Consensus
    package internal(set) var ledger: Ledger
    package internal(set) var catalogue: Catalogue
    let source: any EntrySource
    let index: any ArchiveIndex
    /// The maintainer is at a merge of index tables, or will be.
    var isMergingIndex = false
    let salts: KeyStream
    let hash = SHA256()
    var leaf = Leaf(hash: SHA256())

    var cache = EntryCache()
    /// The entry that was read back last: answers about one often come in a row.
    var lastRead: Entry?
    /// The record of it, or of another entry, that was looked for last.
    var lastRecord: (entry: LogIndex, sequence: Sequence, offset: Int)?
    /// Bytes read back since the turn began.
    var bytesReadInTurn = 0
    var core = Outcome()
    /// What the log writer still owes, in the order of its tasks.
    var owed: [Completion] = []

    /// Sealed segments whose SEAL is applied and not yet known to be on this node's disk.
    var toArchive: [SealedSegment] = []

    // Fetching what this node lacks from peers.
    var fetcher: Fetcher
    /// One after the other.
    var transfers: [SegmentTransfer] = []
    var installation: Installation? {
        didSet { if installation == nil { compacting.fetchedLeft = catalogue.lastIndex } }
    }
    var repairs = ArchiveRepair()
    var scrub: Scrub

    var compacting = Compacting()

    // Leading.
    /// The term that this node leads, once its no-operation entry is in the log.
    var leadership: Term?
    var batch = OpenBatch()
    var submits: [PendingSubmit] = []
    var refusals = RefusedSubmits()
    var commands = PendingCommands()
    /// Uses of sessions that wait to be recorded, the newest of each session.
    var sessionUses: [TokenID: Timestamp] = [:]
    var mailing = PendingMail()
    var transfer = PendingTransfer()
    var seals = PendingSeals()
    var pendingMembers = PendingMembers()
    package internal(set) var serves = false

    // Reading.
    var queries: [PendingQuery] = []
    var parkedPages: [ParkedPage] = []

    // Reporting.
    var clients: [ClientID] = []
    var sentDirectoryVersion: UInt64 = 0
    var statusDeadline = Instant.zero
    var heardLeaderAt: Instant?
    var freshness = Freshness()
    var disks = DiskWatch()

    enum Completion {
        case log(LogMark)
        case vote(DurableVote)
        case nothing
    }

    /// A node as it starts, from what its disk holds: the state at the newest SEAL whose table is
    /// whole, or the genesis; entries after it are applied in the first turns. `index` has tables
    /// of the whole archive. `key` (32 random bytes) is where salts come from; `seed` is for
    /// elections.
    package init(
        recovered: Recovered, source: any EntrySource, index: any ArchiveIndex,
        settings: ReplicaSettings, key: [UInt8], seed: UInt64, now: Instant
    ) throws(ReplicaFailure) {
        let catalogue = recovered.catalogue
        precondition(!catalogue.isEmpty, "a log without its genesis entry")
        identity = recovered.identity
        self.settings = settings
        self.catalogue = catalogue
        self.source = source
        self.index = index
        salts = KeyStream(key: key)
        fetcher = Fetcher(
            bytesPerSecond: settings.fetchBytesPerSecond,
            answerNanoseconds: settings.consensus.electionTimeoutNanoseconds, seed: seed)
        scrub = Scrub(settings, seed: seed, now: now)
        repairs.found = recovered.missing.map(\.firstIndex)
        compacting.fetchedLeft = catalogue.lastIndex
        ledger = try Self.ledger(recovered, source, index)
        let base = catalogue.firstHeldIndex.previous
        var log = LogOutline(
            base: LogPosition(term: catalogue.term(at: base) ?? .zero, index: base))
        pendingMembers.unapplied = try Self.memberships(
            after: ledger.applied, in: catalogue, source)
        let isBehind = { (change: PendingMembers.Unapplied) in change.index <= base }
        let atBase = Configuration(
            Membership(
                members: pendingMembers.unapplied.last(where: isBehind)?.rows
                    ?? ledger.membership.rows))
        var next = base.next
        while next <= catalogue.lastIndex {
            guard let header = catalogue.header(at: next) else { break }
            let rows = pendingMembers.unapplied.first { $0.index == next }?.rows
            log.append(
                EntryDescriptor(
                    position: header.position, byteCount: header.byteCount,
                    configuration: rows.map { Configuration(Membership(members: $0)) }))
            next = next.next
        }
        consensus = Consensus(
            id: identity.nodeID, voters: atBase.voters, learners: atBase.learners,
            settings: settings.consensus,
            vote: recovered.vote, log: log,
            commitIndex: max(LogIndex(1), catalogue.archive.lastIndex), seed: seed, now: now)
    }

    private static func ledger(
        _ recovered: Recovered, _ source: any EntrySource, _ index: any ArchiveIndex
    ) throws(ReplicaFailure) -> Ledger {
        if let state = recovered.state {
            return try StateTable.decode(
                state, clusterID: recovered.identity.clusterID, index: index)
        }
        var ledger = Ledger(seed: index.seed, archive: index)
        let first = LogIndex(1)
        let genesis =
            if let place = recovered.catalogue.place(of: first) {
                try source.entry(at: place)
            } else {
                try source.archivedEntry(at: first, in: recovered.catalogue.archive)
            }
        do { try ledger.apply(genesis) } catch { throw .ledger("\(error)") }
        return ledger
    }

    /// When the next turn is due if nothing arrives before.
    package func nextDeadline() -> Instant {
        var deadline = consensus.nextDeadline()
        if !clients.isEmpty { deadline = min(deadline, statusDeadline) }
        for page in parkedPages { deadline = min(deadline, page.deadline) }
        deadline = min(
            deadline, fetcher.deadline, compacting.deadline, repairs.deadline, memberDeadline)
        if installation == nil { deadline = min(deadline, scrub.deadline) }
        if let mail = mailing.deadline { deadline = min(deadline, mail) }
        return deadline
    }

    /// The members of the newest entry in the log, and where they are reached.
    package var members: [Member] {
        memberRows.map { Member(id: $0.id, address: $0.address) }
    }

    // MARK: Inputs

    /// The log writer has done the next `count` tasks, durably.
    package mutating func written(
        _ count: Int, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        precondition(count <= owed.count, "\(count) tasks done, \(owed.count) were owed")
        var mark: LogMark?
        for completion in owed.prefix(count) {
            switch completion {
            case .log(let written): mark = written
            case .vote(let vote):
                consensus.voteDurable(vote, now: now, into: &core)
                carryOut(now: now, into: &outcome)
            case .nothing: break
            }
        }
        owed.removeFirst(count)
        advanceInstallation(into: &outcome)
        guard let mark else { return }
        consensus.logDurable(through: mark, now: now, into: &core)
        carryOut(now: now, into: &outcome)
    }

    /// A frame between nodes, from a peer whose handshake was accepted; `disk` is the one that it
    /// named there.
    package mutating func receive(
        _ kind: FrameKind, _ payload: Range<Int>, in bytes: Span<UInt8>, from peer: NodeID,
        disk: Identifier = .unknown, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        if kind.isAnswer, !isTrusted(peer, disk: disk) { return }
        if kind == .voteRequest, isUnnamed { return }
        if kind == .compactionReport {
            return receiveReport(payload, bytes, from: peer, into: &outcome)
        }
        if kind == .fetch || kind == .fetched {
            return receiveFetch(kind, payload, bytes, from: peer, now: now, into: &outcome)
        }
        var received: ConsensusFrames.Received
        do {
            if kind == .nodeHealth {
                var cursor = ByteCursor(payload)
                let disk = try DiskSpace(&cursor, bytes)
                try cursor.finish()
                return disks.note(disk, of: peer, now: now)
            }
            received = try ConsensusFrames.read(kind, payload, bytes)
            if installation?.isSwapping == true
                || isFull(for: received.entries.reduce(0) { $0 + $1.header.byteCount })
            {
                received.dropEntries()
            }
            try consensus.receive(received.message, from: peer, now: now, into: &core)
        } catch {
            outcome.events.append(.peerRefused(peer, "\(error)"))
            return
        }
        if case .appendRequest(let request) = received.message, request.term == consensus.term {
            heardLeaderAt = now
            freshness.heard(commit: request.commit, at: now)
        }
        carryOut(received.entries, now: now, into: &outcome)
    }

    /// Ends the turn: proposes, applies, answers and reports.
    package mutating func endTurn(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        bytesReadInTurn = 0
        if isUnnamed { consensus.retire() }
        if now >= consensus.nextDeadline() {
            consensus.tick(now: now, into: &core)
            carryOut(now: now, into: &outcome)
        }
        closeBatch(now: now, wall: wall, into: &outcome)
        sealSegment(now: now, wall: wall, into: &outcome)
        applyCommitted(into: &outcome)
        freshness.applied(ledger.applied)
        settleMembers()
        archiveDurable(into: &outcome)
        reportDirectory(into: &outcome)
        startServing(into: &outcome)
        proposeSessionUses(now: now, wall: wall, into: &outcome)
        proposeMail(now: now, wall: wall, into: &outcome)
        proposeCommand(now: now, wall: wall, into: &outcome)
        answerSubmits(into: &outcome)
        answerSeals(into: &outcome)
        advanceMembers(now: now, wall: wall, into: &outcome)
        answerCommands(now: now, into: &outcome)
        answerQueries(now: now, into: &outcome)
        compact(now: now, wall: wall, into: &outcome)
        repairArchive(now: now, wall: wall, into: &outcome)
        sendFetches(now: now, into: &outcome)
        reportStatus(now: now, into: &outcome)
        cache.trim(
            settled: min(ledger.applied, consensus.durablePosition.index, consensus.commitIndex))
    }
}
