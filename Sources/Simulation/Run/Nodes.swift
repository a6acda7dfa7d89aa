import Bytes
import Consensus
import Maintenance
import PeerWire
import Records
import Replica
import SegmentLog

// What happens at a node: inputs, turns, and carrying out what a turn decided.

extension Simulation {
    private static let turnDelay: UInt64 = 20_000

    func wall(of node: SimulatedNode) -> Timestamp {
        Timestamp(
            microseconds: Self.wallAtStart + Int64(now.nanoseconds / 1_000) + node.clockOffset)
    }

    func start(_ node: SimulatedNode) throws {
        guard !node.isRunning, node.repair == nil, !node.isWiped, !resting[node.place] else {
            return
        }
        if isSafetyPhase, options.faults.contains(.crashInRecovery), random.chance(20) {
            node.disk.plan(.crash, at: node.disk.operationCount + random.below(8))
        }
        do {
            try node.start(
                settings: replicaSettings, cluster: cluster,
                supersededBytes: options.supersededBytes, random: &random, now: now)
            node.disk.plan(.crash, at: -1)
        } catch RecoveryFailure.faulty(let tail) {
            guard node.isRotten else {
                throw Violation("node \(node.id) has lost what was durable: \(tail)")
            }
            return try beginRepair(node)
        } catch let failure as RecoveryFailure {
            guard case .disk = failure else {
                throw Violation("node \(node.id) does not start: \(failure)")
            }
            return startAgain(node)
        } catch let failure as ReadFailure {
            if case .corrupt = failure, !node.rottenSegments.isEmpty {
                restoreSegments(of: node)
                return startAgain(node)
            }
            guard case .disk = failure else {
                throw Violation("node \(node.id) has no index: \(failure)")
            }
            return startAgain(node)
        } catch is DiskError {
            return startAgain(node)
        } catch let failure as ReplicaFailure {
            if case .storage = failure, !node.rottenSegments.isEmpty {
                restoreSegments(of: node)
                return startAgain(node)
            }
            throw Violation("node \(node.id) does not start: \(failure)")
        }
        node.isRotten = false
        node.flippedBits = []
        node.goodFiles = []
        node.repairingSince = .zero
        lookAside(of: node)
        if node.start.wasTorn { statistics.cover(.tornTailCut) }
        if node.start.isOnOlderState { statistics.cover(.startOnOlderState) }
        note("node \(node.id) starts, log ends at \(end(of: node))")
        planTurn(node, at: now)
    }

    func startAgain(_ node: SimulatedNode) {
        note("node \(node.id) stops while it starts (\(node.disk.interrupted))")
        statistics.crashCount += 1
        statistics.cover(.crashInRecovery)
        coverRename(on: node)
        node.disk.plan(.crash, at: -1)
        node.disk.restartAfterPowerLoss(&random)
        queue.insert(.start(node: node.place), at: later(random.number(in: options.restartDelay)))
    }

    func end(of node: SimulatedNode) -> String {
        node.replica.map { "\($0.catalogue.lastPosition)" } ?? "nowhere"
    }

    /// Ends the node's process, and starts another after a while.
    func crash(_ node: SimulatedNode, losingPower: Bool, after delay: UInt64? = nil) {
        if node.repair != nil { return endRepair(node) }
        guard let process = node.process else { return }
        if !process.maintenance.isEmpty, random.chance(50) { interruptMaintenance(of: node) }
        cover(crashOf: node, losingPower: losingPower)
        note("node \(node.id) \(losingPower ? "loses power" : "is killed")")
        statistics.crashCount += 1
        node.crash(losingPower: losingPower, random: &random)
        for (_, link) in process.clients {
            queue.insert(.broken(link), at: later(random.number(in: 100_000...5_000_000)))
        }
        let delay = delay ?? random.number(in: options.restartDelay)
        queue.insert(.start(node: node.place), at: later(delay))
    }

    /// Leaves the disk as it is somewhere within the maintainer's next task.
    private func interruptMaintenance(of node: SimulatedNode) {
        guard let task = node.process?.maintenance.first, !node.disk.hasCrashed else { return }
        node.disk.plan(.crash, at: node.disk.operationCount + random.below(20))
        _ = try? node.process?.maintainer.perform(task)
        guard !node.disk.hasCrashed else {
            statistics.cover(.crashWhileMaintaining)
            return coverRename(on: node)
        }
        node.disk.plan(.crash, at: -1)
    }

    // MARK: Inputs

    func planTurn(_ node: SimulatedNode, at time: Instant) {
        guard let planned = node.process?.nextTurn else {
            guard node.isRunning else { return }
            node.process?.nextTurn = time
            return queue.insert(.turn(node: node.place), at: time)
        }
        guard time < planned else { return }
        node.process?.nextTurn = time
        queue.insert(.turn(node: node.place), at: time)
    }

