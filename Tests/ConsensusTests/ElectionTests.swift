import Consensus
import Records
import Testing

/// Raft paper sections 5.2 and 5.4.1; pre-vote and stickiness: dissertation 9.6 and 4.2.3.
struct ElectionTests {
    private func position(_ term: UInt64, _ index: UInt64) -> LogPosition {
        LogPosition(term: Term(term), index: LogIndex(index))
    }

    /// Paper section 5.2: a follower that hears nothing stands for election.
    @Test func `a follower that hears no leader asks for pre-votes without raising its term`() {
        var cluster = Cluster(size: 3)
        cluster.stand(1)
        #expect(cluster[1].core.role == .preCandidate)
        #expect(cluster[1].core.term == .zero)
        #expect(cluster[1].writes.isEmpty)
        #expect(
            cluster.take(from: 1, to: 2) == [.preVoteRequest(term: Term(1), last: .zero)])
    }

    /// Paper section 5.2: timeouts are random, so that votes are rarely split.
    @Test func `election timeouts differ and lie between one and one and a half`() {
        var deadlines: Set<UInt64> = []
        for seed in 1...100 {
            let cluster = Cluster(size: 3, seed: UInt64(seed))
            let wait = cluster[1].core.nextDeadline().nanoseconds(since: cluster.now)
            #expect((500_000_000..<750_000_000).contains(wait))
            deadlines.insert(wait)
        }
        #expect(deadlines.count > 90)
    }

    /// Pitfall: a failed round that waits a whole timeout again.
    @Test func `a pre-candidate that fails tries again within half an election timeout`() {
        var cluster = Cluster(size: 3)
        for _ in 0..<20 {
            cluster.stand(1)
            let wait = cluster[1].core.nextDeadline().nanoseconds(since: cluster.now)
            #expect((125_000_000..<250_000_000).contains(wait))
        }
    }

    /// Dissertation 4.2.3 and 9.6: pre-vote and check-quorum together.
    @Test func `a follower that hears a leader refuses pre-votes and votes`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.hand(.preVoteRequest(term: Term(9), last: position(9, 9)), from: 3, to: 2)
        #expect(
            cluster.take(from: 2, to: 3) == [.preVoteResponse(term: Term(1), granted: false)])
        cluster.hand(.voteRequest(term: Term(9), last: position(9, 9)), from: 3, to: 2)
        #expect(cluster.take(from: 2, to: 3).isEmpty)
        #expect(cluster[2].core.term == Term(1))
    }

    @Test func `a leader is not deposed by a vote request`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.hand(.voteRequest(term: Term(9), last: position(9, 9)), from: 3, to: 1)
        #expect(cluster[1].core.role == .leader)
        #expect(cluster[1].core.term == Term(1))
    }

    /// Both sides of the least election timeout.
    @Test func `a follower votes again once a whole election timeout passed without a leader`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        let request = Message.preVoteRequest(term: Term(2), last: position(1, 1))
        cluster.now = cluster.now.advanced(byNanoseconds: 499_999_999)
        cluster.hand(request, from: 3, to: 2)
        #expect(
            cluster.take(from: 2, to: 3) == [.preVoteResponse(term: Term(1), granted: false)])
        cluster.now = cluster.now.advanced(byNanoseconds: 1)
        cluster.hand(request, from: 3, to: 2)
        #expect(
            cluster.take(from: 2, to: 3) == [.preVoteResponse(term: Term(2), granted: true)])
    }

    /// Pitfall (openraft 1796): long log in a low term and short log in a high term block each
    /// other when refusals do not carry the term.
    @Test func `a refused pre-candidate takes over the higher term and asks again`() {
        var cluster = Cluster(size: 3)
        cluster.hand(.voteRequest(term: Term(7), last: .zero), from: 3, to: 2)
        cluster.stabilize()
        cluster.stand(1)
        cluster.stabilize()
        #expect(cluster[1].core.term >= Term(7))
        cluster.run(milliseconds: 1_000)
        #expect(cluster.leader != nil)
    }

    /// Paper section 5.4.1.
    @Test(arguments: [
        (UInt64(1), UInt64(9), false), (2, 2, false), (2, 3, true), (2, 4, true), (3, 1, true),
    ])
    func `votes go to logs that are at least as up to date`(
        term: UInt64, index: UInt64, isGranted: Bool
    ) {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.crash(1)
        cluster.elect(2)
        cluster.propose(2)
        cluster.stabilize()
        #expect(cluster[3].core.lastPosition == position(2, 3))
        cluster.now = cluster.now.advanced(byNanoseconds: 500_000_000)
        cluster.hand(
            .voteRequest(term: Term(5), last: position(term, index)), from: 1, to: 3)
        cluster.sync(3)
        #expect(
            cluster.take(from: 3, to: 1) == [.voteResponse(term: Term(5), granted: isGranted)])
        cluster.hand(
            .preVoteRequest(term: Term(6), last: position(term, index)), from: 1, to: 3)
        #expect(
            cluster.take(from: 3, to: 1)
                == [.preVoteResponse(term: Term(isGranted ? 6 : 5), granted: isGranted)])
    }

    /// Paper section 5.2: first come, first served, once a term.
    @Test func `one vote a term, and the same again when asked again`() {
        var cluster = Cluster(size: 3)
        let request = Message.voteRequest(term: Term(3), last: .zero)
        cluster.hand(request, from: 1, to: 2)
        cluster.hand(request, from: 3, to: 2)
        cluster.hand(request, from: 1, to: 2)
        cluster.sync(2)
        #expect(
            cluster.take(from: 2, to: 1)
                == Array(repeating: .voteResponse(term: Term(3), granted: true), count: 2))
        #expect(
            cluster.take(from: 2, to: 3) == [.voteResponse(term: Term(3), granted: false)])
    }

    /// Pitfall (hashicorp 661, seaweedfs/raft 9): a vote that a crash forgets.
    @Test func `a vote outlives a crash`() {
        var cluster = Cluster(size: 3)
        cluster.hand(.voteRequest(term: Term(3), last: .zero), from: 1, to: 2)
        cluster.sync(2)
        cluster.crash(2)
        cluster.restart(2)
        _ = cluster.take(from: 2, to: 1)
        cluster.hand(.voteRequest(term: Term(3), last: .zero), from: 3, to: 2)
        #expect(
            cluster.take(from: 2, to: 3) == [.voteResponse(term: Term(3), granted: false)])
    }

    /// Pitfall: replies before term and vote are durable.
    @Test func `nothing is said in a term before the term is durable`() {
        var cluster = Cluster(size: 3)
        cluster.hand(.voteRequest(term: Term(3), last: .zero), from: 1, to: 2)
        cluster.hand(
            .preVoteRequest(term: Term(3), last: .zero), from: 3, to: 2)
        cluster.hand(
            .appendRequest(
                AppendRequest(
                    term: Term(2), previous: .zero, entries: [], commit: .zero, readContext: 0)),
            from: 3, to: 2)
        #expect(cluster.network.isEmpty)
        cluster.sync(2, count: 1)
        #expect(cluster.network.count == 3)
    }

    /// The entry's write was quicker than the term's, and a crash came between them.
    @Test func `a term known from the log alone is stored before anything is said in it`() throws {
        var log = LogOutline()
        log.append(EntryDescriptor(position: position(4, 1), byteCount: 8))
        var core = Consensus(
            id: NodeID(1), voters: [NodeID(1), NodeID(2), NodeID(3)],
            settings: ConsensusSettings(), vote: DurableVote(term: Term(2), votedFor: NodeID(2)),
            log: log, commitIndex: .zero, seed: 1, now: .zero)
        var outcome = Outcome()
        #expect(core.term == Term(4))
        try core.receive(
            .voteRequest(term: Term(4), last: position(4, 1)), from: NodeID(3), now: .zero,
            into: &outcome)
        #expect(outcome.messages.isEmpty)
        #expect(outcome.voteToStore == DurableVote(term: Term(4), votedFor: NodeID(3)))
        core.voteDurable(
            DurableVote(term: Term(4), votedFor: NodeID(3)), now: .zero, into: &outcome)
        #expect(outcome.messages.count == 1)
    }

    @Test func `a lone voter whose term is in its log only leads after storing it`() {
        var log = LogOutline()
        log.append(EntryDescriptor(position: position(4, 1), byteCount: 8))
        var core = Consensus(
            id: NodeID(1), voters: [NodeID(1)], settings: ConsensusSettings(), vote: .initial,
            log: log, commitIndex: .zero, seed: 1, now: .zero)
        var time = Instant.zero
        for _ in 0..<10 where core.role != .leader {
            var outcome = Outcome()
            time = max(time, core.nextDeadline())
            core.tick(now: time, into: &outcome)
            guard let vote = outcome.voteToStore else { continue }
            core.voteDurable(vote, now: time, into: &outcome)
        }
        #expect(core.standing == Standing(role: .leader, term: Term(5), leader: NodeID(1)))
    }

    @Test func `the completion of an older vote's write releases nothing`() {
        var cluster = Cluster(size: 3)
        cluster.hand(.voteRequest(term: Term(3), last: .zero), from: 1, to: 2)
        cluster.hand(.voteRequest(term: Term(4), last: .zero), from: 3, to: 2)
        cluster.sync(2, count: 1)
        #expect(cluster.network.isEmpty)
        cluster.sync(2, count: 1)
        #expect(
            cluster.network.map(\.message) == [.voteResponse(term: Term(4), granted: true)])
    }

    @Test func `a candidate counts each voter once`() {
        var cluster = Cluster(size: 5)
        cluster.stand(1)
        for _ in 0..<3 {
            cluster.hand(.preVoteResponse(term: Term(1), granted: true), from: 2, to: 1)
        }
        #expect(cluster[1].core.role == .preCandidate)
        cluster.hand(.preVoteResponse(term: Term(1), granted: true), from: 3, to: 1)
        #expect(cluster[1].core.role == .candidate)
        cluster.sync(1)
        for _ in 0..<3 {
            cluster.hand(.voteResponse(term: Term(1), granted: true), from: 2, to: 1)
        }
        #expect(cluster[1].core.role == .candidate)
        cluster.hand(.voteResponse(term: Term(1), granted: true), from: 3, to: 1)
        #expect(cluster[1].core.role == .leader)
    }

    @Test func `a candidate's own vote counts only when durable`() {
        var cluster = Cluster(size: 3)
        cluster.stand(1)
        cluster.hand(.preVoteResponse(term: Term(1), granted: true), from: 2, to: 1)
        cluster.hand(.voteResponse(term: Term(1), granted: true), from: 2, to: 1)
        #expect(cluster[1].core.role == .candidate)
        cluster.sync(1)
        #expect(cluster[1].core.role == .leader)
    }

    @Test func `answers of earlier terms elect nobody`() {
        var cluster = Cluster(size: 3)
        cluster.stand(1)
        cluster.hand(.preVoteResponse(term: Term(9), granted: true), from: 2, to: 1)
        #expect(cluster[1].core.role == .preCandidate)
        cluster.hand(.preVoteResponse(term: Term(1), granted: true), from: 2, to: 1)
        cluster.sync(1)
        cluster.hand(.voteResponse(term: .zero, granted: true), from: 3, to: 1)
        cluster.hand(.preVoteResponse(term: Term(1), granted: true), from: 3, to: 1)
        #expect(cluster[1].core.role == .candidate)
    }

    /// Paper section 5.2: a candidate recognises the leader of its term.
    @Test func `a candidate follows whoever leads its term`() {
        var cluster = Cluster(size: 3)
        cluster.stand(1)
        cluster.hand(.preVoteResponse(term: Term(1), granted: true), from: 2, to: 1)
        cluster.hand(
            .appendRequest(
                AppendRequest(
                    term: Term(1), previous: .zero, entries: [], commit: .zero, readContext: 0)),
            from: 3, to: 1)
        #expect(
            cluster[1].core.standing
                == Standing(role: .follower, term: Term(1), leader: NodeID(3)))
    }

    @Test(arguments: [3, 5, 7])
    func `after a leader's crash another leads within three election timeouts`(size: Int) {
        for seed in 1...100 {
            var cluster = Cluster(size: size, seed: UInt64(seed))
            cluster.elect(1)
            cluster.run(milliseconds: 200)
            cluster.crash(1)
            let crash = cluster.now
            while cluster.leader == nil, cluster.now.nanoseconds(since: crash) < 5_000_000_000 {
                cluster.advance(milliseconds: 1)
                cluster.stabilize()
            }
            #expect(cluster.now.nanoseconds(since: crash) <= 1_500_000_000, "seed \(seed)")
        }
    }

    @Test func `a node that is no voter never stands`() {
        let now = Instant(nanoseconds: 1)
        var core = Consensus(
            id: NodeID(9), voters: [NodeID(1)], settings: ConsensusSettings(), vote: .initial,
            log: LogOutline(), commitIndex: .zero, seed: 1, now: now)
        var outcome = Outcome()
        for second in 1...10 {
            core.tick(now: Instant(nanoseconds: UInt64(second) * 1_000_000_000), into: &outcome)
        }
        #expect(outcome == Outcome())
    }

    @Test func `a message from the node itself is refused and changes nothing`() {
        var cluster = Cluster(size: 3)
        var outcome = Outcome()
        #expect(throws: MessageDefect.sender(NodeID(1))) {
            try cluster.nodes[0].core.receive(
                .voteRequest(term: Term(9), last: .zero), from: NodeID(1), now: cluster.now,
                into: &outcome)
        }
        #expect(outcome == Outcome())
        #expect(cluster[1].core.term == .zero)
    }
}
