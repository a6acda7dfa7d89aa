import BugZoo
import Consensus
import Records

/// One member of the model: the real core, and a disk that is a vote, a log and what is to be written.
struct ModelNode {
    /// What the log writer still owes, in order.
    enum Write {
        case vote(DurableVote)
        case truncate(LogIndex)
        case append(LogMark)
    }

    /// What a member did that others can see.
    struct Effects {
        var messages: [Outcome.Envelope] = []
        var confirmedReads: [Outcome.ConfirmedRead] = []
        var failedReads: [ReadTicket] = []
    }

    /// All that happens, happens now; timers are over when the model says so.
    static let now = Instant(nanoseconds: 1_000_000_000)

    static let settings: ConsensusSettings = {
        var settings = ConsensusSettings()
        settings.maxEntriesPerAppend = 1
        settings.maxInflightBytes = 1
        return settings
    }()

    private(set) var core: Consensus
    private(set) var diskVote: DurableVote
    /// Terms of the entries, from the first.
    private(set) var diskLog: [Term]
    private(set) var writes: [Write] = []
    /// The end of its log is damaged: it waits for others.
    private(set) var isAway = false

    init(_ id: NodeID, bugs: PlantedBugs) {
        var settings = Self.settings
        settings.plantedBugs = bugs
        self.init(id, settings, .initial, [])
    }

    private init(
        _ id: NodeID, _ settings: ConsensusSettings, _ vote: DurableVote, _ log: [Term]
    ) {
        diskVote = vote
        diskLog = log
        var outline = LogOutline()
        for (place, term) in log.enumerated() {
            let position = LogPosition(term: term, index: LogIndex(UInt64(place + 1)))
            outline.append(EntryDescriptor(position: position, byteCount: 1))
        }
        core = Consensus(
            id: id, voters: (1...3).map { NodeID($0) }, settings: settings, vote: vote,
            log: outline, commitIndex: .zero, seed: 0, now: Self.now)
        core.forgetTime(at: Self.now)
    }

    // MARK: Inputs

    /// A message arrives; `late`: longer than an election timeout after the last one of a leader.
    mutating func receive(
        _ message: Message, from sender: NodeID, late: Bool
    ) throws(MessageDefect) -> Effects {
        var outcome = Outcome()
        let timeout = late ? core.settings.electionTimeoutNanoseconds : 0
        let now = Self.now.advanced(byNanoseconds: timeout)
        try core.receive(message, from: sender, now: now, into: &outcome)
        var entries: [EntryDescriptor] = []
        if case .appendRequest(let request) = message { entries = request.entries }
        return carryOut(&outcome, entries)
    }

    /// A timer is over: the election's, or the leader's next heartbeat.
    mutating func tick() -> Effects {
        var outcome = Outcome()
        core.tick(now: core.nextDeadline(), into: &outcome)
        return carryOut(&outcome, [])
    }

    /// A leader has heard no majority for an election timeout.
    mutating func loseQuorum() -> Effects {
        var outcome = Outcome()
        let timeout = core.settings.electionTimeoutNanoseconds
        core.tick(now: Self.now.advanced(byNanoseconds: timeout), into: &outcome)
        return carryOut(&outcome, [])
    }

    /// The target of a transfer has not taken over in time.
    mutating func abandonTransfer() -> Effects {
        var outcome = Outcome()
        let wait = core.settings.heartbeatNanoseconds * 2
        core.tick(now: Self.now.advanced(byNanoseconds: wait), into: &outcome)
        return carryOut(&outcome, [])
    }

    mutating func propose() -> Effects {
        var outcome = Outcome()
        append(LogPosition(term: core.term, index: core.lastPosition.index.next), &outcome)
        return carryOut(&outcome, [])
    }

    mutating func read() -> (ReadTicket?, Effects) {
        var outcome = Outcome()
        let ticket = core.requestRead(now: Self.now, into: &outcome)
        return (ticket, carryOut(&outcome, []))
    }

    /// Nil when the core refuses.
    mutating func transfer(to target: NodeID) -> Effects? {
        var outcome = Outcome()
        do throws(TransferRefusal) {
            try core.transferLeadership(to: target, now: Self.now, into: &outcome)
        } catch { return nil }
        return carryOut(&outcome, [])
    }

