import Bytes
import PeerWire
import Records
import Replica
import SegmentLog
import Simulation
import Testing

/// Nodes whose disks hold a log of the same entries, behind a genesis; they repair each other.
private struct RepairCluster {
    static let settings = LogSettings(segmentBytes: 4_096, groupEntries: 1)

    let nodes: [NodeID]
    var disks: [SimulatedDisk]
    /// Nodes that neither ask nor answer.
    var silent: Set<NodeID> = []
    /// Of those that repair.
    private var repairs: [NodeID: TailRepair<SimulatedDisk>] = [:]
    private(set) var events: [RepairEvent] = []
    private(set) var failures: [RecoveryFailure] = []

    init(disks: [SimulatedDisk]) {
        self.disks = disks
        nodes = disks.indices.map { NodeID(UInt32($0 + 1)) }
    }

    /// A disk with a log of this node; the first record names it, so all logs are the same.
    static func log(_ node: UInt32, bodies: [Int?], term: UInt64 = 1) throws -> ScriptedLog {
        let disk = SimulatedDisk()
        try LogDirectory.initialize(
            disk: disk,
            identity: DiskIdentity(
                clusterID: ScriptedLog.identity.clusterID, nodeID: NodeID(node),
                incarnation: Identifier(high: 7, low: UInt64(node))))
        var log = try ScriptedLog(recovering: disk, settings: settings)
        try log.store(DurableVote(term: Term(term), votedFor: nil))
        for body in bodies { try log.append([body]) }
        return log
    }

    private func disk(of node: NodeID) -> SimulatedDisk { disks[Int(node.value) - 1] }

    /// Lets everybody ask and answer until nothing changes any more.
    mutating func run() throws {
        for node in nodes where !silent.contains(node) {
            guard let remains = try TailRemains(disk: disk(of: node)) else { continue }
            repairs[node] = TailRepair(
                remains: remains, disk: disk(of: node), voters: nodes, seed: UInt64(node.value))
        }
        var now = Instant(nanoseconds: 1)
        // Two rounds of pauses without a result: it stays like that.
        for _ in 0..<80 where !repairs.isEmpty {
            var frames: [(from: NodeID, to: NodeID, bytes: [UInt8])] = []
            for node in nodes { frames += try turn(node, now: now) }
            while !frames.isEmpty {
                let sent = frames
                frames = []
                for frame in sent { frames += try deliver(frame, now: now) }
            }
            now = now.advanced(byNanoseconds: 50_000_000)
        }
    }

    private mutating func turn(
        _ node: NodeID, now: Instant
    ) throws -> [(from: NodeID, to: NodeID, bytes: [UInt8])] {
        guard var repair = repairs[node] else { return [] }
        var outcome = RepairOutcome()
        repair.endTurn(now: now, into: &outcome)
        repairs[node] = repair
        return take(outcome, from: node)
    }

    private mutating func take(
        _ outcome: RepairOutcome, from node: NodeID
    ) -> [(from: NodeID, to: NodeID, bytes: [UInt8])] {
        events += outcome.events
        if let failure = outcome.failure { failures.append(failure) }
        if outcome.isMended || outcome.failure != nil { repairs[node] = nil }
        return outcome.frames.compactMap { frames in
            guard case .peer(let peer) = frames.destination else { return nil }
            return (node, peer, frames.bytes)
        }
    }

    private mutating func deliver(
        _ frame: (from: NodeID, to: NodeID, bytes: [UInt8]), now: Instant
    ) throws -> [(from: NodeID, to: NodeID, bytes: [UInt8])] {
        guard !silent.contains(frame.to) else { return [] }
        var buffer = FrameBuffer()
        buffer.payloadLimit = Frame.payloadBytes
        buffer.bytes = frame.bytes
        guard let (kind, payload) = try buffer.next() else { return [] }
        if var repair = repairs[frame.to] {
            var outcome = RepairOutcome()
            repair.receive(
                kind, payload, in: frame.bytes.span, from: frame.from, now: now, into: &outcome)
            // What was answered may be what was lacking.
            repair.endTurn(now: now, into: &outcome)
            repairs[frame.to] = repair
            return take(outcome, from: frame.to)
        }
        // A node whose log is whole answers like a Replica does.
        guard kind == .fetch else { return [] }
        let recovered = try LogDirectory.inspect(disk: disk(of: frame.to))
        guard recovered.faulty == nil else { return [] }
        let job = FetchJob(
            destination: .peer(frame.from), fetch: try Fetch(payload, frame.bytes.span),
            catalogue: recovered.catalogue, committed: recovered.catalogue.lastIndex,
            term: recovered.vote.term)
        var answer: [UInt8] = []
        job.run(ArchiveSource(disk: disk(of: frame.to)), into: &answer)
        return [(frame.to, frame.from, answer)]
    }

