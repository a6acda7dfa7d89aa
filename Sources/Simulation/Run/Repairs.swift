import Bytes
import Consensus
import PeerWire
import Records
import Replica
import SegmentLog

// Damage to the end of a log, and the repair that comes before the node is a member again.

extension Simulation {
    private static let repairDelay: UInt64 = 20_000

    /// Stops the node and flips bits in the end of its log. Never of two nodes at once: what both
    /// lack may have been acknowledged on no other.
    func rot(_ node: SimulatedNode) {
        let voters = members.voters
        guard voters.count > 1, voters.contains(node.id), membersRest, !hasDamage,
            !nodes.contains(where: { $0.isRotten || $0.isWiped }), node.aside == nil
        else { return }
        crash(node, losingPower: random.chance(30))
        guard let found = try? LogDirectory.inspect(disk: node.disk), found.faulty == nil else {
            return
        }
        let catalogue = found.catalogue
        var first = max(catalogue.archive.lastIndex.next, LogIndex(2))
        // Who the voters are has to be readable (docs/ROADMAP.md).
        var index = catalogue.lastIndex
        while index >= first, catalogue.header(at: index)?.kind != .membership {
            index = index.previous
        }
        first = max(first, index.next)
        guard first <= catalogue.lastIndex else { return }
        first = first.advanced(
            by: Int(random.below(catalogue.lastIndex.value - first.value + 1)))
        if !random.chance(30) || !misdirectLastWrite(of: node, catalogue, from: first) {
            flipBits(of: node, catalogue, from: first)
        }
        node.isRotten = true
        statistics.diskFaultCount += 1
        note("node \(node.id) rots from entry \(first) on")
    }

    private func flipBits(of node: SimulatedNode, _ catalogue: Catalogue, from first: LogIndex) {
        for _ in 0..<(1 + random.below(3)) {
            let index = first.advanced(
                by: Int(random.below(catalogue.lastIndex.value - first.value + 1)))
            guard let place = catalogue.place(of: index) else { continue }
            let offset = place.offset + Int(random.below(UInt64(place.byteCount)))
            let bit = offset * 8 + Int(random.below(8))
            node.disk.flipBit(bit, of: place.file)
            node.flippedBits.append((place.file, bit))
        }
    }

    /// The write of the last entry went to other sectors of the log, at or behind the entry `first`,
    /// and was acknowledged: zeros are where it belongs, as before. False where there is no room for it.
    private func misdirectLastWrite(
        of node: SimulatedNode, _ catalogue: Catalogue, from first: LogIndex
    ) -> Bool {
        guard let source = catalogue.place(of: catalogue.lastIndex),
            let victim = catalogue.place(of: first),
            let written = node.disk.contents(of: source.file),
            let hit = node.disk.contents(of: victim.file)
        else { return false }
        let size = SimulatedDisk.sectorSize
        let sectors = source.offset / size..<(source.end - 1) / size + 1
        let lowest = (victim.offset + size - 1) / size
        let limit = victim.file == source.file ? sectors.lowerBound : hit.count / size
        guard limit >= lowest + sectors.count else { return false }
        let target = random.number(in: lowest...(limit - sectors.count))
        node.goodFiles = [(source.file, written), (victim.file, hit)]
        let end = min(sectors.upperBound * size, written.count)
        node.disk.overwrite(
            Array(written[sectors.lowerBound * size..<end]), of: victim.file, at: target * size)
        node.disk.overwrite(
            [UInt8](repeating: 0, count: source.byteCount), of: source.file, at: source.offset)
        statistics.cover(.writeMisdirected)
        note(
            "node \(node.id): entry \(catalogue.lastIndex) went to \(victim.file), sector \(target)"
        )
        return true
    }

