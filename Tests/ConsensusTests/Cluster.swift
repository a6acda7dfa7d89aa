import Consensus
import Records

/// A write that a node's disk has been given and has not completed.
enum PendingWrite {
    case truncate(from: LogIndex)
    case append([EntryDescriptor], LogMark)
    case vote(DurableVote)
}

struct Packet {
    let from: NodeID
    let to: NodeID
    let message: Message
}

/// One member with a disk: what of it a crash leaves, and what it takes.
struct ClusterNode {
    var core: Consensus
    var storedVote = DurableVote.initial
    /// From the first entry on: what is below the base is archived, not gone.
    var storedLog: [EntryDescriptor] = []
    var storedBase = LogPosition.zero
    /// What it was told to install last.
    var hint: InstallHint?
    var writes: [PendingWrite] = []
    var isRunning = true
    var restartCount: UInt64 = 0
    /// How much was committed in the cluster when the read began.
    var readBounds: [(ticket: ReadTicket, count: Int)] = []
    var confirmedReads: [Outcome.ConfirmedRead] = []
    var failedReads: [ReadTicket] = []
    var installs: [NodeID] = []
}

/// Members, their disks and the network between them, without threads or a real clock.
///
/// After every input it checks what must hold among the members (Raft paper figure 3); what does
/// not is in `violations`.
struct Cluster {
    /// All nodes, members or not.
    let members: [NodeID]
    /// Of the configuration that the log begins with.
    let founders: [NodeID]
    var settings: ConsensusSettings
    let seed: UInt64
    var now = Instant(nanoseconds: 1_000_000_000)
    var nodes: [ClusterNode] = []
    var network: [Packet] = []
    /// Links over which nothing passes, one direction each.
    var cutLinks: [(from: NodeID, to: NodeID)] = []
    var violations: [String] = []
    /// What happened, a line each, for scenarios.
    var trace: [String] = []

    private var leaders: [(term: Term, leader: NodeID)] = []
    /// By index from 1: what some member has committed.
    private(set) var committed: [LogPosition] = []

    init(
        size: Int, voters: Int? = nil, settings: ConsensusSettings = ConsensusSettings(),
        seed: UInt64 = 1
    ) {
        members = (1...size).map { NodeID(UInt32($0)) }
        founders = Array(members.prefix(voters ?? size))
        self.settings = settings
        self.seed = seed
        for id in members {
            nodes.append(
                ClusterNode(
                    core: core(of: id, vote: .initial, log: [], base: .zero, restarts: 0)))
        }
    }

    subscript(_ id: Int) -> ClusterNode {
        get { nodes[id - 1] }
        set { nodes[id - 1] = newValue }
    }

    var leader: Int? {
        let leading = nodes.filter { $0.isRunning && $0.core.role == .leader }
        return leading.max { $0.core.term < $1.core.term }.map { Int($0.core.id.value) }
    }

    private func core(
        of id: NodeID, vote: DurableVote, log: [EntryDescriptor], base: LogPosition,
        restarts: UInt64
    ) -> Consensus {
        var outline = LogOutline(base: base)
        for entry in log where entry.position.index > base.index { outline.append(entry) }
        let archived = log.last {
            $0.configuration != nil && $0.position.index <= base.index
        }?.configuration
        return Consensus(
            id: id, voters: archived?.voters ?? founders, learners: archived?.learners ?? [],
            settings: settings, vote: vote, log: outline,
            commitIndex: base.index, seed: seed &* 1_000 &+ UInt64(id.value) &+ restarts &* 64,
            now: now)
    }
}

// MARK: - Inputs

extension Cluster {
    /// Gives the node one input and carries its outcome out.
    mutating func input<Value>(
        _ id: Int, _ body: (inout Consensus, Instant, inout Outcome) -> Value
    ) -> Value {
        var outcome = Outcome()
        let value = body(&nodes[id - 1].core, now, &outcome)
        carryOut(outcome, on: id)
        return value
    }

    mutating func tick(_ id: Int) {
        guard self[id].isRunning else { return }
        input(id) { $0.tick(now: $1, into: &$2) }
    }

    /// Moves the clock and ticks whoever is due, in the order of their numbers.
    mutating func advance(milliseconds: UInt64, except paused: Int? = nil) {
        now = now.advanced(byNanoseconds: milliseconds * 1_000_000)
        for id in 1...nodes.count where self[id].core.nextDeadline() <= now && id != paused {
            tick(id)
        }
    }