    /// Gives the replica an input, checks what must hold after it, and plans the turn's end.
    func give(_ node: SimulatedNode, _ input: (inout SimulatedNode.Process) throws -> Void) throws {
        guard node.isRunning else { return }
        guard var process = node.process.take() else { return }
        defer {
            node.process = process
            planTurn(node, at: later(Self.turnDelay))
        }
        try input(&process)
        process.replica.consensus.checkInvariants()
    }

    func takePeerFrame(_ from: Int, _ to: Int, life: Int, _ bytes: [UInt8]) throws {
        guard !network.isBlocked(from: from, to: to) else { return }
        let now = now
        let sender = nodes[from].id
        if nodes[to].repair != nil { return try takeRepairFrame(nodes[to], sender, bytes) }
        guard let disk = try disk(of: nodes[from], life: life, heardBy: nodes[to]) else { return }
        try give(nodes[to]) { process in
            var frames = FrameBuffer()
            frames.payloadLimit = Frame.payloadBytes
            frames.bytes = bytes
            while let (kind, payload) = try frames.next() {
                process.replica.receive(
                    kind, payload, in: bytes.span, from: sender, disk: disk, now: now,
                    into: &process.outcome)
            }
        }
    }

    func takeWritten(_ node: SimulatedNode, life: Int) throws {
        guard node.life == life, var process = node.process.take() else { return }
        let tasks = process.writing
        do {
            try process.writer.perform(tasks, marking: &process.persist)
            try SimulatedNode.prepareNext(&process.writer, node.disk, replicaSettings)
        } catch {
            process.writing = []
            node.process = process
            note("node \(node.id): \(error)")
            statistics.diskFaultCount += 1
            return crash(node, losingPower: random.chance(30))
        }
        process.writing = []
        node.process = process
        let now = now
        try give(node) { process in
            process.replica.written(tasks.count, now: now, into: &process.outcome)
        }
        beginWriting(node)
    }

    /// The maintainer does its next task, or dies in it.
    func takeMaintained(_ node: SimulatedNode, life: Int) throws {
        guard node.life == life, var process = node.process.take() else { return }
        let task = process.maintenance.removeFirst()
        let report: MaintenanceReport
        do {
            report = try process.maintainer.perform(task)
        } catch {
            // After an error a maintainer does nothing more.
            process.maintenance = []
            node.process = process
            note("node \(node.id): \(error)")
            if case .corrupt(_, _, .indexTable) = error, node.aside != nil {
                return reopen(node, "\(error)")
            }
            guard case .disk = error else {
                throw Violation("node \(node.id) cannot archive: \(error)")
            }
            statistics.diskFaultCount += 1
            return crash(node, losingPower: random.chance(30))
        }
        node.process = process
        cover(report, of: task, by: node)
        try give(node) { process in
            process.replica.maintained(report, into: &process.outcome)
        }
        planMaintenance(node)
    }

    private func planMaintenance(_ node: SimulatedNode) {
        guard let process = node.process, !process.maintenance.isEmpty else { return }
        queue.insert(
            .maintained(node: node.place, life: node.life),
            at: later(random.number(in: diskDelay)))
    }

    private func beginWriting(_ node: SimulatedNode) {
        guard let process = node.process, process.writing.isEmpty, !process.waiting.isEmpty else {
            return
        }
        node.process?.writing = process.waiting
        node.process?.waiting = []
        let delay = random.number(in: diskDelay)
        let stall = node.stalledUntil.nanoseconds(since: now)
        queue.insert(.written(node: node.place, life: node.life), at: later(delay + stall))
    }

    // MARK: Turns

    func takeTurn(_ node: SimulatedNode) throws {
        guard node.process?.nextTurn == now, var process = node.process.take() else { return }
        process.nextTurn = nil
        measure(&process, of: node)
        process.replica.endTurn(now: now, wall: wall(of: node), into: &process.outcome)
        followMembers(&process, of: node)
        process.replica.consensus.checkInvariants()
        var outcome = ReplicaOutcome()
        swap(&outcome, &process.outcome)
        let deadline = process.replica.nextDeadline()
        process.waiting += outcome.tasks
        let isIdle = process.maintenance.isEmpty
        process.maintenance += outcome.maintenance
        node.process = process
        if case .index(let reason) = outcome.failure, node.aside != nil {
            return reopen(node, reason)
        }
        try check(outcome, of: node)
        let isBehind = outcome.wantsTurn
        carryOut(outcome, node)
        outcome.clear()
        beginWriting(node)
        if isIdle { planMaintenance(node) }
        guard node.isRunning else { return }
        node.process?.outcome = outcome
        planTurn(node, at: isBehind ? later(Self.turnDelay) : max(deadline, later(Self.turnDelay)))
    }

