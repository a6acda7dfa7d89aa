import Records
import Testing

@testable import Consensus

/// Check-quorum, reads and the silence of a hung disk: dissertation 6.2 and 6.4.
struct LeadershipTests {
    private func answer(_ round: UInt64, index: UInt64 = 1) -> Message {
        .appendResponse(
            AppendResponse(
                term: Term(1),
                result: .matched(
                    through: LogPosition(term: Term(1), index: LogIndex(index))),
                readContext: round))
    }

    @Test func `a leader that hears no majority for an election timeout steps down`() {
        var cluster = Cluster(size: 5)
        cluster.elect(1)
        cluster.partition([[1, 2], [3, 4, 5]])
        cluster.run(milliseconds: 490)
        #expect(cluster[1].core.role == .leader)
        cluster.run(milliseconds: 20)
        #expect(cluster[1].core.role == .follower)
        #expect(cluster[1].core.term == Term(1))
    }

    @Test func `a leader that hears exactly a majority stays`() {
        var cluster = Cluster(size: 5)
        cluster.elect(1)
        cluster.partition([[1, 2, 3], [4, 5]])
        cluster.run(milliseconds: 3_000)
        #expect(cluster.leader == 1)
        #expect(cluster[1].core.term == Term(1))
    }

    @Test func `heartbeats keep followers from standing`() {
        var cluster = Cluster(size: 3)
        cluster.elect(2)
        cluster.run(milliseconds: 5_000)
        #expect(cluster.nodes.allSatisfy { $0.core.term == Term(1) })
        #expect(cluster.leader == 2)
    }

    /// Pitfall (hashicorp 503, 666; lavinmq 2150): a leader with a dead disk that lives on.
    @Test func `another leads when the leader's disk hangs`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.propose(1)
        let start = cluster.now
        while cluster[2].core.role != .leader, cluster[3].core.role != .leader {
            cluster.advance(milliseconds: 5)
            while !cluster.network.isEmpty || cluster[2].writes.count + cluster[3].writes.count > 0
            {
                cluster.sync(2)
                cluster.sync(3)
                if !cluster.network.isEmpty { cluster.deliver(at: 0) }
            }
            guard cluster.now.nanoseconds(since: start) < 5_000_000_000 else { break }
        }
        #expect(cluster.now.nanoseconds(since: start) <= 1_500_000_000)
        #expect(cluster.violations == [])
    }

    @Test func `a disk that goes on keeps its leader speaking`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        for _ in 0..<20 {
            cluster.propose(1)
            cluster.propose(1)
            cluster.advance(milliseconds: 200)
            #expect(!cluster[1].core.isDiskStalled(now: cluster.now))
            cluster.sync(1, count: 1)
            cluster.sync(2)
            cluster.sync(3)
            while !cluster.network.isEmpty { cluster.deliver(at: 0) }
        }
        #expect(cluster.leader == 1)
    }

    /// Pitfall (etcd 7331, TiKV 6340).
    @Test func `reads wait for a commit of the own term`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1, stopping: true)
        #expect(cluster.read(1) == nil)
        cluster.stabilize()
        #expect(cluster.read(1) != nil)
        #expect(cluster.read(2) == nil, "a follower")
    }

    @Test func `a read is confirmed by a majority that answered its round`() {
        var cluster = Cluster(size: 5)
        cluster.elect(1)
        let ticket = cluster.read(1)
        cluster.hand(answer(0), from: 2, to: 1)
        cluster.hand(answer(0), from: 3, to: 1)
        cluster.hand(answer(1), from: 4, to: 1)
        #expect(cluster[1].confirmedReads.isEmpty)
        cluster.hand(answer(1), from: 4, to: 1)
        #expect(cluster[1].confirmedReads.isEmpty, "the same voter twice")
        cluster.hand(answer(1), from: 2, to: 1)
        #expect(cluster[1].confirmedReads.map(\.ticket) == [ticket])
        #expect(cluster[1].confirmedReads.map(\.index) == [LogIndex(1)])
    }

    /// Pitfall (etcd 20418): two rounds that share a context.
    @Test func `a read that comes during a round is confirmed by the next`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        let first = cluster.read(1)
        let second = cluster.read(1)
        let third = cluster.read(1)
        cluster.network = []
        cluster.hand(answer(1), from: 2, to: 1)
        #expect(cluster[1].confirmedReads.map(\.ticket) == [first])
        #expect(cluster.network.count == 2, "the next round")
        cluster.hand(answer(1), from: 3, to: 1)
        #expect(cluster[1].confirmedReads.count == 1)
        cluster.hand(answer(2), from: 3, to: 1)
        #expect(cluster[1].confirmedReads.map(\.ticket) == [first, second, third])
    }

    @Test func `a lost round is repeated by the heartbeat`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.read(1)
        cluster.network = []
        cluster.advance(milliseconds: 100)
        cluster.stabilize()
        #expect(cluster[1].confirmedReads.count == 1)
    }

    /// Pitfall (Redpanda 3003): success from the view of an old term.
    @Test func `a leader that steps down fails its reads`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        let ticket = cluster.read(1)
        cluster.hand(.voteResponse(term: Term(4), granted: false), from: 2, to: 1)
        #expect(cluster[1].failedReads == [ticket])
        cluster.hand(answer(1), from: 3, to: 1)
        #expect(cluster[1].confirmedReads.isEmpty)
    }

    @Test func `reads that wait are bounded`() {
        var settings = ConsensusSettings()
        settings.maxPendingReads = 2
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        #expect(cluster.read(1) != nil)
        #expect(cluster.read(1) != nil)
        #expect(cluster.read(1) == nil)
        cluster.stabilize()
        #expect(cluster.read(1) != nil)
    }

    @Test func `one node alone confirms a read at once`() {
        var cluster = Cluster(size: 1)
        cluster.tick(1)
        cluster.sync(1)
        cluster.sync(1)
        let ticket = cluster.read(1)
        #expect(ticket != nil)
        #expect(cluster[1].confirmedReads.map(\.ticket) == [ticket])
    }

    @Test func `followers learn of a commit without waiting for a heartbeat`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.propose(1)
        cluster.stabilize()
        #expect(cluster.nodes.allSatisfy { $0.core.commitIndex == LogIndex(2) })
    }

    @Test func `what waits for the disk's vote is bounded`() {
        var cluster = Cluster(size: 3)
        for _ in 0..<200 {
            cluster.hand(.voteRequest(term: Term(3), last: .zero), from: 1, to: 2)
        }
        cluster.sync(2)
        #expect(cluster.network.count == cluster.settings.maxHeldMessages)
    }
}