    mutating func propose(_ id: Int, byteCount: Int = 100) {
        let core = self[id].core
        let position = LogPosition(term: core.term, index: core.lastPosition.index.next)
        append(EntryDescriptor(position: position, byteCount: byteCount), on: id)
    }

    /// The leader proposes an entry that sets the members; returns why not.
    mutating func change(
        _ id: Int, byteCount: Int = 100, _ edit: (Configuration) -> Configuration
    ) -> ChangeRefusal? {
        let core = self[id].core
        let changed = edit(core.configuration)
        if let refusal = core.changeRefusal(to: changed, now: now) { return refusal }
        let position = LogPosition(term: core.term, index: core.lastPosition.index.next)
        append(
            EntryDescriptor(position: position, byteCount: byteCount, configuration: changed),
            on: id)
        return nil
    }

    private mutating func append(_ entry: EntryDescriptor, on id: Int) {
        input(id) { $0.propose(entry, now: $1, into: &$2) }
        self[id].writes.append(.append([entry], self[id].core.logMark))
    }

    /// Begins to hand over; returns why not.
    mutating func transfer(_ id: Int, to target: Int) -> TransferRefusal? {
        let target = NodeID(UInt32(target))
        return input(id) { core, now, outcome in
            do throws(TransferRefusal) {
                try core.transferLeadership(to: target, now: now, into: &outcome)
                return nil
            } catch {
                return error
            }
        }
    }

    @discardableResult
    mutating func read(_ id: Int) -> ReadTicket? {
        let count = committed.count
        var outcome = Outcome()
        let ticket = nodes[id - 1].core.requestRead(now: now, into: &outcome)
        if let ticket { self[id].readBounds.append((ticket, count)) }
        carryOut(outcome, on: id)
        return ticket
    }

    private mutating func carryOut(_ outcome: Outcome, on id: Int) {
        // Members differ in what they write first.
        if id.isMultiple(of: 2) { store(outcome.voteToStore, on: id) }
        if let index = outcome.truncateFrom { self[id].writes.append(.truncate(from: index)) }
        if let accepted = outcome.acceptedEntries {
            let last = self[id].core.lastPosition.index
            let first = LogIndex(last.value - UInt64(accepted.count) + 1)
            let entries = (first.value...last.value).map {
                self[id].core.log.descriptor(at: LogIndex($0))
            }
            self[id].writes.append(.append(entries, self[id].core.logMark))
        }
        if !id.isMultiple(of: 2) { store(outcome.voteToStore, on: id) }
        for envelope in outcome.messages {
            network.append(
                Packet(from: members[id - 1], to: envelope.to, message: envelope.message))
        }
        self[id].confirmedReads += outcome.confirmedReads
        self[id].failedReads += outcome.failedReads
        self[id].installs += outcome.installs
        if let hint = outcome.needsInstall { self[id].hint = hint }
        // What came by entries meanwhile needs no install.
        if let index = outcome.committed, let hint = self[id].hint, hint.base.index <= index {
            self[id].hint = nil
        }
        note(outcome, of: id)
        check(id, outcome)
        if let position = outcome.noOperation {
            append(EntryDescriptor(position: position, byteCount: 56), on: id)
        }
    }

    private mutating func store(_ vote: DurableVote?, on id: Int) {
        if let vote { self[id].writes.append(.vote(vote)) }
    }

    private mutating func note(_ outcome: Outcome, of id: Int) {
        if let standing = outcome.standing {
            let isFollowing = standing.role == .follower && standing.leader != nil
            let leader = isFollowing ? " of \(standing.leader?.value ?? 0)" : ""
            trace.append("\(id) is \(standing.role.rawValue)\(leader) in term \(standing.term)")
        }
        for follower in outcome.installs { trace.append("\(id) has no entries for \(follower)") }
        if let hint = outcome.needsInstall {
            trace.append("\(id) needs an install through \(hint.base) from \(hint.from)")
        }
        if let target = outcome.transferAbandoned {
            trace.append("\(id) gives up handing over to \(target)")
        }
        if let index = outcome.truncateFrom { trace.append("\(id) truncates from \(index)") }
        if let index = outcome.committed { trace.append("\(id) commits \(index)") }
        for read in outcome.confirmedReads {
            trace.append("\(id) confirms read \(read.ticket.value) at \(read.index)")
        }
        for ticket in outcome.failedReads { trace.append("\(id) fails read \(ticket.value)") }
    }
}

// MARK: - Disks

