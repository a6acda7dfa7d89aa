package import Consensus
import Crypto
package import Ledger
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
}

/// One whole node with its hands tied: frames and completions in, frames and disk tasks out.
///
/// A turn is any number of inputs and then `endTurn`, which proposes what came in as one entry,
/// applies what was committed and answers what is decided.
package struct Replica {
    package let identity: DiskIdentity
    package let settings: ReplicaSettings
    package internal(set) var consensus: Consensus
    package internal(set) var ledger: Ledger
    package internal(set) var catalogue: Catalogue
    let source: any EntrySource
    let salts: KeyStream
    var leaf = Leaf(hash: SHA256())

    var cache = EntryCache()
    /// The entry that was read back last: answers about one often come in a row.
    var lastRead: Entry?
    /// Bytes read back since the turn began.
    var bytesReadInTurn = 0
    var core = Outcome()
    /// What the log writer still owes, in the order of its tasks.
    var owed: [Completion] = []

    // Leading.
    /// The term that this node leads, once its no-operation entry is in the log.
    var leadership: Term?
    var batch = OpenBatch()
    var submits: [PendingSubmit] = []
    var refusals = RefusedSubmits()
    var commands = PendingCommands()
    var transfer = PendingTransfer()
    var serves = false

    // Reading.
    var queries: [PendingQuery] = []
    var parkedPages: [ParkedPage] = []

    // Reporting.
    var clients: [ClientID] = []
    var sentDirectoryVersion: UInt64 = 0
    var statusDeadline = Instant.zero
    var heardLeaderAt: Instant?

    enum Completion {
        case log(LogMark)
        case vote(DurableVote)
        case nothing
    }

    /// A node as it starts, from what its disk holds. `key` (32 random bytes) is where salts come
    /// from; `seed` keys elections and the index's hash.
    package init(
        identity: DiskIdentity, catalogue: Catalogue, vote: DurableVote,
        source: any EntrySource, settings: ReplicaSettings, key: [UInt8], seed: UInt64,
        now: Instant
    ) throws(ReplicaFailure) {
        precondition(!catalogue.isEmpty, "a log without its genesis entry")
        self.identity = identity
        self.settings = settings
        self.catalogue = catalogue
        self.source = source
        salts = KeyStream(key: key)
        ledger = Ledger(seed: seed)
        var log = LogOutline()
        var index = catalogue.firstIndex
        while index <= catalogue.lastIndex {
            guard let header = catalogue.header(at: index) else { break }
            log.append(
                EntryDescriptor(position: header.position, byteCount: header.byteCount))
            index = index.next
        }
        guard let place = catalogue.place(of: catalogue.firstIndex) else {
            throw .storage("the genesis entry is missing")
        }
        let first = try source.entry(at: place)
        do {
            try ledger.apply(first)
        } catch {
            throw .ledger("\(error)")
        }
        let voters = ledger.genesis?.members.map(\.id) ?? []
        consensus = Consensus(
            id: identity.nodeID, voters: voters, settings: settings.consensus, vote: vote, log: log,
            commitIndex: catalogue.firstIndex, seed: seed, now: now)
    }

    /// When the next turn is due if nothing arrives before.
    package func nextDeadline() -> Instant {
        var deadline = consensus.nextDeadline()
        if !clients.isEmpty { deadline = min(deadline, statusDeadline) }
        for page in parkedPages { deadline = min(deadline, page.deadline) }
        return deadline
    }

    /// The members, as the genesis names them.
    package var members: [Member] { ledger.genesis?.members ?? [] }

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
        guard let mark else { return }
        consensus.logDurable(through: mark, now: now, into: &core)
        carryOut(now: now, into: &outcome)
    }

    /// A frame between nodes, from a peer whose handshake was accepted.
    package mutating func receive(
        _ kind: FrameKind, _ payload: Range<Int>, in bytes: Span<UInt8>, from peer: NodeID,
        now: Instant, into outcome: inout ReplicaOutcome
    ) {
        let received: ConsensusFrames.Received
        do {
            received = try ConsensusFrames.read(kind, payload, bytes)
            try consensus.receive(received.message, from: peer, now: now, into: &core)
        } catch {
            outcome.events.append(.peerRefused(peer, "\(error)"))
            return
        }
        if case .appendRequest(let request) = received.message, request.term == consensus.term {
            heardLeaderAt = now
        }
        carryOut(received.entries, now: now, into: &outcome)
    }

    /// Ends the turn: proposes, applies, answers and reports.
    package mutating func endTurn(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        bytesReadInTurn = 0
        if now >= consensus.nextDeadline() {
            consensus.tick(now: now, into: &core)
            carryOut(now: now, into: &outcome)
        }
        closeBatch(now: now, wall: wall, into: &outcome)
        sealSegment(now: now, wall: wall, into: &outcome)
        applyCommitted(into: &outcome)
        startServing(into: &outcome)
        proposeCommand(now: now, wall: wall, into: &outcome)
        answerSubmits(into: &outcome)
        answerCommands(into: &outcome)
        answerQueries(now: now, into: &outcome)
        reportStatus(now: now, into: &outcome)
        cache.trim(
            settled: min(ledger.applied, consensus.durablePosition.index, consensus.commitIndex))
    }
}
