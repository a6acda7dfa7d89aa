import BugZoo
import Bytes
import Consensus
import Crypto
import Ledger
import Maintenance
import PeerWire
import Records
import SegmentLog

// A follower that needs entries which its leader has in the archive alone takes over that archive
// (Raft paper section 7, with files in place of a snapshot): manifest and state table first, then
// the segments whose digests it lacks, then one step that makes them its own. Meanwhile it votes and
// answers as before.

/// How far that is.
struct Installation {
    enum Phase {
        case manifest
        case state(Manifest)
        case segments(Manifest, StateTableFile)
        /// Only outputs of compactions, through this entry.
        case outputs([SegmentDescriptor], through: LogIndex)
        /// The maintainer has it; behind it everything is opened anew.
        case swapping
    }

    let leader: NodeID
    /// Only outputs of compactions are wanted: this node's log stays.
    var isOfOutputs = false
    var phase = Phase.manifest
    /// nil before it is known what to fetch.
    var progress: Takeover?

    /// The log is not this node's to write any more.
    var isSwapping: Bool {
        if case .swapping = phase { !isOfOutputs } else { false }
    }
}

extension Replica {
    /// The leader's log begins after `base`, and this node's ends before it.
    mutating func install(from leader: NodeID, base: LogPosition) {
        // A whole archive is more than its outputs.
        if let running = installation, running.isOfOutputs, compacting.forgetting == nil,
            case .manifest = running.phase
        {
            installation = nil
        }
        let isHeld = catalogue.term(at: base.index) == base.term
        guard installation == nil, !isHeld || PlantedBug.installGoesBack.isPlanted else { return }
        installation = Installation(leader: leader)
        // It has just spoken; another one may be no member any more, with nothing that is newer.
        fetcher.heard(leader)
        fetcher.want(.manifest, from: askedFirst(leader))
    }

    /// The members that may be asked, `first` before the others.
    private func askedFirst(_ first: NodeID) -> [NodeID] {
        [first] + peers.filter { $0 != first }
    }

    // MARK: Answers

    /// A peer's answer to what was asked for.
    mutating func take(
        _ answer: Fetched, from peer: NodeID, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        guard let item = fetcher.take(answer, from: peer, now: now) else { return }
        let isRight =
            switch item {
            case .manifest: takeManifest(answer.bytes)
            case .stateTable(let seal): takeState(seal, answer.bytes)
            case .chunkDigests(let name), .chunk(let name, _):
                takePiece(of: name, item, answer.bytes, into: &outcome)
            case .entry, .committedEntry: false
            }
        if !isRight {
            fetcher.reject(now: now)
            outcome.events.append(.fetchedWrong(peer))
        }
        advanceInstallation(into: &outcome)
    }

    private mutating func takeManifest(_ bytes: [UInt8]) -> Bool {
        guard var installation, case .manifest = installation.phase else { return true }
        guard let manifest = Manifest(bytes.span, hash), manifest.clusterID == identity.clusterID
        else { return false }
        if installation.isOfOutputs { return takeOutputs(manifest) }
        guard manifest.lastIndex > catalogue.archive.lastIndex else {
            // Nothing to be had there: the leader says again what is missing.
            self.installation = nil
            return true
        }
        installation.phase = .state(manifest)
        self.installation = installation
        fetcher.want(.stateTable(manifest.lastIndex), from: askedFirst(installation.leader))
        return true
    }

    /// No peer has a piece any more: its archive went on meanwhile. What is fetched stays on the
    /// disk; the leader's next hint, or the next try to take outputs over, begins again with the manifest
    /// as it is then.
    mutating func abandonInstallation() {
        switch installation?.phase {
        case .state, .segments: break
        // Compactions go on while their outputs are fetched, and replace some of them.
        case .outputs: if transfers.isEmpty { return }
        case nil, .manifest, .swapping: return
        }
        installation = nil
        for transfer in transfers { fetcher.forget(transfer.name) }
        transfers.removeAll()
        fetcher.forgetStateTables()
    }

    // MARK: Outputs of compactions

    /// Asks a peer for what compactions made that this node cannot make any more: its inputs are
    /// damaged, or it was away while they were done and collected.
    mutating func takeOverOutputs(now: Instant) {
        guard lacksCompaction, installation == nil, transfers.isEmpty,
            now >= compacting.takeOverAt, let leader = consensus.leader,
            let other = peers.first
        else { return }
        compacting.takeOverAt = now.advanced(
            byNanoseconds: settings.compactionReportNanoseconds)
        let first = leader == identity.nodeID ? other : leader
        installation = Installation(leader: first, isOfOutputs: true)
        fetcher.want(.manifest, from: askedFirst(first))
    }

    /// Takes what differs in the peer's archive, when it is as far as the log and all that it
    /// compacted is in this node's archive too. False where the log names other outputs.
    private mutating func takeOutputs(_ manifest: Manifest) -> Bool {
        guard let wanted = missingOutputs(manifest), let first = installation?.leader else {
            installation = nil
            return true
        }
        let agreed = agreedOutputs(through: manifest.compactedThrough)
        guard wanted.allSatisfy({ agreed?.contains($0.digest) ?? true }) else { return false }
        installation?.phase = .outputs(wanted, through: manifest.compactedThrough)
        for segment in wanted { transfer(segment, to: FetchedFiles.name(of: segment), first) }
        return true
    }