extension Cluster {
    /// Completes the node's oldest `count` writes.
    mutating func sync(_ id: Int, count: Int = .max) {
        var left = count
        while left > 0, self[id].isRunning, !self[id].writes.isEmpty {
            left -= 1
            complete(self[id].writes.removeFirst(), on: id)
        }
    }

    private mutating func complete(_ write: PendingWrite, on id: Int) {
        store(write, on: id)
        switch write {
        case .truncate: break
        case .append(_, let mark):
            input(id) { $0.logDurable(through: mark, now: $1, into: &$2) }
        case .vote(let vote):
            input(id) { $0.voteDurable(vote, now: $1, into: &$2) }
        }
    }

    private mutating func store(_ write: PendingWrite, on id: Int) {
        switch write {
        case .truncate(let index):
            self[id].storedLog.removeAll { $0.position.index >= index }
        case .append(let entries, _): self[id].storedLog += entries
        case .vote(let vote): self[id].storedVote = vote
        }
    }

    /// Ends the node; its oldest `keeping` pending writes reach the disk, the others do not.
    mutating func crash(_ id: Int, keeping: Int = 0) {
        for write in self[id].writes.prefix(keeping) { store(write, on: id) }
        self[id].writes = []
        self[id].isRunning = false
        trace.append("\(id) crashes")
    }

    mutating func restart(_ id: Int) {
        precondition(!self[id].isRunning, "node \(id) runs")
        self[id].restartCount += 1
        let node = self[id]
        self[id].core = core(
            of: members[id - 1], vote: node.storedVote, log: node.storedLog,
            base: node.storedBase, restarts: node.restartCount)
        self[id].hint = nil
        self[id].isRunning = true
        self[id].readBounds = []
        let last = self[id].core.lastPosition
        trace.append("\(id) restarts in term \(node.storedVote.term) with log \(last)")
    }
}

// MARK: - Archives

extension Cluster {
    /// The node's entries through `index`, or what of them is committed and durable, are archived
    /// and leave its memory.
    mutating func release(_ id: Int, through index: Int) {
        let core = self[id].core
        let durable = core.durablePosition.index
        let index = min(LogIndex(UInt64(index)), core.commitIndex, durable)
        guard self[id].isRunning, index > core.log.base.index else { return }
        nodes[id - 1].core.releaseLog(through: index)
        self[id].storedBase = self[id].core.log.base
        self[id].core.checkInvariants()
    }

    /// The node takes over the archive of the one that told it to, and begins anew; it keeps its
    /// tail if the entry at the base is the same. False when there is nothing to install.
    mutating func install(_ id: Int) -> Bool {
        guard self[id].isRunning, let hint = self[id].hint else { return false }
        let peer = self[Int(hint.from.value)]
        let base = peer.storedBase
        guard base.index >= hint.base.index else { return false }
        crash(id, keeping: .max)
        let isSame = self[id].storedLog.contains { $0.position == base }
        let tail = self[id].storedLog.filter { isSame && $0.position.index > base.index }
        if base.index < self[id].storedBase.index {
            violations.append("\(id) goes back from \(self[id].storedBase) to \(base)")
        }
        self[id].storedLog = peer.storedLog.filter { $0.position.index <= base.index } + tail
        self[id].storedBase = base
        restart(id)
        return true
    }
}

// MARK: - Network

extension Cluster {
    func isCut(from: NodeID, to: NodeID) -> Bool {
        cutLinks.contains { $0.from == from && $0.to == to }
    }

    /// Nothing passes between the groups, in either direction.
    mutating func partition(_ groups: [[Int]]) {
        for (place, group) in groups.enumerated() {
            for other in groups[(place + 1)...].joined() {
                for id in group {
                    cutLinks.append((members[id - 1], members[other - 1]))
                    cutLinks.append((members[other - 1], members[id - 1]))
                }
            }
        }
        network = network.filter { !isCut(from: $0.from, to: $0.to) }
    }

    /// Takes what is on its way between two members off the network.
    mutating func take(from: Int, to: Int) -> [Message] {
        let isTaken = { (packet: Packet) in
            Int(packet.from.value) == from && Int(packet.to.value) == to
        }
        let taken = network.filter(isTaken)
        network = network.filter { !isTaken($0) }
        return taken.map(\.message)
    }

    /// Hands `message` to `receiver` as if `sender` had sent it.
    mutating func hand(_ message: Message, from sender: Int, to receiver: Int) {
        hand(
            Packet(from: members[sender - 1], to: members[receiver - 1], message: message),
            to: receiver)
    }

    mutating func heal() { cutLinks = [] }

