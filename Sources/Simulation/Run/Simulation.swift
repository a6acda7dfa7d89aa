import BugZoo
import Bytes
import Consensus
import Crypto
import Gateway
import Ledger
import PeerWire
import Records
import Replica
import SegmentLog

/// One run: nodes, gateways, clients and faults on one clock, all of it a function of the seed.
package final class Simulation {
    enum Event {
        case turn(node: Int)
        case written(node: Int, life: Int)
        case maintained(node: Int, life: Int)
        /// `life`: which process of the sender.
        case peerFrame(from: Int, to: Int, life: Int, [UInt8])
        case nodeFrame(GatewayLink, [UInt8])
        case read(node: Int, life: Int, ReadJob)
        case fetched(node: Int, life: Int, FetchJob)
        case start(node: Int)
        case repair(node: Int, life: Int)
        case connect(gateway: Int, node: Int)
        case opened(GatewayLink, nodeLife: Int)
        case broken(GatewayLink)
        case gatewayFrame(GatewayLink, [UInt8])
        case gatewayTurn(Int)
        case client(Int)
        case fault
        case adversary(Int)
        /// There is room on a node's disk again.
        case room(node: Int)
        /// The operator looks at the members.
        case members
    }

    package let options: SimulationOptions
    var random: RandomSource
    var now = Instant(nanoseconds: 1_000_000_000)
    var queue = EventQueue<Event>()
    var nodes: [SimulatedNode] = []
    var gateways: [SimulatedGateway] = []
    var network: SimulatedNetwork
    var workload: Workload
    var history = History()
    var checks = ClusterChecks()
    var adversary = Adversary()
    package internal(set) var statistics = SimulationStatistics()
    let replicaSettings: ReplicaSettings
    let cluster: Identifier
    let genesis: Entry
    let administrator = TokenID(1)
    let hash = SHA256()
    var leaf = Leaf(hash: SHA256())
    /// Faults happen and clients begin operations.
    var isSafetyPhase = true
    var diskDelay: ClosedRange<UInt64>
    /// What a rollback in the end returns to.
    var earlierDisk: (place: Int, disk: SimulatedDisk)?
    /// Nodes that stay down until the end.
    var resting: [Bool]
    var members: MemberRecords
    var memberOperator: MemberOperator
    /// Of each pair of nodes the connection that was accepted last: sender by receiver.
    var greetings: [Greeting?]
    var nextLink: UInt64 = 1
    /// Links into which something was sent that did not arrive.
    var lostLinks: [GatewayLink] = []
    /// The client of each operation; nil for those of the run itself.
    var owners: [Int?] = []
    /// The newest lines of what happened, when asked for.
    private var traced: [String] = []
    private let traces: Bool

    /// Steps of the busiest run that is in order, several times over.
    private static let stepLimit = 600_000

    static let wallAtStart: Int64 = 1_790_000_000_000_000

    package init(_ options: SimulationOptions, traces: Bool = false) throws {
        self.options = options
        self.traces = traces
        var random = RandomSource(seed: options.seed ^ options.salt << 48)
        network = SimulatedNetwork(
            endCount: options.endCount, manners: options.network, random: random.split())
        workload = Workload(options, random: random.split())
        cluster = Identifier(high: random.next(), low: random.next())
        diskDelay = options.diskDelay
        resting = [Bool](repeating: false, count: options.nodeCount)
        replicaSettings = try Self.settings(options)
        let founders = (1...options.founderCount).map {
            Member(id: NodeID(UInt32($0)), address: "node-\($0):7400")
        }
        members = MemberRecords(founders: founders)
        memberOperator = MemberOperator(wanted: options.founderCount)
        greetings = [Greeting?](repeating: nil, count: options.nodeCount * options.nodeCount)
        let createdAt = Timestamp(microseconds: Self.wallAtStart)
        let token = TokenRow(
            id: administrator, kind: .administrator, application: "simulation", name: "root",
            permissions: ["*"], secretDigest: [UInt8](repeating: 7, count: 32),
            createdAt: createdAt)
        genesis = Genesis(clusterID: cluster, members: founders, administrator: token)
            .entry(createdAt: createdAt)
        self.random = random
        try found()
    }

    private static func settings(_ options: SimulationOptions) throws -> ReplicaSettings {
        var settings = ReplicaSettings()
        settings.consensus.electionTimeoutNanoseconds = options.electionTimeout
        settings.consensus.heartbeatNanoseconds = options.heartbeat
        settings.consensus.maxEntriesPerAppend = options.maxEntriesPerAppend
        settings.consensus.maxAppendBytes = options.maxAppendBytes
        settings.consensus.maxInflightBytes = options.maxInflightBytes
        settings.consensus.plantedBugs = try PlantedBugNames.switches(options.bug)
        settings.log = LogSettings(
            segmentBytes: options.segmentBytes, groupEntries: 8, groupBytes: 64 * 1_024,
            heldSegments: options.heldSegments)
        settings.entriesPerTurn = options.entriesPerTurn
        settings.pageWaitNanoseconds = 300_000_000
        settings.scrubPeriodNanoseconds = options.scrubPeriod
        settings.compactionSegments = options.compactionSegments
        settings.compactionNanoseconds = options.compactionPatience
        settings.compactionReportNanoseconds = options.compactionReport
        settings.compactionSchedule = options.compactionPeriod.map {
            CompactionSchedule(
                periodMicroseconds: $0 / 1_000,
                order: CompactionOrder(policy: .latest, sealsFirst: false))
        }
        return settings
    }

    private func found() throws {
        for place in 0..<options.nodeCount {
            nodes.append(
                try SimulatedNode(
                    place: place, genesis: genesis, cluster: cluster,
                    isJoining: place >= options.founderCount))
            try checks.log.note(genesis.header, genesis.bytes, by: nodes[place].id)
            queue.insert(.start(node: place), at: now)
        }
        for place in 0..<options.gatewayCount {
            gateways.append(
                SimulatedGateway(
                    place: place, nodeCount: options.nodeCount, members: members.rows.map(\.id),
                    deadline: options.requestDeadline))
            for node in nodes.indices {
                queue.insert(.connect(gateway: place, node: node), at: now)
            }
        }
        for client in workload.clients.indices {
            queue.insert(.client(client), at: later(400_000_000))
        }
        planOperator()
        if !options.faults.isEmpty { queue.insert(.fault, at: later(options.faultInterval)) }
        if options.adversary { queue.insert(.adversary(0), at: later(500_000_000)) }
    }

    func later(_ nanoseconds: UInt64) -> Instant { now.advanced(byNanoseconds: nanoseconds) }

    /// Does what is due until `end`, or until `condition` holds. Throws the first violation.
    @discardableResult
    func run(until end: Instant, or condition: () -> Bool = { false }) throws -> Bool {
        while let next = queue.nextTime, next <= end {
            guard let (time, event) = queue.removeFirst() else { break }
            precondition(time >= now, "the clock goes back from \(now) to \(time)")
            now = time
            statistics.eventCount += 1
            guard statistics.eventCount < Self.stepLimit else {
                throw Violation("\(Self.stepLimit) steps are not enough: somebody babbles")
            }
            try take(event)
            if condition() { return true }
        }
        now = max(now, end)
        return condition()
    }

    private func take(_ event: Event) throws {
        switch event {
        case .turn(let node): try takeTurn(nodes[node])
        case .written(let node, let life): try takeWritten(nodes[node], life: life)
        case .maintained(let node, let life): try takeMaintained(nodes[node], life: life)
        case .peerFrame(let from, let to, let life, let bytes):
            try takePeerFrame(from, to, life: life, bytes)
        case .nodeFrame(let link, let bytes): try takeNodeFrame(link, bytes)
        case .read(let node, let life, let job): try takeRead(nodes[node], life, job)
        case .fetched(let node, let life, let job): takeFetch(nodes[node], life, job)
        case .start(let node): try start(nodes[node])
        case .repair(let node, let life): try takeRepair(nodes[node], life: life)
        case .connect(let gateway, let node): connect(gateways[gateway], nodes[node])
        case .opened(let link, let life): opened(link, nodeLife: life)
        case .broken(let link): broken(link)
        case .gatewayFrame(let link, let bytes): try takeGatewayFrame(link, bytes)
        case .gatewayTurn(let gateway): try takeGatewayTurn(gateways[gateway])
        case .client(let client): actClient(client)
        case .fault: try injectFault()
        case .adversary(let round): actAdversary(round)
        case .room(let node): nodes[node].disk.capacity = nil
        case .members: try actOperator()
        }
    }

    // MARK: Tracing

    package var trace: [String] { traced }

    func note(_ text: @autoclosure () -> String) {
        guard traces else { return }
        let micros = now.nanoseconds / 1_000 % 1_000_000
        let digits = String(micros)
        let fraction = String(repeating: "0", count: 6 - digits.count) + digits
        traced.append("\(now.nanoseconds / 1_000_000_000).\(fraction) \(text())")
        if traced.count > 20_000 { traced.removeFirst(10_000) }
    }
}

