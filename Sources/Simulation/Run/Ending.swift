import Bytes
import Consensus
import Crypto
import Gateway
import Ledger
import PeerWire
import Records
import Replica
import SegmentLog

// The run's phases: faults, healing and liveness, and what must hold in the end.

extension Simulation {
    /// Runs the whole seed. Throws the first violation.
    package func run() throws {
        defer { statistics.virtualNanoseconds = now.nanoseconds - 1_000_000_000 }
        try run(until: later(options.safetyTime))
        isSafetyPhase = false
        if healMajority() { try demandService("a majority") }
        healAll()
        try demandService("all nodes")
        try demandMembers()
        try demandMended()
        try demandRetention()
        try checkEnd()
        if let fault = options.lastFault { try end(with: fault) }
    }

    private func heal() {
        network.heal()
        network.manners = SimulatedNetwork.Manners()
        diskDelay = 100_000...1_000_000
        for node in nodes {
            node.stalledUntil = .zero
            node.clockOffset = 0
            node.disk.capacity = nil
            node.disk.plan(.crash, at: -1)
        }
    }

    /// A drawn majority is healed; the others stay as they are, but cut off or down.
    ///
    /// False when the damage that is left takes more nodes than may rest.
    private func healMajority() -> Bool {
        heal()
        // A change that may come yet would need another majority.
        guard membersRest, now.nanoseconds(since: memberOperator.answeredAt) > changePatience else {
            return false
        }
        var order = nodes.indices.filter { members.voters.contains(nodes[$0].id) }
        let voterCount = order.count
        for place in order.indices.reversed() {
            order.swapAt(place, random.below(place + 1))
        }
        // What a damaged node lacks may be on those that rest.
        _ = hasDamage
        let damaged = order.filter { nodes[$0].isRotten || !nodes[$0].rottenSegments.isEmpty }
        order = order.filter { !damaged.contains($0) } + damaged
        let majority = voterCount / 2 + 1
        guard voterCount - damaged.count >= majority || voterCount == 1 else { return false }
        for place in order.dropFirst(majority) {
            resting[place] = true
            if random.chance(50) {
                network.isolate(place)
            } else {
                crash(nodes[place], losingPower: true)
            }
        }
        note("healed: nodes \(order.prefix(majority).map { nodes[$0].id })")
        for place in order.prefix(majority) { queue.insert(.start(node: place), at: now) }
        return true
    }

    private func healAll() {
        heal()
        for place in nodes.indices {
            resting[place] = false
            queue.insert(.start(node: place), at: now)
        }
        // One that was away while all that it knew were removed is told where to begin.
        for gateway in gateways
        where !gateway.client.nodes.contains(where: { members.voters.contains($0.id) }) {
            restart(gateway)
        }
        note("healed: all nodes")
    }

    private var live: [SimulatedNode] {
        nodes.filter { node in
            node.isRunning && isMember(node)
                && !(0..<options.nodeCount).contains { other in
                    other != node.place && !resting[other]
                        && network.isBlocked(from: node.place, to: other)
                }
        }
    }

    // MARK: Liveness

    /// Longest time without service once a majority is healed. Messages that were under way when
    /// it healed still arrive late, and links to nodes are opened again after up to two seconds.
    private var patience: UInt64 {
        options.electionTimeout * 12 + options.network.longDelay + 4_000_000_000
    }

    /// In this time a command about the members that was given up has been carried out, or never
    /// will be.
    private var changePatience: UInt64 {
        options.electionTimeout * 2 + options.network.longDelay + 2_500_000_000
    }

    /// How long the operator may take for what is left to do, a replaced disk included.
    var memberPatience: UInt64 { patience * 3 + options.requestDeadline * 4 }

    func demandService(_ who: String) throws {
        // Asking costs more than a step does.
        var steps = 0
        let served = try run(until: later(patience)) {
            steps += 1
            return steps % 16 == 0
                && live.contains { $0.replica?.status(now: now).serves ?? false }
        }
        guard served else { throw Violation("\(who): nobody serves after \(patience) ns") }
        try demandAppend(who)
        let settled = try run(until: later(patience + options.requestDeadline * 24)) {
            workload.clients.allSatisfy { $0.operation == nil && $0.again == nil }
        }
        guard settled else { throw Violation("\(who): a client's operation does not end") }
        let converged = try run(until: later(patience)) {
            steps += 1
            return steps % 16 == 0 && hasConverged
        }
        guard converged else {
            let ends = live.map { "node \($0.id) at \(end(of: $0))" }.joined(separator: ", ")
            throw Violation("\(who): the logs do not converge: \(ends)")
        }
    }

