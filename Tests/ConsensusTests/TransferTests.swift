import Records
import Testing

@testable import Consensus

/// Handing leadership over: dissertation 3.10.
struct TransferTests {
    @Test(arguments: [2, 3, 5, 7])
    func `leadership goes from member to member without a timeout`(size: Int) {
        var cluster = Cluster(size: size)
        cluster.elect(1)
        let start = cluster.now
        for turn in 0..<(2 * size) {
            let (leader, target) = (turn % size + 1, (turn + 1) % size + 1)
            cluster.propose(leader)
            #expect(cluster.transfer(leader, to: target) == nil)
            cluster.stabilize()
            #expect(cluster.leader == target)
        }
        #expect(cluster.now == start)
        #expect(cluster.violations == [])
    }

    @Test func `what the leader does not hand over to is refused with the reason`() {
        var settings = ConsensusSettings()
        settings.maxTransferLagBytes = 250
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        #expect(cluster.transfer(2, to: 1) == .notLeading)
        #expect(cluster.transfer(1, to: 9) == .notVoter(NodeID(9)))
        #expect(cluster.transfer(1, to: 1) == .notVoter(NodeID(1)))
        for _ in 0..<3 { cluster.propose(1) }
        #expect(
            cluster.transfer(1, to: 2)
                == .lagging(NodeID(2), entryCount: 3, byteCount: 300))
        cluster.stabilize()
        #expect(cluster.transfer(1, to: 2) == nil)
        #expect(cluster.transfer(1, to: 2) == nil, "the same again")
        #expect(cluster.transfer(1, to: 3) == .underWay(to: NodeID(2)))
    }

    @Test func `one who is silent for half an election timeout is not handed over to`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.partition([[1, 3], [2]])
        cluster.run(milliseconds: 240)
        #expect(cluster[1].core.transferCandidate(now: cluster.now) == NodeID(2))
        cluster.run(milliseconds: 20)
        #expect(cluster.transfer(1, to: 2) == .unreachable(NodeID(2)))
        #expect(cluster[1].core.transferCandidate(now: cluster.now) == NodeID(3))
    }

    @Test func `a stopping leader chooses the longest log`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.propose(1)
        cluster.sync(1)
        for _ in 0..<4 {
            while let place = cluster.network.firstIndex(where: { $0.to == NodeID(3) }) {
                cluster.deliver(at: place)
            }
            cluster.sync(3)
            while let place = cluster.network.firstIndex(where: { $0.from == NodeID(3) }) {
                cluster.deliver(at: place)
            }
        }
        #expect(cluster[1].core.transferCandidate(now: cluster.now) == NodeID(3))
        #expect(cluster[2].core.transferCandidate(now: cluster.now) == nil)
    }

    @Test func `a transfer is over after an election timeout, and the leader may try again`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        #expect(cluster.transfer(1, to: 2) == nil)
        cluster.network = []
        cluster.cutLinks = [(NodeID(1), NodeID(2))]
        let limit = cluster.now.advanced(byNanoseconds: 500_000_000)
        #expect(cluster[1].core.nextDeadline() <= limit)
        cluster.run(milliseconds: 490)
        #expect(cluster[1].core.transferTarget == NodeID(2))
        cluster.run(milliseconds: 10)
        #expect(cluster[1].core.transferTarget == nil)
        #expect(cluster[1].core.role == .leader)
        cluster.heal()
        cluster.run(milliseconds: 100)
        #expect(cluster.transfer(1, to: 2) == nil)
        cluster.stabilize()
        #expect(cluster.leader == 2)
    }

    @Test func `a lost order is repeated by the heartbeat`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        #expect(cluster.transfer(1, to: 2) == nil)
        cluster.network = []
        cluster.run(milliseconds: 110)
        #expect(cluster.leader == 2)
    }

    @Test func `an order of an older term, or of one who does not lead, changes nothing`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        for (term, sender) in [(0, 1), (2, 1), (1, 3)] {
            cluster.hand(.timeoutNow(term: Term(UInt64(term))), from: sender, to: 2)
            #expect(cluster[2].core.role == .follower, "term \(term) of \(sender)")
        }
        cluster.hand(.timeoutNow(term: Term(1)), from: 1, to: 2)
        #expect(cluster[2].core.role == .candidate)
        cluster.hand(.timeoutNow(term: Term(1)), from: 1, to: 2)
        #expect(cluster[2].core.term == Term(2))
    }

    /// Safety does not rest on the order: a vote is one a term, and goes to no shorter log.
    @Test func `an election by order counts votes and compares logs like every other`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.propose(1)
        cluster.stabilize()
        let short = LogPosition(term: Term(1), index: LogIndex(1))
        cluster.hand(
            .voteRequest(term: Term(2), last: short, byOrder: true), from: 2, to: 3)
        cluster.sync(3)
        #expect(
            cluster.take(from: 3, to: 2) == [.voteResponse(term: Term(2), granted: false)])
        let last = cluster[3].core.lastPosition
        cluster.hand(.voteRequest(term: Term(2), last: last, byOrder: true), from: 1, to: 3)
        cluster.hand(.voteRequest(term: Term(2), last: last, byOrder: true), from: 2, to: 3)
        cluster.sync(3)
        #expect(cluster.take(from: 3, to: 1) == [.voteResponse(term: Term(2), granted: true)])
        #expect(cluster.take(from: 3, to: 2) == [.voteResponse(term: Term(2), granted: false)])
    }
}