/// How much a run did.
package struct SimulationStatistics: Equatable, Sendable {
    package var eventCount = 0
    package var crashCount = 0
    package var diskFaultCount = 0
    package var appendedCount = 0
    package var leaderCount = 0
    package var sealCount = 0
    package var repairCount = 0
    package var virtualNanoseconds: UInt64 = 0
    package var compactionCount = 0
    package var erasureCount = 0
    /// How often each of `CoverageCase` was reached, in their order.
    package private(set) var coverage = [Int](repeating: 0, count: CoverageCase.allCases.count)

    package init() {}

    package mutating func cover(_ situation: CoverageCase, times: Int = 1) {
        coverage[situation.index] += times
    }

    package func count(of situation: CoverageCase) -> Int { coverage[situation.index] }

    package mutating func add(_ other: SimulationStatistics) {
        eventCount += other.eventCount
        crashCount += other.crashCount
        diskFaultCount += other.diskFaultCount
        appendedCount += other.appendedCount
        leaderCount += other.leaderCount
        sealCount += other.sealCount
        repairCount += other.repairCount
        virtualNanoseconds += other.virtualNanoseconds
        compactionCount += other.compactionCount
        erasureCount += other.erasureCount
        for place in coverage.indices { coverage[place] += other.coverage[place] }
    }
}