    /// A fresh event is acknowledged, however often it has to be asked for.
    func demandAppend(_ who: String) throws {
        let content = history.add(
            EventDraft.content(
                uniqueID: Array("liveness of \(who)".utf8), note: 0, padding: 0,
                token: administrator, hash: hash))
        let deadline = later(patience + options.requestDeadline)
        while now < deadline {
            let operation = history.operations.count
            begin(.append(content: content, expected: nil), client: nil)
            try run(until: deadline) { history.operations[operation].answer != nil }
            if case .receipt = history.operations[operation].answer { return }
            try run(until: later(100_000_000))
        }
        throw Violation("\(who): an event is not acknowledged after \(patience) ns")
    }

    /// Damaged segments are found and fetched, by reads or by the scrubber, within a few passes.
    private func demandMended() throws {
        guard hasDamage else { return }
        var steps = 0
        let mended = try run(until: later(patience + options.scrubPeriod * 3)) {
            steps += 1
            return steps % 64 == 0 && !hasDamage
        }
        guard mended else {
            let files = nodes.flatMap { node in
                node.rottenSegments.map { "\($0.file) of node \(node.id)" }
            }
            throw Violation("damage is not mended: \(files.joined(separator: ", "))")
        }
    }

    /// Compactions and erasures that are under way come to their end.
    func demandRetention() throws {
        var steps = 0
        let settled = try run(until: later(retentionPatience)) {
            steps += 1
            return steps % 16 == 0 && hasConverged && isRetentionSettled
        }
        guard settled else { throw Violation("retention does not settle: \(unsettled)") }
    }

    var hasConverged: Bool {
        // One that opens its files anew is waited for.
        guard nodes.filter(isExpected).allSatisfy({ $0.isRunning }) else { return false }
        let replicas = live.compactMap(\.replica)
        guard let first = replicas.first else { return false }
        return replicas.allSatisfy { replica in
            replica.catalogue.lastPosition == first.catalogue.lastPosition
                && replica.ledger.applied == replica.catalogue.lastIndex
                && replica.consensus.durablePosition == replica.catalogue.lastPosition
        } && live.allSatisfy { $0.process?.writing.isEmpty ?? false }
    }

    // MARK: The end

    func checkEnd() throws {
        let expected = nodes.filter(isExpected)
        for node in expected { try check(node) }
        let logs = expected.compactMap { node in
            node.replica.map { (node: node.id, log: $0.catalogue, disk: node.disk) }
        }
        guard logs.count == expected.count else {
            throw Violation("a node does not run")
        }
        try SegmentCheck.check(logs)
        let audit = try LogAudit(
            of: checks.commits.entries(from: checks.log), cluster: cluster)
        for (node, log, disk) in logs {
            try RemainsCheck(log: audit).check(try LogAudit(of: log, on: disk), of: node)
        }
        try checkSecrets(audit)
        cover(audit)
        try HistoryCheck.check(
            history, against: audit, mayMeetDamage: options.faults.contains(.archiveRot))
        try TransferCheck(history: history, leaders: checks.leaders).check()
        try MemberCheck(history: history, members: members).check()
    }

    private func check(_ node: SimulatedNode) throws {
        guard let replica = node.replica else { return }
        let first = nodes.first(where: isExpected)?.replica
        guard replica.ledger.nextSequence == first?.ledger.nextSequence,
            replica.ledger.directory == first?.ledger.directory,
            replica.ledger.answers == first?.ledger.answers,
            replica.ledger.membership == first?.ledger.membership,
            replica.ledger.membership.rows == members.rows
        else { throw Violation("node \(node.id) has another directory than others") }
    }

    /// A number for everything that this run did: disks, answers, time and events.
    package var endState: UInt64 {
        var state = RandomSource(seed: now.nanoseconds ^ UInt64(statistics.eventCount) << 40)
        for node in nodes {
            state = RandomSource(seed: state.next() ^ node.disk.durableFingerprint)
        }
        for operation in history.operations {
            let text =
                "\(operation.invoked) \(operation.completed ?? -1) "
                + (operation.answer.map { Self.describe($0) } ?? "")
            let checksum = CRC32C.checksum(Array(text.utf8).span)
            state = RandomSource(seed: state.next() ^ UInt64(checksum))
        }
        return state.next()
    }
}