    /// The node's log as it would start; nil while it is faulty.
    func entries(of node: NodeID) throws -> [Entry]? {
        let disk = SimulatedDisk(copying: disk(of: node))
        do {
            return try ScriptedLog(recovering: disk, settings: Self.settings).entries
        } catch RecoveryFailure.faulty {
            return nil
        }
    }
}

struct TailRepairTests {
    private let file = FileName.segment(LogIndex(1))

    /// Flips a bit in the body of the entry with `index`.
    private func damage(_ disk: SimulatedDisk, _ log: ScriptedLog, _ index: UInt64) throws {
        let place = try #require(log.catalogue.place(of: LogIndex(index)))
        disk.flipBit((place.offset + EntryHeader.encodedSize + 3) * 8, of: place.file)
    }

    @Test func `every pattern of damage to 4 entries on 3 nodes recovers or halts`() throws {
        let logs = try (1...3).map { try RepairCluster.log($0, bodies: [40, 60, 80, 100, 120]) }
        var recovered = 0
        var halted = 0
        var unsafe = 0
        for pattern in 0..<4_096 {
            let disks = logs.map { SimulatedDisk(copying: $0.disk) }
            for bit in 0..<12 where pattern >> bit & 1 == 1 {
                try damage(disks[bit / 4], logs[bit / 4], UInt64(2 + bit % 4))
            }
            var cluster = RepairCluster(disks: disks)
            try cluster.run()
            let found = try cluster.nodes.map { try cluster.entries(of: $0) }
            let isRight = found.allSatisfy { $0 == nil || $0 == logs[0].entries }
            if !isRight || !cluster.failures.isEmpty {
                unsafe += 1
            } else if found.allSatisfy({ $0 != nil }) {
                recovered += 1
            } else {
                // Nobody starts who lacks something, and everybody says what.
                let lacking = found.count { $0 == nil }
                let said = cluster.events.count { if case .lacking = $0 { true } else { false } }
                if said >= lacking { halted += 1 } else { unsafe += 1 }
            }
            let isLost = (0..<4).contains { entry in
                (0..<3).allSatisfy { pattern >> ($0 * 4 + entry) & 1 == 1 }
            }
            #expect(isLost == found.contains { $0 == nil }, "pattern \(pattern)")
        }
        #expect(recovered == 2_401)
        #expect(halted == 1_695)
        #expect(unsafe == 0)
    }

    @Test func `a repair cut anywhere loses nothing and goes on where it was`() throws {
        let bodies: [Int?] = [40, 60, nil, 80, 100, nil, 120, 140]
        let logs = try (1...2).map { try RepairCluster.log($0, bodies: bodies) }
        var operation = 0
        var isDone = false
        while !isDone {
            let disk = SimulatedDisk(copying: logs[0].disk)
            for index: UInt64 in [2, 3, 4, 7] { try damage(disk, logs[0], index) }
            disk.zeroSector(0, of: FileName.segment(LogIndex(7)))
            disk.plan(.crash, at: operation)
            var cluster = RepairCluster(disks: [disk, SimulatedDisk(copying: logs[1].disk)])
            try cluster.run()
            isDone = !disk.hasCrashed
            disk.plan(.crash, at: -1)
            var random = RandomSource(seed: UInt64(operation))
            disk.restartAfterPowerLoss(&random)
            var next = RepairCluster(disks: cluster.disks)
            try next.run()
            #expect(try next.entries(of: NodeID(1)) == logs[0].entries)
            operation += 1
        }
        #expect(operation > 4)
    }

