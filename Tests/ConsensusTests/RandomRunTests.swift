import Bytes
import Consensus
import Records
import Testing

/// Clusters under random loss, delay, repetition, reordering, crashes and slow disks.
struct RandomRunTests {
    @Test(arguments: [1, 2, 3, 5, 7])
    func `whatever the network and the disks do, nothing committed is lost or changed`(
        size: Int
    ) {
        var (committedCount, transferCount, installCount) = (0, 0, 0)
        for seed in 1...30 {
            var run = RandomRun(size: size, seed: UInt64(seed))
            run.misbehave(steps: 1_500)
            #expect(run.cluster.violations == [], "size \(size), seed \(seed)")
            run.recover()
            #expect(run.cluster.violations == [], "size \(size), seed \(seed), recovered")
            #expect(run.isCaughtUp, "size \(size), seed \(seed)")
            committedCount += run.cluster.committed.count
            transferCount += run.transferCount
            installCount += run.installCount
        }
        #expect(installCount >= (size > 2 ? 20 : 0), "hardly anything was installed")
        #expect(transferCount >= (size > 1 ? 30 : 0), "leadership was hardly handed over")
        #expect(committedCount >= 30 * 10, "nothing much happened")
    }

    @Test(arguments: [1, 2, 3, 5])
    func `whatever changes of the members come in between, nothing committed is lost or changed`(
        founders: Int
    ) {
        var (committedCount, changeCount, voterCounts) = (0, 0, Set<Int>())
        for seed in 1...40 {
            var run = RandomRun(size: 6, founders: founders, seed: UInt64(seed))
            run.misbehave(steps: 1_500)
            #expect(run.cluster.violations == [], "founders \(founders), seed \(seed)")
            run.recover()
            #expect(run.cluster.violations == [], "founders \(founders), seed \(seed), recovered")
            #expect(run.isCaughtUp, "founders \(founders), seed \(seed)")
            committedCount += run.cluster.committed.count
            changeCount += run.changeCount
            if let leader = run.cluster.leader {
                voterCounts.insert(run.cluster[leader].core.configuration.voters.count)
            }
        }
        #expect(changeCount >= 80, "hardly anybody came or went")
        #expect(voterCounts.count >= 2, "the clusters ended with \(voterCounts) voters")
        #expect(committedCount >= 40 * 10, "nothing much happened")
    }

    @Test func `a run is a function of its seed`() {
        var first = RandomRun(size: 3, seed: 7)
        var second = RandomRun(size: 3, seed: 7)
        first.misbehave(steps: 2_000)
        second.misbehave(steps: 2_000)
        #expect(first.cluster.trace.count > 20)
        #expect(first.cluster.trace == second.cluster.trace)
    }
}

/// One cluster and the source of what happens to it.
struct RandomRun {
    var cluster: Cluster
    private var random: RandomSource
    private var size: Int
    private(set) var transferCount = 0
    private(set) var installCount = 0
    private(set) var changeCount = 0
    /// Members come and go.
    private let changes: Bool
    /// Hears nothing and does nothing of its own accord, as a stopped process; clients reach it
    /// before the network does.
    private var paused: Int?
    // Each seed has its own weather.
    /// One packet in this many is taken out of order.
    private let order: UInt64
    /// Of 40 packets, so many are lost.
    private let lossRate: UInt64
    /// Of 200 steps, so many are crashes.
    private let crashRate: UInt64

    /// With `founders` given, so many of the nodes are voters, and members come and go.
    init(
        size: Int, founders: Int? = nil, seed: UInt64,
        settings: ConsensusSettings = ConsensusSettings()
    ) {
        self.size = size
        changes = founders != nil
        random = RandomSource(seed: seed)
        var settings = settings
        settings.maxAppendBytes = 300
        settings.maxInflightBytes = 900
        settings.maxEntriesPerAppend = random.below(2) == 0 ? 1 : 256
        order = 1 + random.below(6)
        lossRate = random.below(4)
        crashRate = random.below(4)
        cluster = Cluster(size: size, voters: founders, settings: settings, seed: seed)
    }

    mutating func misbehave(steps: Int) {
        for _ in 0..<steps where cluster.violations.isEmpty { step() }
    }

    private mutating func pick() -> Int { Int(random.below(UInt64(size))) + 1 }

