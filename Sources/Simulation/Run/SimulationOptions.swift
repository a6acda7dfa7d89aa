import Bytes
import Consensus
import Records

/// What one seed runs. All of it follows from the seed, except a planted bug.
package struct SimulationOptions: Equatable, Sendable {
    package let seed: UInt64
    /// A mistake that is planted on purpose.
    package var bug: String?
    /// Other chances with the same options.
    var salt: UInt64 = 0

    // The cluster.
    /// Those that the genesis names.
    var founderCount = 3
    /// Founders and those that may join.
    var nodeCount = 3
    /// The operator begins no change of the members late in the safety phase.
    var operatorRests = false
    var electionTimeout: UInt64 = 300_000_000
    var heartbeat: UInt64 = 60_000_000
    var segmentBytes = 16 * 1_024
    var maxEntriesPerAppend = 256
    var maxAppendBytes = 1 << 20
    var maxInflightBytes = 8 << 20
    var entriesPerTurn = 256
    /// Archived segments from which followers still get single entries.
    var heldSegments = 1_000_000

    // Who uses it.
    var gatewayCount = 2
    var clientCount = 6
    var idCount = 12
    var thinkTime: UInt64 = 30_000_000
    var requestDeadline: UInt64 = 2_000_000_000
    var notesBytes = 60
    /// Operations in a hundred that are about compactions, holds and erasures.
    var retentionPercent = 0
    /// Nanoseconds between runs that leaders begin by themselves; nil: none.
    var compactionPeriod: UInt64?
    /// Segments of one step of a compaction.
    var compactionSegments = 8
    /// How long a leader waits for a majority that made the same files.
    var compactionPatience: UInt64 = 5_000_000_000
    var compactionReport: UInt64 = 1_000_000_000
    /// Bytes of rows that one step of reading the index handles.
    var supersededBytes = 16 * 1_024 * 1_024
    /// In how long an archive is read and verified once.
    var scrubPeriod: UInt64 = 20_000_000_000

    // What damage a run may do at the same time, at most what the promise allows.
    /// Nodes with a good copy of a segment that is damaged on one more.
    var goodCopies = 1
    var lastFault: LastFault?

    // What goes wrong.
    var safetyTime: UInt64 = 12_000_000_000
    var network = SimulatedNetwork.Manners()
    var diskDelay: ClosedRange<UInt64> = 100_000...2_000_000
    /// Nanoseconds between two faults, on average.
    var faultInterval: UInt64 = 600_000_000
    var faults: [Fault] = []
    var restartDelay: ClosedRange<UInt64> = 1_000_000...800_000_000
    var crashesVoters = false
    var adversary = false

    enum Fault: String, CaseIterable, Sendable {
        case crash, blackout, isolate, split, oneWay, partial, clog, heal, diskStall, diskError
        case diskFull, clockJump, gatewayCrash, crashInRecovery
        /// No fault, but something that may be asked at any moment.
        case transfer
        /// Bits of the end of a stopped node's log are flipped; of one node at a time.
        case rot
        /// An archived segment is damaged; a file that can be made again, or one of two copies, is.
        case archiveRot, asideRot
        /// A disk has little room for a while.
        case room
        /// No fault: an operator adds, promotes and removes members; then how many it wants.
        case members
        /// The disk of a member is empty: the operator removes it, and adds it with a new one.
        case wipe

        /// Drawn behind all others, so that what seeds were before there were these they still are.
        var isLate: Bool {
            [.transfer, .rot, .archiveRot, .asideRot, .room, .members, .wipe].contains(self)
        }
    }

    /// How the disk of one node ends when all promises were checked, and they are checked again.
    enum LastFault: String, Sendable {
        case rollback, wipe
    }

    /// `changes`: what is left out of that.
    package init(seed: UInt64, bug: String? = nil, changes: RunChanges = RunChanges()) {
        self.seed = seed
        self.bug = bug
        var random = RandomSource(seed: seed &* 0x9e37_79b9_7f4a_7c15 ^ 0x6461_7962_6f6f_6b21)
        drawCluster(&random)
        drawLoad(&random)
        drawFaults(&random)
        change(changes)
    }

    private mutating func drawCluster(_ random: inout RandomSource) {
        founderCount = random.pick([1, 2, 3, 3, 3, 3, 3, 3, 5, 5, 7])
        nodeCount = founderCount
        electionTimeout = random.pick([150, 300, 300, 500, 1_000]) * 1_000_000
        heartbeat = electionTimeout / random.pick([4, 5, 8])
        segmentBytes = random.pick([4, 8, 16, 64]) * 1_024
        maxEntriesPerAppend = random.pick([1, 1, 2, 16, 256])
        maxAppendBytes = random.pick([256, 4_096, 1 << 20])
        maxInflightBytes = random.pick([1, 2_000, 8 << 20, 8 << 20])
        entriesPerTurn = random.pick([1, 4, 256, 256])
    }

    private mutating func drawLoad(_ random: inout RandomSource) {
        gatewayCount = random.number(in: 1...3)
        clientCount = random.pick([1, 3, 6, 6, 12])
        idCount = random.pick([1, 4, 16, 64])
        thinkTime = random.pick([15, 40, 40, 150]) * 1_000_000
        requestDeadline = random.pick([500, 2_000, 5_000]) * 1_000_000
        notesBytes = random.pick([0, 60, 60, 600])
    }

    private mutating func drawFaults(_ random: inout RandomSource) {
        safetyTime = random.number(in: UInt64(8)...UInt64(16)) * 1_000_000_000
        if random.chance(50) { network.dropPercent = random.pick([1, 5, 20]) }
        if random.chance(50) { network.duplicatePercent = random.pick([1, 10, 30]) }
        if random.chance(50) {
            network.latePercent = random.pick([1, 10, 30])
            network.longDelay = random.pick([10, 100, 600]) * 1_000_000
        }
        if random.chance(30) { network.delay = 1_000_000...random.pick([5_000_000, 30_000_000]) }
        if random.chance(40) { diskDelay = 500_000...random.pick([10_000_000, 60_000_000]) }
        faultInterval = random.pick([150, 400, 800, 2_000]) * 1_000_000
        faults = Fault.allCases.filter { !$0.isLate && random.chance(50) }
        if random.chance(50) { restartDelay = 500_000...random.pick([5_000_000, 40_000_000]) }
        crashesVoters = nodeCount > 2 && random.chance(50)
        adversary = nodeCount == 3 && random.chance(20)
        // Last, so that what seeds were before there were transfers they still are.
        if random.chance(50) { faults.append(.transfer) }
        if random.chance(50) { faults.append(.rot) }
        heldSegments = random.pick([0, 1, 4, 1_000_000])
        drawRetention(&random)
        drawDamage(&random)
        drawMembers(&random)
        if adversary { (maxEntriesPerAppend, maxInflightBytes) = (1, 1) }
    }

    private mutating func drawRetention(_ random: inout RandomSource) {
        retentionPercent = random.pick([0, 2, 4, 10])
        if random.chance(15) { compactionPeriod = 3_000_000_000 }
        compactionSegments = random.pick([1, 2, 8])
        compactionPatience = random.pick([2, 5, 15]) * 1_000_000_000
        compactionReport = random.pick([100, 1_000]) * 1_000_000
        supersededBytes = random.pick([100, 4_096, 16 * 1_024 * 1_024])
        scrubPeriod = random.pick([2, 8, 600]) * 1_000_000_000
    }

    private mutating func drawMembers(_ random: inout RandomSource) {
        guard !adversary, random.chance(45) else { return }
        faults.append(.members)
        if random.chance(50) { faults.append(.wipe) }
        let joining = founderCount == 1 ? [1, 2, 4, 6] : [0, 1, 2, 2, 4]
        nodeCount = min(founderCount + random.pick(joining), 8)
        operatorRests = random.chance(50)
    }

    private mutating func drawDamage(_ random: inout RandomSource) {
        for fault in [Fault.archiveRot, .archiveRot, .asideRot, .room] where random.chance(35) {
            faults.append(fault)
        }
        if faults.contains(.archiveRot) { scrubPeriod = min(scrubPeriod, 8_000_000_000) }
        goodCopies = random.chance(50) ? 1 : max(1, nodeCount / 2)
        if nodeCount > 2, random.chance(30) { lastFault = random.pick([.rollback, .wipe]) }
    }

    var endCount: Int { nodeCount + gatewayCount }

    /// One line for each setting.
    package var lines: [String] {
        [
            "seed \(seed)" + (salt > 0 ? ", salt \(salt)" : "")
                + (bug.map { ", planted bug \($0)" } ?? ""),
            "nodes \(nodeCount), founders \(founderCount), election timeout \(electionTimeout / 1_000_000) ms, heartbeat "
                + "\(heartbeat / 1_000_000) ms, segments of \(segmentBytes) bytes",
            "appends of \(maxEntriesPerAppend) entries and \(maxAppendBytes) bytes, in flight "
                + "\(maxInflightBytes) bytes, \(entriesPerTurn) entries applied in a turn, "
                + "\(heldSegments) archived segments held",
            "gateways \(gatewayCount), clients \(clientCount), unique_ids \(idCount), pause "
                + "\(thinkTime / 1_000_000) ms, deadline \(requestDeadline / 1_000_000) ms",
            "retention \(retentionPercent) % of operations, "
                + (compactionPeriod.map { "runs every \($0 / 1_000_000_000) s, " } ?? "")
                + "\(compactionSegments) segments in a step, waits "
                + "\(compactionPatience / 1_000_000_000) s, reports every "
                + "\(compactionReport / 1_000_000) ms, scrubs in \(scrubPeriod / 1_000_000_000) s",
            "network \(network.delay.lowerBound / 1_000)...\(network.delay.upperBound / 1_000) us, "
                + "late \(network.latePercent) % by \(network.longDelay / 1_000_000) ms, dropped "
                + "\(network.dropPercent) %, twice \(network.duplicatePercent) %",
            "disk \(diskDelay.lowerBound / 1_000)...\(diskDelay.upperBound / 1_000) us, restart "
                + "after \(restartDelay.lowerBound / 1_000)..."
                + "\(restartDelay.upperBound / 1_000) us",
            "faults every \(faultInterval / 1_000_000) ms for \(safetyTime / 1_000_000_000) s: "
                + (faults.map(\.rawValue) + (crashesVoters ? ["voters"] : [])
                + (adversary ? ["figure 8"] : [])).joined(separator: " "),
            "good copies of a damaged segment \(goodCopies)"
                + (lastFault.map { ", in the end \($0.rawValue)" } ?? ""),
        ]
    }
}
