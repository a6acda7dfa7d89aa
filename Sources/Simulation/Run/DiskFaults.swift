import Bytes
import Crypto
import Records
import Replica
import SegmentLog

// Damage to files that are not the end of the log: the archive, and what lies beside it. At most
// what the promise allows: of every segment a good copy is left on another node, and of what is
// kept twice on one node one copy.

extension Simulation {
    /// Damages one archived segment of the node, while its process runs or not.
    func rotArchive(_ node: SimulatedNode) {
        guard isMember(node), !node.isRotten, node.aside == nil,
            let archive = archive(on: node), !archive.segments.isEmpty
        else { return }
        let segment = random.pick(archive.segments)
        guard SegmentCheck.isGood(segment, on: node.disk) else { return }
        let others = nodes.filter { other in
            other !== node && mayHelp(other) && holdsGood(segment, other)
        }
        guard others.count >= options.goodCopies else { return }
        damage(segment, of: node)
        node.rottenSegments.append(segment)
        statistics.diskFaultCount += 1
        statistics.cover(node.isRunning ? .segmentRotsWhileRunning : .segmentRotsWhileDown)
        if nodes.count(where: { !$0.rottenSegments.isEmpty }) > 1 {
            statistics.cover(.archivesRotOnTwoNodes)
        }
    }

    /// Whether what is on the node's disk stays within the cluster's reach.
    private func mayHelp(_ node: SimulatedNode) -> Bool {
        members.hasMemberForCertain(node.id) && memberOperator.removing != node.id
    }

    private func damage(_ segment: SegmentDescriptor, of node: SimulatedNode) {
        let (disk, file) = (node.disk, segment.file)
        switch random.below(10) {
        case 0..<5:
            for _ in 0..<(1 + random.below(3)) {
                disk.flipBit(random.below(segment.byteCount * 8), of: file)
            }
            note("node \(node.id): bits of \(file) flip")
        case 5..<8:
            let sectors = (segment.byteCount - 1) / SimulatedDisk.sectorSize + 1
            let first = random.below(sectors)
            for sector in first..<min(sectors, first + 1 + random.below(4)) {
                disk.zeroSector(sector, of: file)
            }
            statistics.cover(.segmentSectorsZeroed)
            note("node \(node.id): sectors of \(file) are zeros")
        case 8:
            let bytes = disk.contents(of: file) ?? []
            disk.replace(file, with: Array(bytes.prefix(random.below(segment.byteCount))))
            statistics.cover(.segmentCutShort)
            note("node \(node.id): \(file) is cut")
        default:
            disk.lose(file)
            statistics.cover(.segmentLost)
            note("node \(node.id): \(file) is lost")
        }
    }

    /// Damages a file that is kept twice, or that can be made again.
    func rotAside(_ node: SimulatedNode) {
        guard isMember(node), !node.isWiped, !node.isRotten, node.aside == nil,
            node.rottenSegments.isEmpty
        else { return }
        let disk = node.disk
        switch random.below(6) {
        case 0: rot(anyOf: disk.names.filter { $0.hasSuffix(".places") }, of: node, .placesRot)
        case 1: rot(anyOf: disk.names.filter { $0.hasSuffix(".index") }, of: node, .indexRots)
        case 2:
            let tables = disk.names.filter { $0.hasSuffix(".state") }
            guard tables.count > 1, hasGoodStates(node), let newest = tables.last else { return }
            rot(anyOf: [random.chance(70) ? newest : tables[0]], of: node, .stateRots)
        case 3:
            let copies = (0..<Manifest.copies).map { FileName.manifest($0) }
            guard Set(copies.map { disk.contents(of: $0) ?? [] }).count == 1 else { return }
            rot(anyOf: copies.filter { disk.names.contains($0) }, of: node, .manifestCopyRots)
        case 4:
            guard let bytes = disk.contents(of: FileName.vote), NodeFiles.vote(bytes) == .good
            else { return }
            flip(random.below(2) * 4_096 * 8 + random.below(64 * 8), FileName.vote, of: node)
            statistics.cover(.voteCopyRots)
        default:
            guard let bytes = disk.contents(of: FileName.persist),
                NodeFiles.persist(bytes).0 == .good
            else { return }
            flip(random.below(bytes.count * 8), FileName.persist, of: node)
            statistics.cover(.persistRecordRots)
        }
    }

    private func rot(anyOf names: [String], of node: SimulatedNode, _ case: CoverageCase) {
        guard !names.isEmpty else { return }
        let name = random.pick(names)
        guard let count = node.disk.contents(of: name)?.count, count > 0 else { return }
        flip(random.below(count * 8), name, of: node)
        statistics.cover(`case`)
    }