    private mutating func step() {
        if random.below(200) < crashRate { crash() }
        if changes, random.below(16) == 0 { change() }
        switch random.below(220) {
        case 0..<90: deliver()
        case 90..<140: cluster.sync(pick(), count: Int(random.below(3)) + 1)
        case 140..<160: cluster.advance(milliseconds: random.below(40) + 1, except: paused)
        case 160..<180: propose()
        case 180..<184: restart()
        case 184: cut()
        case 185..<188: cluster.heal()
        case 188: cluster.advance(milliseconds: random.below(1_000), except: paused)
        case 189: stand()
        case 190: paused = anyLeader()
        case 191, 192: paused = nil
        case 193, 194: transfer()
        case 195..<210: release()
        case 210..<212: install(pick())
        default: if let leader = anyLeader() { cluster.read(leader) }
        }
    }

    /// Mostly in order; now and then lost, repeated, or out of order.
    private mutating func deliver() {
        for _ in 0..<8 where !cluster.network.isEmpty && cluster.violations.isEmpty {
            let count = UInt64(cluster.network.count)
            let place = random.below(order) == 0 ? Int(random.below(count)) : 0
            let packet = cluster.network[place]
            if Int(packet.to.value) == paused { continue }
            switch random.below(UInt64(40)) {
            case 0..<lossRate: cluster.network.remove(at: place)
            case 39:
                let receiver = Int(packet.to.value)
                if cluster[receiver].isRunning { cluster.hand(packet, to: receiver) }
            default: cluster.deliver(at: place)
            }
        }
    }

    /// A leader, perhaps a deposed one that does not know it yet.
    private mutating func anyLeader() -> Int? {
        let leaders = (1...size).filter {
            cluster[$0].isRunning && cluster[$0].core.role == .leader
        }
        return leaders.isEmpty ? nil : leaders[Int(random.below(UInt64(leaders.count)))]
    }

    private mutating func propose() {
        guard let leader = anyLeader() else { return }
        cluster.propose(leader, byteCount: Int(random.below(200)) + 1)
    }

    /// A leader is asked to let somebody come, vote or go.
    private mutating func change() {
        guard let leader = anyLeader() else { return }
        let id = NodeID(UInt32(pick()))
        let known = cluster[leader].core.configuration
        guard known.voters != [id] else { return }
        let mayGo = random.below(3) == 0
        let refusal = cluster.change(leader, byteCount: 100) { known in
            if !known.hasMember(id) { return known.adding(id) }
            if mayGo { return known.removing(id) }
            return known.hasLearner(id) ? known.promoting(id) : known
        }
        if refusal == nil { changeCount += 1 }
    }

    /// A leader is asked to hand over to anybody, itself included.
    private mutating func transfer() {
        guard let leader = anyLeader() else { return }
        if cluster.transfer(leader, to: pick()) == nil { transferCount += 1 }
    }

    /// A member archives some of what it has; now and then all that it may.
    private mutating func release() {
        let id = pick()
        let (base, last) = (cluster[id].core.log.base, cluster[id].core.lastPosition)
        let count = last.index.value - base.index.value
        let through = base.index.value + random.below(count + 1) + random.below(3) * count
        cluster.release(id, through: Int(through))
    }

    private mutating func install(_ id: Int) {
        if cluster.install(id) { installCount += 1 }
    }

    private mutating func crash() {
        let id = pick()
        guard cluster[id].isRunning else { return }
        cluster.crash(id, keeping: Int(random.below(3)))
        if random.below(2) == 0 { cluster.restart(id) }
    }

    /// Others may be overdue by then and act late, a leader on stepping down included.
    private mutating func stand() {
        for _ in 0...random.below(2) {
            let id = pick()
            if cluster[id].isRunning, cluster[id].core.role != .leader, id != paused {
                cluster.stand(id)
            }
        }
    }

    private mutating func restart() {
        let id = pick()
        if !cluster[id].isRunning { cluster.restart(id) }
    }

    private mutating func cut() {
        let from = pick()
        let to = pick()
        if from != to {
            cluster.cutLinks.append((cluster.members[from - 1], cluster.members[to - 1]))
        }
    }

    /// Heals everything and gives the cluster time to elect and to catch up.
    mutating func recover() {
        cluster.heal()
        for id in 1...size where !cluster[id].isRunning { cluster.restart(id) }
        cluster.stabilize()
        for _ in 0..<30 where cluster.violations.isEmpty {
            cluster.run(milliseconds: 100)
            for id in 1...size { install(id) }
        }
        cluster.run(milliseconds: 1_000)
        if let leader = cluster.leader { cluster.propose(leader) }
        cluster.run(milliseconds: 500)
    }

    /// All members have committed the same whole log.
    var isCaughtUp: Bool {
        guard let leader = cluster.leader else { return false }
        let last = cluster[leader].core.lastPosition
        let configuration = cluster[leader].core.configuration
        return cluster.nodes.filter { configuration.hasMember($0.core.id) }.allSatisfy {
            $0.core.lastPosition == last && $0.core.commitIndex == last.index
                && $0.core.durablePosition == last
        }
    }
}