    /// Delivers the packet at `place`, or loses it when its link is cut or the receiver is down.
    mutating func deliver(at place: Int) {
        let packet = network.remove(at: place)
        let receiver = Int(packet.to.value)
        guard self[receiver].isRunning, !isCut(from: packet.from, to: packet.to) else { return }
        hand(packet, to: receiver)
    }

    /// Gives the packet to its receiver without taking it off the network.
    ///
    /// After a violation nothing arrives any more: a node that sees two leaders of a term traps.
    mutating func hand(_ packet: Packet, to receiver: Int) {
        guard violations.isEmpty else { return }
        var outcome = Outcome()
        do throws(MessageDefect) {
            try nodes[receiver - 1].core.receive(
                packet.message, from: packet.from, now: now, into: &outcome)
        } catch {
            violations.append("\(receiver) refuses a message of \(packet.from): \(error)")
        }
        carryOut(outcome, on: receiver)
    }

    /// Syncs and delivers, oldest first, until nothing is left to do at this instant, or `id` leads.
    mutating func stabilize(untilLeads id: Int? = nil) {
        var stepCount = 0
        repeat {
            for id in 1...nodes.count { sync(id) }
            if let id, self[id].core.role == .leader { return }
            if !network.isEmpty { deliver(at: 0) }
            stepCount += 1
            precondition(stepCount < 100_000, "the cluster does not come to rest")
        } while !network.isEmpty || nodes.contains { !$0.writes.isEmpty && $0.isRunning }
    }

    /// Lets time pass, only `id` taking notice, until it stands for election.
    mutating func stand(_ id: Int) {
        let timeout = settings.electionTimeoutNanoseconds
        now = max(now.advanced(byNanoseconds: timeout * 3 / 2), self[id].core.nextDeadline())
        tick(id)
    }

    /// Lets `id` stand until it leads, and stops there or when the cluster has come to rest.
    mutating func elect(_ id: Int, stopping: Bool = false) {
        for _ in 0..<3 where self[id].core.role != .leader {
            stand(id)
            stabilize(untilLeads: stopping ? id : nil)
        }
    }

    /// Lets time pass in steps of 10 ms, everything else being instantaneous.
    mutating func run(milliseconds: UInt64) {
        for _ in 0..<(milliseconds / 10) {
            advance(milliseconds: 10)
            stabilize()
        }
    }
}

// MARK: - What must hold

extension Cluster {
    private mutating func check(_ id: Int, _ outcome: Outcome) {
        self[id].core.checkInvariants()
        if let standing = outcome.standing, standing.role == .leader {
            checkElection(id, standing.term)
        }
        if let index = outcome.committed { checkCommit(id, index) }
        for read in outcome.confirmedReads {
            let bound = self[id].readBounds.first { $0.ticket == read.ticket }?.count ?? .max
            if read.index.value < bound {
                violations.append("\(id) reads at \(read.index), \(bound) were committed before")
            }
        }
    }

    /// At most one leader in a term, and it holds all that is committed.
    private mutating func checkElection(_ id: Int, _ term: Term) {
        let leader = members[id - 1]
        for other in leaders where other.term == term && other.leader != leader {
            violations.append("\(other.leader) and \(leader) both lead term \(term)")
        }
        leaders.append((term, leader))
        let core = self[id].core
        for position in committed
        where position.index >= core.log.base.index
            && core.term(at: position.index) != position.term
        {
            violations.append("leader \(leader) of term \(term) lacks committed \(position)")
        }
    }

    /// What one member commits, no other commits otherwise, and a majority has on its disks.
    private mutating func checkCommit(_ id: Int, _ index: LogIndex) {
        for value in 1...index.value {
            guard let term = self[id].core.term(at: LogIndex(value)) else { continue }
            let position = LogPosition(term: term, index: LogIndex(value))
            if value <= committed.count {
                if committed[Int(value) - 1] != position {
                    violations.append(
                        "\(id) commits \(position), but \(committed[Int(value) - 1]) was")
                }
            } else {
                committed.append(position)
                checkDurable(position, by: id)
            }
        }
    }

    /// A majority of the voters of the newest configuration in the committing node's log.
    private mutating func checkDurable(_ position: LogPosition, by id: Int) {
        guard let configuration = self[id].core.log.configuration else { return }
        let holders = configuration.voters.filter { voter in
            let log = self[Int(voter.value)].storedLog
            let place = Int(position.index.value) - 1
            return place < log.count && log[place].position == position
        }
        if holders.count < configuration.quorum {
            violations.append("\(position) is committed on \(holders.count) disks")
        }
    }
}