    /// What majorities made in all compactions that this node lacks, through that entry; nil where
    /// the log's state does not name them any more.
    private func agreedOutputs(through index: LogIndex) -> [Digest]? {
        let done = compacting.parts.prefix { $0.open.isDone && $0.open.index <= index }
        guard done.last?.open.index == index, let first = done.first,
            first.open.follows <= catalogue.archive.compactedThrough
        else { return nil }
        return done.flatMap(\.open.outputs)
    }

    private func missingOutputs(_ manifest: Manifest) -> [SegmentDescriptor]? {
        guard lacksCompaction, manifest.compactedThrough >= ledger.retention.compactedThrough,
            manifest.compactedThrough <= ledger.applied
        else { return nil }
        let own = catalogue.archive.segments
        var wanted: [SegmentDescriptor] = []
        for segment in manifest.segments where segment.generation > 0 {
            guard let known = catalogue.archive.place(holding: segment.firstIndex).map({ own[$0] }),
                known.firstIndex == segment.firstIndex, known.lastIndex == segment.lastIndex
            else { return nil }
            if known.digest != segment.digest { wanted.append(segment) }
        }
        return wanted
    }

    private mutating func takeState(_ seal: LogIndex, _ bytes: [UInt8]) -> Bool {
        guard var installation, case .state(let manifest) = installation.phase,
            manifest.lastIndex == seal
        else { return true }
        guard StateTableFile.digest(of: bytes, hash) == manifest.segments.last?.stateTable else {
            return false
        }
        installation.phase = .segments(manifest, StateTableFile(seal: seal, bytes: bytes))
        self.installation = installation
        for segment in manifest.segments where !catalogue.archive.names(segment) {
            transfer(segment, to: FetchedFiles.name(of: segment), installation.leader)
        }
        return true
    }

    private mutating func transfer(
        _ segment: SegmentDescriptor, to file: String, _ first: NodeID
    ) {
        let transfer = SegmentTransfer(segment, file: file, peers: askedFirst(first))
        let known = installation?.progress ?? Takeover(fetchedBytes: 0, totalBytes: 0)
        installation?.progress = Takeover(
            fetchedBytes: known.fetchedBytes,
            totalBytes: known.totalBytes + UInt64(segment.byteCount))
        if transfers.isEmpty { transfer.begin(&fetcher) }
        transfers.append(transfer)
    }

    private mutating func takePiece(
        of name: SegmentName, _ item: FetchItem, _ bytes: [UInt8],
        into outcome: inout ReplicaOutcome
    ) -> Bool {
        if let place = transfers.firstIndex(where: { $0.name == name }) {
            return transfers[place].take(item, bytes, hash, &outcome.maintenance)
        }
        guard let place = repairs.segments.firstIndex(where: { $0.transfer.name == name }) else {
            return true
        }
        return repairs.segments[place].transfer.take(item, bytes, hash, &outcome.maintenance)
    }

    // MARK: Files

    /// The maintainer has looked at a file, or written a chunk of it.
    mutating func transferred(
        _ report: MaintenanceReport, into outcome: inout ReplicaOutcome
    ) {
        switch report {
        case .surveyed(let file, let bad):
            guard let place = transfers.firstIndex(where: { $0.file == file }) else { return }
            transfers[place].surveyed(bad: bad, &fetcher)
        case .stored(let file):
            guard let place = transfers.firstIndex(where: { $0.file == file }) else { return }
            transfers[place].stored(&outcome.maintenance)
        default: return
        }
        finishTransfers(into: &outcome)
        advanceInstallation(into: &outcome)
    }

    private mutating func finishTransfers(into outcome: inout ReplicaOutcome) {
        while let first = transfers.first, first.isDone {
            transfers.removeFirst()
            installation?.progress?.fetchedBytes += UInt64(first.segment.byteCount)
            outcome.events.append(
                .fetched(
                    file: first.file, byteCount: first.segment.byteCount,
                    of: installation?.progress))
            transfers.first?.begin(&fetcher)
        }
    }

    /// Once everything is here and the log writer has nothing to do, the archive is swapped; from
    /// then on no entries are taken until everything was opened anew.
    mutating func advanceInstallation(into outcome: inout ReplicaOutcome) {
        if case .outputs(_, let compaction) = installation?.phase, transfers.isEmpty,
            compacting.forgetting == nil
        {
            return forget(
                ledger.retention.erased(before: compaction), for: compaction, into: &outcome)
        }
        guard case .segments(let manifest, let state) = installation?.phase,
            transfers.isEmpty, owed.isEmpty
        else { return }
        guard
            manifest.lastIndex > catalogue.lastIndex
                || catalogue.term(at: manifest.lastIndex) != manifest.segments.last?.seal.term
                || PlantedBug.installGoesBack.isPlanted
        else {
            // Entries have come meanwhile: this log holds all that was fetched, and more.
            installation = nil
            return
        }
        installation?.phase = .swapping
        outcome.maintenance.append(.install(manifest, state))
    }
}
