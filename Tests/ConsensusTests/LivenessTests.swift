import Bytes
import Records
import Testing

@testable import Consensus

/// What must go on happening while a majority works.
struct LivenessTests {
    /// Pitfall (Cloudflare, 2020): partial partitions in which leaders depose each other for ever.
    @Test(arguments: [3, 5, 7])
    func `a majority that hears each other keeps committing, whatever other links are cut`(
        size: Int
    ) {
        for seed in 1...20 {
            var random = RandomSource(seed: UInt64(seed))
            var cluster = Cluster(size: size, seed: UInt64(seed))
            cluster.elect(1 + Int(random.below(UInt64(size))))
            cutOutside(majority: size / 2 + 1, of: &cluster, random: &random)
            cluster.run(milliseconds: 4_000)
            let before = cluster.committed.count
            let term = cluster.nodes.map(\.core.term).max()
            for _ in 0..<10 {
                cluster.run(milliseconds: 200)
                if let leader = cluster.leader { cluster.propose(leader) }
            }
            cluster.stabilize()
            #expect(cluster.committed.count == before + 10, "size \(size), seed \(seed)")
            #expect(cluster.nodes.map(\.core.term).max() == term, "size \(size), seed \(seed)")
            #expect(cluster.violations == [])
        }
    }

    /// Cuts half of the one-way links that do not join two of the first `majority` members.
    private func cutOutside(
        majority: Int, of cluster: inout Cluster, random: inout RandomSource
    ) {
        for from in cluster.members {
            for to in cluster.members where from != to {
                let isInside = from.value <= majority && to.value <= majority
                if !isInside, random.below(2) == 0 { cluster.cutLinks.append((from, to)) }
            }
        }
    }

    @Test func `a follower far behind catches up through windows and batches`() {
        var settings = ConsensusSettings()
        settings.maxAppendBytes = 1_000
        settings.maxInflightBytes = 3_000
        settings.maxEntriesPerAppend = 7
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        cluster.crash(3)
        for _ in 0..<1_000 { cluster.propose(1) }
        cluster.stabilize()
        cluster.restart(3)
        cluster.run(milliseconds: 300)
        #expect(cluster[3].core.commitIndex == LogIndex(1_001))
        #expect(cluster.violations == [])
    }

    /// Pitfall (hashicorp 612): a follower's stall that wedges its pipeline for ever.
    @Test func `a follower whose disk stood still catches up although its answers were lost`() {
        var settings = ConsensusSettings()
        settings.maxInflightBytes = 300
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        for _ in 0..<10 { cluster.propose(1) }
        while let place = cluster.network.firstIndex(where: { $0.to == NodeID(2) }) {
            cluster.deliver(at: place)
        }
        cluster.sync(2)
        _ = cluster.take(from: 2, to: 1)
        cluster.run(milliseconds: 300)
        #expect(cluster[2].core.commitIndex == LogIndex(11))
    }

    @Test func `everything that is down at once comes back with what was committed`() {
        var cluster = Cluster(size: 5)
        cluster.elect(1)
        for _ in 0..<20 { cluster.propose(1) }
        cluster.stabilize()
        let committed = cluster.committed
        for round in 0..<5 {
            for id in 1...5 { cluster.crash(id) }
            cluster.network = []
            for id in 1...5 { cluster.restart(id) }
            cluster.run(milliseconds: 2_000)
            #expect(cluster.leader != nil, "round \(round)")
        }
        #expect(Array(cluster.committed.prefix(committed.count)) == committed)
        #expect(cluster.violations == [])
    }
}