    private func check(_ outcome: ReplicaOutcome, of node: SimulatedNode) throws {
        if let failure = outcome.failure { throw Violation("node \(node.id) stops: \(failure)") }
        for task in outcome.tasks {
            if case .truncate(let plan) = task, !plan.removed.isEmpty {
                statistics.cover(.truncatedAcrossSeal)
            }
            if case .append(let bytes, let place) = task {
                try checks.log.note(place.header, bytes, by: node.id)
                try noteMembers(place.header)
            }
        }
        for event in outcome.events {
            note("node \(node.id) \(event)")
            cover(event, of: node)
            switch event {
            case .standing(let standing) where standing.role == .leader:
                statistics.leaderCount += 1
                try checks.leaders.note(standing.term, leader: node.id, life: node.life)
                if let replica = node.replica {
                    try checks.commits.checkLeader(
                        node.id, term: standing.term, log: replica.catalogue)
                }
            case .peerRefused(let peer, let reason):
                throw Violation("node \(node.id) refuses what node \(peer) sent: \(reason)")
            case .sealed: statistics.sealCount += 1
            default: break
            }
        }
        guard let replica = node.replica, let checked = node.process?.checkedCommit else { return }
        let commit = replica.consensus.commitIndex
        guard commit > checked else { return }
        let known = checks.commits.entries.count
        try checks.commits.note(
            from: checked, through: commit, log: replica.catalogue, term: replica.consensus.term,
            by: node.id)
        node.process?.checkedCommit = commit
        try noteCommittedMembers(from: known, through: checks.commits.entries.count)
    }

    private func noteMembers(_ header: EntryHeader) throws {
        guard header.kind == .membership,
            let rows = try checks.log.original(at: header.position)?.membership()?.members
        else { return }
        members.append(rows, at: header.position)
    }

    private func carryOut(_ outcome: ReplicaOutcome, _ node: SimulatedNode) {
        for frames in outcome.frames {
            switch frames.destination {
            case .peer(let peer): send(frames.bytes, from: node, to: Int(peer.value) - 1)
            case .client(let client):
                guard let link = node.process?.clients.last(where: { $0.id == client })?.link else {
                    continue
                }
                sendToGateway(frames.bytes, link)
            }
            guard node.isRunning else { return }
        }
        for job in outcome.reads {
            queue.insert(
                .read(node: node.place, life: node.life, job),
                at: later(random.number(in: 50_000...3_000_000)))
        }
        for job in outcome.fetches {
            queue.insert(
                .fetched(node: node.place, life: node.life, job),
                at: later(random.number(in: 50_000...3_000_000)))
        }
        if outcome.wantsReopening { crash(node, losingPower: false, after: 0) }
    }

    /// Sends each frame by itself, so that each may be lost by itself.
    func send(_ bytes: [UInt8], from node: SimulatedNode, to peer: Int) {
        // A mistyped address.
        guard nodes.indices.contains(peer) else { return }
        var offset = 0
        while offset < bytes.count {
            let length = Int(bytes.span.littleEndian(UInt32.self, at: offset))
            let end = offset + Frame.headerByteCount + length
            let frame = Array(bytes[offset..<end])
            offset = end
            note("\(node.id) → \(peer + 1) \(Self.describe(frame))")
            guard admit(frame, from: node.place, to: peer) else { continue }
            for time in network.arrivals(from: node.place, to: peer, now: now) {
                queue.insert(
                    .peerFrame(from: node.place, to: peer, life: node.life, frame),
                    at: time.advanced(byNanoseconds: hold(frame)))
            }
        }
        observe(bytes, from: node, to: peer)
    }

    static func describe(_ frame: [UInt8]) -> String {
        let range = Frame.headerByteCount..<frame.count
        guard let kind = FrameKind(rawValue: frame[4]),
            let received = try? ConsensusFrames.read(kind, range, frame.span)
        else { return "?" }
        guard case .appendRequest(let request) = received.message else {
            return "\(received.message)"
        }
        let entries = request.entries.map { "\($0.position)" }.joined(separator: " ")
        return "append term \(request.term) after \(request.previous) [\(entries)] commit "
            + "\(request.commit)"
    }

    func takeFetch(_ node: SimulatedNode, _ life: Int, _ job: FetchJob) {
        guard node.life == life, node.isRunning, case .peer(let peer) = job.destination else {
            return
        }
        var frame: [UInt8] = []
        job.run(ArchiveSource(disk: node.disk), into: &frame)
        send(frame, from: node, to: Int(peer.value) - 1)
    }

    func takeRead(_ node: SimulatedNode, _ life: Int, _ job: ReadJob) throws {
        guard node.life == life, let process = node.process,
            let link = process.clients.last(where: { $0.id == job.client })?.link
        else { return }
        var frame: [UInt8] = []
        let now = now
        switch job.run(ArchiveSource(disk: node.disk), leaf: &leaf, into: &frame) {
        case .answered: sendToGateway(frame, link)
        case .unsettled(let rows):
            try give(node) { $0.replica.settle(rows, into: &$0.outcome) }
        case .failed(let failed):
            statistics.cover(.damageFoundByRead)
            try give(node) { process in
                process.replica.readFailed(failed, now: now, into: &process.outcome)
            }
        }
    }
}