    /// The first write is done, and the core hears of it.
    mutating func write() -> Effects {
        var outcome = Outcome()
        let write = writes.removeFirst()
        store(write)
        switch write {
        case .vote(let vote): core.voteDurable(vote, now: Self.now, into: &outcome)
        case .truncate: break
        case .append(let mark): core.logDurable(through: mark, now: Self.now, into: &outcome)
        }
        return carryOut(&outcome, [])
    }

    /// Everything is written, what follows from it included.
    mutating func writeAll() -> Effects {
        var effects = Effects()
        while !writes.isEmpty { effects.add(write()) }
        return effects
    }

    /// Power is lost after `count` of the writes; the member starts again at once.
    mutating func crash(after count: Int) {
        for write in writes.prefix(count) { store(write) }
        self = ModelNode(core.id, core.settings, diskVote, diskLog)
    }

    /// Power is lost, and the last entry on the disk is damaged.
    mutating func corrupt() {
        crash(after: writes.count)
        isAway = true
    }

    /// The damaged entry came from somebody else; or nobody had it, and it is cut.
    mutating func repair(cutting: Bool) {
        if cutting { diskLog.removeLast() }
        self = ModelNode(core.id, core.settings, diskVote, diskLog)
    }

    private mutating func store(_ write: Write) {
        switch write {
        case .vote(let vote): diskVote = vote
        case .truncate(let index): diskLog.removeLast(diskLog.count - Int(index.value) + 1)
        case .append(let mark): diskLog.append(mark.position.term)
        }
    }

    // MARK: Outcomes

    private mutating func append(_ position: LogPosition, _ outcome: inout Outcome) {
        core.propose(
            EntryDescriptor(position: position, byteCount: 1), now: Self.now, into: &outcome)
        writes.append(.append(LogMark(position: position, epoch: core.logMark.epoch)))
    }

    private mutating func carryOut(
        _ outcome: inout Outcome, _ entries: [EntryDescriptor]
    ) -> Effects {
        var effects = Effects()
        take(&outcome, entries, into: &effects)
        if let position = outcome.noOperation {
            outcome.clear()
            append(position, &outcome)
            take(&outcome, [], into: &effects)
        }
        core.checkInvariants()
        core.forgetTime(at: Self.now)
        return effects
    }

    private mutating func take(
        _ outcome: inout Outcome, _ entries: [EntryDescriptor], into effects: inout Effects
    ) {
        if let vote = outcome.voteToStore { writes.append(.vote(vote)) }
        if let index = outcome.truncateFrom { writes.append(.truncate(index)) }
        for entry in entries[outcome.acceptedEntries ?? 0..<0] {
            writes.append(
                .append(LogMark(position: entry.position, epoch: core.logMark.epoch)))
        }
        effects.messages += outcome.messages
        effects.confirmedReads += outcome.confirmedReads
        effects.failedReads += outcome.failedReads
    }

    // MARK: As bytes

    /// Appends all that decides what it does from now on.
    func appendState(to bytes: inout [UInt8], name: (NodeID) -> UInt8) {
        core.appendState(to: &bytes, name: name)
        bytes += [UInt8(diskVote.term.value), diskVote.votedFor.map(name) ?? .max]
        bytes.append(UInt8(diskLog.count))
        bytes += diskLog.map { UInt8($0.value) }
        bytes += [isAway ? 1 : 0, UInt8(writes.count)]
        for write in writes {
            switch write {
            case .vote(let vote):
                bytes += [0, UInt8(vote.term.value), vote.votedFor.map(name) ?? .max]
            case .truncate(let index): bytes += [1, UInt8(index.value)]
            case .append(let mark):
                bytes += [2, UInt8(mark.position.term.value), UInt8(mark.position.index.value)]
                bytes.append(UInt8(mark.epoch))
            }
        }
    }
}

extension ModelNode.Effects {
    mutating func add(_ other: ModelNode.Effects) {
        messages += other.messages
        confirmedReads += other.confirmedReads
        failedReads += other.failedReads
    }
}
