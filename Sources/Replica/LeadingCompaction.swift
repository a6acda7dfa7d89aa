import Bytes
import Consensus
import Ledger
import PeerWire
import Records
import SegmentLog

// The leader's part in compactions: it proposes the entries. Everything is decided on applied state,
// one entry at a time, so that a new leader goes on where the last one was.

extension Replica {
    mutating func leadCompaction(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        guard serves, compacting.proposed <= ledger.applied else { return }
        if let open = ledger.retention.open {
            judge(open, now: now, wall: wall, into: &outcome)
        } else if !ledger.retention.pending.isEmpty {
            beginErasure(now: now, wall: wall, into: &outcome)
        } else if let run = ledger.retention.run {
            beginStep(of: run, now: now, wall: wall, into: &outcome)
        } else if let schedule = settings.compactionSchedule {
            beginRun(by: schedule, now: now, wall: wall, into: &outcome)
        }
    }

    // MARK: - Ending one

    private mutating func judge(
        _ open: OpenCompaction, now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        let voters = consensus.configuration.voters
        let quorum = consensus.configuration.quorum
        let stages = voters.compactMap { voter in
            compacting.reports[voter].flatMap { $0.compaction == open.index ? $0.stage : nil }
        }
        if open.isDone {
            guard stages.count(where: { $0 == .swapped }) >= quorum else { return }
            propose(.collect(compaction: open.index), now: now, wall: wall, into: &outcome)
            return
        }
        for case .made(let outputs) in stages
        where stages.count(where: { $0 == .made(outputs) }) >= quorum
            && outputs.count == open.compaction.inputs.count
        {
            propose(
                .compactDone(compaction: open.index, outputs: outputs), now: now, wall: wall,
                into: &outcome)
            return
        }
        if compacting.waiting?.compaction != open.index {
            compacting.waiting = (open.index, now)
        }
        let waited = now.nanoseconds(since: compacting.waiting?.since ?? now)
        guard stages.count == voters.count || waited >= settings.compactionNanoseconds else {
            return
        }
        compacting.retryAt = now.advanced(byNanoseconds: settings.compactionNanoseconds)
        outcome.events.append(.compactionAbandoned(open.index))
        propose(
            .compactAbandoned(compaction: open.index, .noMajority), now: now, wall: wall,
            into: &outcome)
    }

    // MARK: - Beginning one

    /// Whether the leader's own archive is where the log says; else there is nothing to name yet.
    private var hasCompacted: Bool {
        catalogue.archive.compactedThrough >= ledger.retention.compactedThrough
    }

    /// Begins a run when the last one, whoever wanted it, began so long ago; at once when there was
    /// none. It seals nothing: the newest sealed segment waits for the next run.
    private mutating func beginRun(
        by schedule: CompactionSchedule, now: Instant, wall: Timestamp,
        into outcome: inout ReplicaOutcome
    ) {
        guard commands.inFlight == nil else { return }
        if let last = ledger.retention.lastResult {
            let next = last.startedAt.advanced(
                byMicroseconds: Int(clamping: schedule.periodMicroseconds))
            guard wall >= next else { return }
        }
        var record: [UInt8] = []
        let details = "{\"policy\":\"\(schedule.order.policy.slug)\",\"schedule\":true}"
        RecordEncoder.appendAdministration(
            action: "compactions/create", subject: "", details: Array(details.utf8),
            application: "", writtenBy: "schedule", to: &record)
        closeBatch(now: now, wall: wall, into: &outcome)
        let index = catalogue.lastIndex.next
        // "schedule" in ASCII: no request of a client has such a name but by chance.
        let request = Identifier(high: 0x7363_6865_6475_6c65, low: index.value)
        let command = DirectoryCommand(
            request: request, author: TokenID(0), change: .compact(schedule.order))
        compacting.proposed = index
        propose(
            entry(
                for: CommandRequest(id: 0, record: record, command: command),
                previous: catalogue.lastHeader, wall: wall), now: now, into: &outcome)
    }

    private mutating func beginErasure(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        guard now >= compacting.retryAt, let newest = ledger.retention.pending.last?.index else {
            return
        }
        guard ledger.retention.lastSeal > newest else {
            return sealOnce(behind: newest, now: now, wall: wall, into: &outcome)
        }
        guard hasCompacted, catalogue.archive.lastIndex > newest else { return }
        // Two state tables are kept, and one of them may be damaged: both have to stand behind the
        // erasure, so that none holds a hold that was removed, and no start reads an entry again
        // that has lost what it names.
        if catalogue.archive.segments.dropLast().last?.lastIndex ?? .zero <= newest {
            guard catalogue.archive.lastIndex == ledger.retention.lastSeal else { return }
            return sealOnce(behind: newest, now: now, wall: wall, into: &outcome)
        }
        let (sequences, entries) = ledger.retention.pendingPlaces
        var places: [Int] = []
        for sequence in sequences {
            if let place = catalogue.archive.place(holding: sequence) { places.append(place) }
        }
        for index in entries {
            if let place = catalogue.archive.place(holding: index) { places.append(place) }
        }
        places.sort()
        var inputs: [SegmentDescriptor] = []
        var last = -1
        for place in places where place != last {
            inputs.append(catalogue.archive.segments[place])
            last = place
        }
        begin(
            inputs, .erasures, cut: ledger.retention.sealedSequence,
            timeBound: Timestamp(microseconds: .max), now: now, wall: wall, into: &outcome)
    }

    private mutating func beginStep(
        of run: CompactionRun, now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        if run.needsSeal, ledger.retention.lastSeal < run.index {
            return sealOnce(behind: run.index, now: now, wall: wall, into: &outcome)
        }
        let segments = catalogue.archive.segments
        guard hasCompacted, UInt64(segments.count) > run.segmentCount else { return }
        let first = Int(run.doneCount)
        let end = min(first + settings.compactionSegments, Int(run.segmentCount))
        begin(
            Array(segments[first..<end]), run.policy, cut: run.cut, timeBound: run.timeBound,
            now: now, wall: wall, into: &outcome)
    }

    private mutating func begin(
        _ inputs: [SegmentDescriptor], _ policy: CompactionPolicy, cut: Sequence,
        timeBound: Timestamp, now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        let generation = inputs.reduce(0) { max($0, $1.generation) } + 1
        propose(
            .compact(
                Records.Compaction(
                    inputs: inputs.map(\.digest), cut: cut, policy: policy.rawValue,
                    policyVersion: ledger.retention.version, timeBound: timeBound,
                    generation: generation)), now: now, wall: wall, into: &outcome)
    }

    /// Seals the open segment behind the entry, with an entry of no meaning in one that is empty.
    private mutating func sealOnce(
        behind index: LogIndex, now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        closeBatch(now: now, wall: wall, into: &outcome)
        if let last = catalogue.lastHeader, last.kind == .seal, last.index > index {
            propose(
                Entry(
                    kind: .noOperation, term: consensus.term, after: last,
                    timestamp: timestamp(after: last, wall: wall)), now: now, into: &outcome)
        }
        seal(now: now, wall: wall, into: &outcome)
        compacting.proposed = catalogue.lastIndex
    }

    private mutating func propose(
        _ payload: ControlPayload, now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        closeBatch(now: now, wall: wall, into: &outcome)
        var body: [UInt8] = []
        payload.append(to: &body)
        let previous = catalogue.lastHeader
        compacting.proposed = catalogue.lastIndex.next
        propose(
            Entry(
                kind: payload.kind, term: consensus.term, after: previous,
                timestamp: timestamp(after: previous, wall: wall), body: body), now: now,
            into: &outcome)
    }
}