    private func flip(_ bit: Int, _ name: String, of node: SimulatedNode) {
        node.disk.flipBit(bit, of: name)
        node.aside = name
        statistics.diskFaultCount += 1
        note("node \(node.id): a bit of \(name) flips")
    }

    private func hasGoodStates(_ node: SimulatedNode) -> Bool {
        guard let archive = archive(on: node), archive.segments.count > 1 else { return false }
        return archive.segments.suffix(StateTableFile.keptCount).allSatisfy { segment in
            let bytes = node.disk.contents(of: FileName.state(segment.lastIndex)) ?? []
            return StateTableFile.digest(of: bytes, hash) == segment.stateTable
        }
    }

    /// The manifest as the disk has it.
    private func archive(on node: SimulatedNode) -> Manifest? {
        (0..<Manifest.copies).compactMap { copy in
            node.disk.contents(of: FileName.manifest(copy)).flatMap { Manifest($0.span, hash) }
        }.max { $0.version < $1.version }
    }

    private func holdsGood(_ segment: SegmentDescriptor, _ node: SimulatedNode) -> Bool {
        archive(on: node)?.names(segment) == true && SegmentCheck.isGood(segment, on: node.disk)
    }

    /// The node has started: what was damaged beside its segments is written anew, but for a block of
    /// an index table that nobody has read yet.
    func lookAside(of node: SimulatedNode) {
        guard let name = node.aside else { return }
        guard name.hasSuffix(".index") else {
            node.aside = nil
            return
        }
        guard !node.disk.names.contains(name) || node.isIndexDamageFound else { return }
        statistics.cover(.indexRebuilt)
        node.isIndexDamageFound = false
        node.aside = nil
    }

    /// A table of the index was found to be damaged, and removed.
    func reopen(_ node: SimulatedNode, _ reason: String) {
        note("node \(node.id) opens its files anew: \(reason)")
        node.isIndexDamageFound = true
        crash(node, losingPower: false, after: 0)
    }

    /// Forgets the damage that is mended, or that nobody names any more.
    func lookAtDamage(of node: SimulatedNode) {
        guard !node.rottenSegments.isEmpty else { return }
        // Nobody helps a node that was removed.
        guard isMember(node) else { return node.rottenSegments = [] }
        guard let archive = archive(on: node) else { return }
        node.rottenSegments.removeAll { segment in
            guard archive.names(segment) else { return true }
            guard SegmentCheck.isGood(segment, on: node.disk) else { return false }
            statistics.cover(.segmentMended)
            return true
        }
    }

    var hasDamage: Bool {
        nodes.contains { node in
            lookAtDamage(of: node)
            return !node.rottenSegments.isEmpty
        }
    }

    /// What the product cannot mend by itself yet (docs/ROADMAP.md): an operator copies the files of
    /// damaged segments from a node that has them.
    func restoreSegments(of node: SimulatedNode) {
        for segment in node.rottenSegments where !SegmentCheck.isGood(segment, on: node.disk) {
            guard let source = nodes.first(where: { $0 !== node && holdsGood(segment, $0) }),
                let bytes = source.disk.contents(of: segment.file)
            else { continue }
            node.disk.replace(segment.file, with: bytes)
        }
        statistics.cover(.operatorRestoresSegment)
    }

    /// The same of a tail whose entries peers have compacted: the sectors are read again after all.
    func restoreTail(of node: SimulatedNode) {
        for (name, bit) in node.flippedBits { node.disk.flipBit(bit, of: name) }
        node.flippedBits = []
        for (name, bytes) in node.goodFiles { node.disk.replace(name, with: bytes) }
        node.goodFiles = []
        statistics.cover(.operatorRestoresTail)
    }

    // MARK: Room

    /// Leaves the node little room, for a while.
    func fill(_ node: SimulatedNode) {
        let room = random.below(options.segmentBytes * 14)
        node.disk.capacity = node.disk.usedByteCount + room
        statistics.diskFaultCount += 1
        note("node \(node.id) has room for \(room) bytes")
        queue.insert(
            .room(node: node.place), at: later(random.number(in: 300_000_000...3_000_000_000)))
    }

    func measure(_ process: inout SimulatedNode.Process, of node: SimulatedNode) {
        guard options.faults.contains(.room), now.nanoseconds(since: node.measuredAt) >= 20_000_000
        else { return }
        node.measuredAt = now
        let total = node.disk.capacity ?? 1 << 40
        process.replica.measured(
            free: UInt64(max(0, total - node.disk.usedByteCount)), total: UInt64(total), now: now,
            wall: wall(of: node), into: &process.outcome)
    }
}
