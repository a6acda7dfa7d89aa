import Bytes
package import PeerWire
package import Records
package import SegmentLog

// Invariants:
// - nothing is written before the whole chain of entries is here, from the last one down to what
//   this node has; each names the checksum of the one before it
// - an entry that this node had is given up only when it cannot have been committed
// - while its tail is damaged this node promises nothing and acknowledges nothing

/// Makes a faulty tail whole with what peers have, before there is a Replica.
///
/// The persist record, or a later segment, names the last entry by index and checksum; a good entry
/// names the one before it. So every entry is asked for by a checksum that this node can hold the
/// answer against, backwards. (After "Protocol-Aware Recovery for Consensus-Based Storage", FAST
/// 2018, section 3.3; there the leader decides what was committed, here whoever lacks an entry asks
/// all voters.)
///
/// An entry is given up when every other voter says that it does not have it, or a majority that
/// has promised later terms does: no leader counts this node's acknowledgement of it any more
/// without having asked again.
package struct TailRepair<D: Disk> {
    /// How long one peer has for an answer before another is asked too.
    package static var answerNanoseconds: UInt64 { 400_000_000 }
    /// How long a peer that does not have the entry is left alone.
    package static var pauseNanoseconds: UInt64 { 1_000_000_000 }

    private struct Asked {
        let peer: NodeID
        /// Of the question in flight.
        var id: UInt64?
        /// In flight: no longer than. Else: not asked before.
        var time = Instant.zero
        /// Answered that it does not have the entry, having promised this term.
        var absent: Term?
        var hasAnswered = false
    }

    package let remains: TailRemains<D>
    private let voters: [NodeID]
    private let source: ArchiveSource<D>
    private var nextID: UInt64
    private var wanted: FetchItem
    /// Entries behind `wanted`, the last one first.
    private var collected: [Entry] = []
    /// Of each other voter, the one that answered last in front.
    private var asked: [Asked]
    /// What lay behind the collected entries was never committed.
    private var endsThere = false
    /// The collected entries are committed: nothing of this node's contradicts them.
    private var isAnchored = false
    private var hasSaidLacking = false
    private(set) var isOver = false

    /// `seed` begins the numbers of the questions.
    package init(remains: TailRemains<D>, disk: D, voters: [NodeID], seed: UInt64) {
        self.remains = remains
        self.voters = voters
        source = ArchiveSource(disk: disk)
        nextID = seed
        let tail = remains.tail
        wanted = .entry(tail.lastPosition.index, checksum: tail.lastChecksum)
        let own = remains.recovered.identity.nodeID
        asked = voters.filter { $0 != own }.map { Asked(peer: $0) }
    }

    /// When `endTurn` has something to do.
    package var deadline: Instant {
        if let flying = asked.first(where: { $0.id != nil }) { return flying.time }
        return asked.map(\.time).min() ?? Instant(nanoseconds: .max)
    }

    // MARK: Inputs

    /// A frame between nodes. What is not about fetching gets no answer, like from a node that is
    /// not there.
    package mutating func receive(
        _ kind: FrameKind, _ payload: Range<Int>, in bytes: Span<UInt8>, from peer: NodeID,
        now: Instant, into outcome: inout RepairOutcome
    ) {
        do {
            if kind == .fetch {
                answer(try Fetch(payload, bytes), to: peer, into: &outcome)
            } else if kind == .fetched {
                take(try Fetched(payload, bytes), from: peer, now: now, into: &outcome)
            }
        } catch {
            outcome.events.append(.peerRefused(peer, "\(error)"))
        }
    }

    /// Goes on as far as it can alone, asks for what it lacks, and mends when it lacks nothing.
    package mutating func endTurn(now: Instant, into outcome: inout RepairOutcome) {
        advance(into: &outcome)
        guard !isOver else { return }
        for place in asked.indices where asked[place].id != nil && asked[place].time <= now {
            asked[place].id = nil
        }
        guard !asked.contains(where: { $0.id != nil }) else { return }
        var next: Int?
        for place in asked.indices where asked[place].time <= now {
            if next.map({ asked[place].time < asked[$0].time }) ?? true { next = place }
        }
        guard let next else { return }
        let fetch = Fetch(id: nextID, item: wanted)
        asked[next].id = nextID
        asked[next].time = now.advanced(byNanoseconds: Self.answerNanoseconds)
        nextID &+= 1
        outcome.send(.fetch, to: asked[next].peer) { fetch.append(to: &$0) }
    }

    // MARK: Asking

    private mutating func take(
        _ answer: Fetched, from peer: NodeID, now: Instant, into outcome: inout RepairOutcome
    ) {
        guard
            let place = asked.firstIndex(where: { $0.peer == peer && $0.id == answer.id })
        else { return }
        asked[place].id = nil
        asked[place].hasAnswered = true
        asked[place].absent = answer.promisedTerm
        asked[place].time = now.advanced(byNanoseconds: Self.pauseNanoseconds)
        if answer.outcome == .found {
            guard let entry = try? Entry(verifying: answer.bytes), isWanted(entry.header) else {
                return outcome.events.append(.fetchedWrong(peer))
            }
            outcome.fetchedCount += 1
            if case .committedEntry = wanted { isAnchored = true }
            asked.insert(asked.remove(at: place), at: 0)
            return collect(entry)
        }
        if wasNeverCommitted {
            discard(into: &outcome)
        } else if !hasSaidLacking, asked.allSatisfy(\.hasAnswered) {
            hasSaidLacking = true
            outcome.events.append(.lacking(wanted.index, of: remains.tail))
        }
    }

    private func isWanted(_ header: EntryHeader) -> Bool {
        switch wanted {
        case .entry(let index, let checksum):
            header.index == index && header.checksum == checksum
        case .committedEntry(let index): header.index == index
        case .manifest, .stateTable, .chunkDigests, .chunk: false
        }
    }

    private mutating func want(_ item: FetchItem) {
        wanted = item
        hasSaidLacking = false
        for place in asked.indices {
            asked[place].id = nil
            asked[place].time = .zero
            asked[place].absent = nil
            asked[place].hasAnswered = false
        }
    }

    private mutating func collect(_ entry: Entry) {
        collected.append(entry)
        want(.entry(entry.header.index.previous, checksum: entry.header.previousChecksum))
    }

    /// Takes what this node has itself, and mends when the chain reaches what is good.
    private mutating func advance(into outcome: inout RepairOutcome) {
        let catalogue = remains.recovered.catalogue
        while !isOver {
            let index = wanted.index
            guard case .entry(_, let checksum) = wanted else {
                if index <= catalogue.lastIndex { mend(after: catalogue.lastIndex, into: &outcome) }
                return
            }
            if index <= catalogue.lastIndex {
                if (catalogue.header(at: index)?.checksum ?? 0) == checksum {
                    return mend(after: index, into: &outcome)
                }
                guard isAnchored, index > catalogue.archive.lastIndex, index > LogIndex(1) else {
                    return fail(
                        .corrupt(
                            file: remains.tail.file, offset: remains.tail.offset,
                            defect: .contradicted(by: remains.tail.lastPosition)), &outcome)
                }
            }
            guard let entry = remains.entry(at: index, checksum: checksum) else { return }
            collect(entry)
        }
    }

    // MARK: Deciding

    /// Whether the answers say that the wanted entry cannot have been committed.
    private var wasNeverCommitted: Bool {
        guard !isAnchored, !asked.isEmpty else { return false }
        let own = remains.recovered.vote.term
        let later = asked.count { $0.absent.map { $0 > own } ?? false }
        return later > voters.count / 2 || asked.allSatisfy { $0.absent != nil }
    }

    /// The wanted entry goes, and everything behind it.
    private mutating func discard(into outcome: inout RepairOutcome) {
        let index = wanted.index
        collected.removeAll()
        endsThere = true
        outcome.events.append(.discarded(from: index))
        let previous = index.previous
        if previous > remains.recovered.catalogue.lastIndex,
            let checksum = remains.checksum(at: previous)
        {
            want(.entry(previous, checksum: checksum))
        } else {
            // Nothing names its checksum: only what is committed is right there for certain.
            want(.committedEntry(previous))
        }
    }

    private mutating func mend(after base: LogIndex, into outcome: inout RepairOutcome) {
        do {
            try remains.mend(after: base, with: collected.reversed(), endsThere: endsThere)
        } catch {
            return fail(error, &outcome)
        }
        isOver = true
        outcome.isMended = true
    }

    private mutating func fail(_ failure: RecoveryFailure, _ outcome: inout RepairOutcome) {
        isOver = true
        outcome.failure = failure
    }

    // MARK: Answering

    private func answer(_ fetch: Fetch, to peer: NodeID, into outcome: inout RepairOutcome) {
        let recovered = remains.recovered
        let catalogue = recovered.catalogue
        switch fetch.item {
        case .entry(let index, let checksum) where index > catalogue.lastIndex:
            let answer = damagedPart(fetch, index, checksum: checksum)
            outcome.send(.fetched, to: peer) { answer.append(to: &$0) }
        case .committedEntry(let index) where index > catalogue.lastIndex:
            let answer = damagedPart(fetch, index, checksum: nil)
            outcome.send(.fetched, to: peer) { answer.append(to: &$0) }
        default:
            let job = FetchJob(
                destination: .peer(peer), fetch: fetch, catalogue: catalogue,
                committed: catalogue.archive.lastIndex, term: recovered.vote.term)
            outcome.append(to: peer) { job.run(source, into: &$0) }
        }
    }

    /// About an entry in or behind the faulty part. That this node never had it, it says only of
    /// what its persist record excludes.
    private func damagedPart(_ fetch: Fetch, _ index: LogIndex, checksum: UInt32?) -> Fetched {
        let tail = remains.tail
        if let checksum {
            let entry =
                remains.entry(at: index, checksum: checksum)
                ?? collected.first {
                    $0.header.index == index && $0.header.checksum == checksum
                }
            if let entry { return Fetched(id: fetch.id, outcome: .found, bytes: entry.bytes) }
        }
        let isOther =
            index == tail.lastPosition.index && checksum != nil
            && checksum != tail.lastChecksum
        guard !tail.isDoubtful, index > tail.lastPosition.index || isOther else {
            return Fetched(id: fetch.id, outcome: .damaged)
        }
        return .absent(fetch, term: remains.recovered.vote.term)
    }
}