    func beginRepair(_ node: SimulatedNode) throws {
        node.disk.plan(.crash, at: -1)
        guard let remains = try TailRemains(disk: node.disk, clusterID: cluster) else {
            throw Violation("node \(node.id) is faulty and is not")
        }
        note("node \(node.id) repairs \(remains.tail)")
        node.life += 1
        let known = try Replica.members(of: remains.recovered, ArchiveSource(disk: node.disk))
        if node.repairingSince == .zero { node.repairingSince = now }
        node.repair = TailRepair(
            remains: remains, disk: node.disk,
            voters: known.filter { $0.role == .voter }.map(\.id), seed: random.next())
        if isSafetyPhase, options.faults.contains(.crashInRecovery), random.chance(20) {
            node.disk.plan(.crash, at: node.disk.operationCount + random.below(8))
        }
        planRepair(node, at: now)
    }

    /// The process ends; its disk is as it was, because nothing is written before the end.
    func endRepair(_ node: SimulatedNode) {
        note("node \(node.id) is killed while it repairs")
        statistics.cover(.crashWhileRepairing)
        statistics.crashCount += 1
        node.repair = nil
        node.nextRepair = nil
        node.disk.plan(.crash, at: -1)
        queue.insert(.start(node: node.place), at: later(random.number(in: options.restartDelay)))
    }

    private func planRepair(_ node: SimulatedNode, at time: Instant) {
        if let planned = node.nextRepair, planned <= time { return }
        node.nextRepair = time
        queue.insert(.repair(node: node.place, life: node.life), at: time)
    }

    func takeRepairFrame(_ node: SimulatedNode, _ sender: NodeID, _ bytes: [UInt8]) throws {
        guard var repair = node.repair.take() else { return }
        var frames = FrameBuffer()
        frames.payloadLimit = Frame.payloadBytes
        frames.bytes = bytes
        var outcome = RepairOutcome()
        while let (kind, payload) = try frames.next() {
            repair.receive(
                kind, payload, in: bytes.span, from: sender, now: now, into: &outcome)
        }
        node.repair = repair
        try carryOut(outcome, node)
        planRepair(node, at: later(Self.repairDelay))
    }

    func takeRepair(_ node: SimulatedNode, life: Int) throws {
        guard node.life == life, node.nextRepair == now, var repair = node.repair.take() else {
            return
        }
        node.nextRepair = nil
        var outcome = RepairOutcome()
        repair.endTurn(now: now, into: &outcome)
        if outcome.isMended {
            statistics.repairCount += 1
            statistics.cover(.tailRepaired)
            note("node \(node.id) is whole again")
            node.disk.plan(.crash, at: -1)
            return queue.insert(.start(node: node.place), at: now)
        }
        if case .disk = outcome.failure { return startAgain(node) }
        node.repair = repair
        try carryOut(outcome, node)
        if isBeyondRepair(node) {
            endRepair(node)
            restoreTail(of: node)
            return
        }
        planRepair(node, at: max(repair.deadline, later(Self.repairDelay)))
    }

    /// Whether peers have compacted what the node lacks, or it is the genesis (docs/ROADMAP.md), and it
    /// has had its time.
    private func isBeyondRepair(_ node: SimulatedNode) -> Bool {
        guard now.nanoseconds(since: node.repairingSince) > 3_000_000_000, let repair = node.repair
        else { return false }
        let first = repair.remains.tail.firstIndex
        return nodes.contains { peer in
            guard let archive = peer.replica?.catalogue.archive else { return false }
            return archive.segments.contains { $0.generation > 0 && $0.lastIndex >= first }
        }
    }

    private func carryOut(_ outcome: RepairOutcome, _ node: SimulatedNode) throws {
        if let failure = outcome.failure {
            throw Violation("node \(node.id) cannot be repaired: \(failure)")
        }
        for event in outcome.events {
            note("node \(node.id) \(event)")
            switch event {
            case .fetchedWrong(let peer):
                throw Violation("node \(peer) sent node \(node.id) something else")
            case .peerRefused(let peer, let reason):
                throw Violation("node \(node.id) refuses what node \(peer) sent: \(reason)")
            case .lacking: statistics.cover(.tailLacking)
            case .discarded: statistics.cover(.tailDiscarded)
            }
        }
        for frames in outcome.frames {
            guard case .peer(let peer) = frames.destination else { continue }
            send(frames.bytes, from: node, to: Int(peer.value) - 1)
        }
    }
}