    @Test func `segments that are gone or cut short are written again`() throws {
        let bodies: [Int?] = [40, 60, nil, 80, 100, nil, 120, 140]
        let logs = try (1...3).map { try RepairCluster.log($0, bodies: bodies) }
        let disk = SimulatedDisk(copying: logs[0].disk)
        try disk.remove(FileName.segment(LogIndex(4)))
        try disk.resize(FileName.segment(LogIndex(7)), byteCount: 100)
        var cluster = RepairCluster(
            disks: [disk] + logs.dropFirst().map { SimulatedDisk(copying: $0.disk) })
        try cluster.run()
        #expect(try cluster.entries(of: NodeID(1)) == logs[0].entries)
        #expect(
            disk.contents(of: FileName.segment(LogIndex(4)))
                == logs[0].disk.contents(of: FileName.segment(LogIndex(4))))
    }

    /// Node 1 had two entries more than the others, and lost one or both.
    private func alone(
        damaged: [UInt64], promised: UInt64, of count: UInt32 = 3
    ) throws -> (RepairCluster, ScriptedLog) {
        let own = try RepairCluster.log(1, bodies: [40, 60, 80, 100])
        let disk = SimulatedDisk(copying: own.disk)
        for index in damaged { try damage(disk, own, index) }
        let others = try (2...count).map {
            try RepairCluster.log($0, bodies: [40, 60])
        }
        var disks = [disk]
        for var other in others {
            try other.store(DurableVote(term: Term(promised), votedFor: nil))
            disks.append(other.disk)
        }
        return (RepairCluster(disks: disks), own)
    }

    @Test(arguments: [[3], [4], [3, 4]]) func `what no voter ever had is dropped`(
        damaged: [UInt64]
    ) throws {
        var (cluster, own) = try alone(damaged: damaged, promised: 1)
        try cluster.run()
        let found = try #require(try cluster.entries(of: NodeID(1)))
        // A good entry behind a dropped one goes with it.
        let first = Int(damaged[0]) - 1
        #expect(found == Array(own.entries[..<first]))
        let dropped = cluster.events.contains { if case .discarded = $0 { true } else { false } }
        #expect(dropped)
    }

    @Test func `nothing is dropped while one voter of three is silent`() throws {
        var (cluster, _) = try alone(damaged: [4], promised: 2)
        cluster.silent = [NodeID(3)]
        try cluster.run()
        #expect(try cluster.entries(of: NodeID(1)) == nil)
    }

    @Test func `a majority decides without the others only when it promised later terms`() throws {
        for (promised, isDropped) in [(UInt64(1), false), (2, true)] {
            var (cluster, own) = try alone(damaged: [4], promised: promised, of: 5)
            cluster.silent = [NodeID(5)]
            try cluster.run()
            let found = try cluster.entries(of: NodeID(1))
            #expect(found == (isDropped ? Array(own.entries[..<3]) : nil))
        }
    }

    @Test func `a voter that lost its own copy does not say that it never had it`() throws {
        let logs = try (1...3).map { try RepairCluster.log($0, bodies: [40, 60, 80]) }
        let disks = logs.map { SimulatedDisk(copying: $0.disk) }
        for place in 0..<3 { try damage(disks[place], logs[place], 3) }
        var cluster = RepairCluster(disks: disks)
        try cluster.run()
        let dropped = cluster.events.contains { if case .discarded = $0 { true } else { false } }
        #expect(!dropped)
        for node in cluster.nodes { #expect(try cluster.entries(of: node) == nil) }
    }

    /// `bodies`: with a SEAL the log went on in a file that has no place in what is taken over.
    @Test(arguments: [[40, 60, 80, 100], [40, 60, nil, 80], [40, nil, 60, 80]] as [[Int?]])
    func `what was committed in its place is taken over`(bodies: [Int?]) throws {
        // Node 1 led term 1 and had entries alone; the others went on in term 2.
        let own = try RepairCluster.log(1, bodies: bodies)
        let disk = SimulatedDisk(copying: own.disk)
        for index: UInt64 in [2, 3, 4] { try damage(disk, own, index) }
        var disks = [disk]
        var right: [Entry] = []
        for node: UInt32 in 2...3 {
            var log = try RepairCluster.log(node, bodies: [40])
            try log.store(DurableVote(term: Term(2), votedFor: nil))
            for body in [30, 50, 70] { try log.append([body]) }
            disks.append(log.disk)
            right = log.entries
        }
        var cluster = RepairCluster(disks: disks)
        try cluster.run()
        // It is anchored in front of the last entry, which nobody can name; the leader sends the rest.
        #expect(try cluster.entries(of: NodeID(1)) == Array(right.prefix(3)))
        #expect(cluster.failures.isEmpty)
    }
}