extension FetchItem {
    /// Of an entry; zero for other items.
    var index: LogIndex {
        switch self {
        case .entry(let index, _), .committedEntry(let index): index
        case .manifest, .stateTable, .chunkDigests, .chunk: .zero
        }
    }
}

/// What happened, for the node's log.
package enum RepairEvent: Equatable, Sendable {
    /// No voter gave the entry, and it may have been committed.
    case lacking(LogIndex, of: FaultyTail)
    /// The entry and all behind it were never committed.
    case discarded(from: LogIndex)
    case fetchedWrong(NodeID)
    case peerRefused(NodeID, String)
}

/// What the driver of a repair must do after a turn.
package struct RepairOutcome {
    package var frames: [ReplicaOutcome.Frames] = []
    package var events: [RepairEvent] = []
    /// Entries that came from peers.
    package var fetchedCount = 0
    /// The tail is whole: the log is opened anew.
    package var isMended = false
    package var failure: RecoveryFailure?

    package init() {}

    /// Empties it but for the count.
    package mutating func clear() {
        frames.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        isMended = false
        failure = nil
    }

    mutating func send(_ kind: FrameKind, to peer: NodeID, _ write: (inout [UInt8]) -> Void) {
        append(to: peer) { Frame.append(kind, to: &$0, write) }
    }

    mutating func append(to peer: NodeID, _ write: (inout [UInt8]) -> Void) {
        var bytes: [UInt8] = []
        write(&bytes)
        frames.append(ReplicaOutcome.Frames(destination: .peer(peer), bytes: bytes))
    }
}
