import Records
import Testing

@testable import Consensus

/// Logs with a base, and followers that need what is below it: Raft paper section 7.
struct InstallTests {
    private func position(_ term: UInt64, _ index: UInt64) -> LogPosition {
        LogPosition(term: Term(term), index: LogIndex(index))
    }

    /// Member 1 leads term 1 with `count` entries, archived through `base`, and member 3 has one.
    private func lagging(count: Int = 8, base: Int = 6) -> Cluster {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.partition([[1, 2], [3]])
        for _ in 1..<count { cluster.propose(1) }
        cluster.stabilize()
        cluster.release(1, through: base)
        cluster.heal()
        return cluster
    }

    private func isHint(_ message: Message) -> Bool {
        if case .installHint = message { true } else { false }
    }

    @Test func `a node starts with an archive below its log, and leads`() {
        var outline = LogOutline(base: position(3, 10))
        outline.append(EntryDescriptor(position: position(3, 11), byteCount: 100))
        var core = Consensus(
            id: NodeID(1), voters: [NodeID(1)], settings: ConsensusSettings(),
            vote: DurableVote(term: Term(4), votedFor: nil), log: outline,
            commitIndex: LogIndex(10), seed: 1, now: .zero)
        var outcome = Outcome()
        core.tick(now: Instant(nanoseconds: 1), into: &outcome)
        #expect(outcome.voteToStore == DurableVote(term: Term(5), votedFor: NodeID(1)))
        outcome.clear()
        core.voteDurable(
            DurableVote(term: Term(5), votedFor: NodeID(1)), now: .zero, into: &outcome)
        #expect(outcome.noOperation == position(5, 12))
        core.propose(
            EntryDescriptor(position: position(5, 12), byteCount: 56), now: .zero, into: &outcome)
        outcome.clear()
        core.logDurable(through: core.logMark, now: .zero, into: &outcome)
        #expect(outcome.committed == LogIndex(12))
        core.checkInvariants()
    }

    @Test func `a follower below the base gets heartbeats up to it and hints, no entries`() {
        var cluster = lagging()
        var (entries, hints, commits) = (0, 0, [LogIndex]())
        for _ in 0..<200 {
            cluster.advance(milliseconds: 10)
            for packet in cluster.network where packet.to == NodeID(3) {
                if isHint(packet.message) { hints += 1 }
                guard case .appendRequest(let request) = packet.message else { continue }
                entries += request.entries.count
                if cluster[1].core.progress[1].state == .install { commits.append(request.commit) }
            }
            cluster.stabilize()
        }
        #expect(entries == 0)
        // The first went out as the answer to a rejection, and is not among them.
        #expect((3...4).contains(hints), "\(hints) hints in 2 s")
        #expect(commits.count > 10 && commits.allSatisfy { $0 == LogIndex(6) })
        #expect(cluster.leader == 1)
        #expect(cluster[1].installs == [NodeID(3)])
        #expect(cluster[3].hint == InstallHint(from: NodeID(1), base: position(1, 6)))
        #expect(cluster.violations == [])
    }

    @Test func `one who needs an install counts for the majority that keeps a leader`() {
        var cluster = lagging()
        cluster.run(milliseconds: 200)
        cluster.partition([[1, 3], [2]])
        cluster.run(milliseconds: 2_000)
        #expect(cluster.leader == 1)
        let ticket = cluster.read(1)
        cluster.stabilize()
        #expect(cluster[1].confirmedReads.map(\.ticket) == [ticket])
    }

    @Test func `an install behind a later base than was said ends it too`() {
        var cluster = lagging()
        cluster.run(milliseconds: 200)
        cluster.propose(1)
        cluster.stabilize()
        cluster.release(1, through: 8)
        #expect(cluster.install(3) == true)
        #expect(cluster[3].core.log.base == position(1, 8))
        cluster.run(milliseconds: 300)
        #expect(cluster[3].core.commitIndex == LogIndex(9))
        #expect(cluster[1].core.progress[1].state == .replicating)
        #expect(cluster.violations == [])
    }

    @Test func `a base that moves on while a follower installs is said again`() {
        var cluster = lagging()
        cluster.run(milliseconds: 200)
        #expect(cluster.install(3) == true)
        cluster.partition([[1, 2], [3]])
        for _ in 0..<4 { cluster.propose(1) }
        cluster.stabilize()
        cluster.release(1, through: 11)
        cluster.heal()
        cluster.run(milliseconds: 1_000)
        #expect(cluster[3].hint?.base == position(1, 11))
        #expect(cluster.install(3) == true)
        cluster.run(milliseconds: 300)
        #expect(cluster[3].core.commitIndex == LogIndex(12))
        #expect(cluster.violations == [])
    }

    /// Pitfall: keeping a conflicting suffix after an install.
    @Test func `a tail that contradicts the base goes, one that agrees stays`() {
        for isSame in [true, false] {
            var cluster = Cluster(size: 3)
            cluster.elect(1)
            if !isSame {
                cluster.partition([[3], [1, 2]])
                cluster.elect(1)
            }
            for _ in 0..<3 { cluster.propose(1) }
            cluster.stabilize()
            if !isSame {
                let stale = (2...6).map {
                    EntryDescriptor(position: position(0, UInt64($0)), byteCount: 8)
                }
                cluster.crash(3)
                cluster[3].storedVote = .initial
                cluster[3].storedLog =
                    [EntryDescriptor(position: position(0, 1), byteCount: 8)] + stale
                cluster.restart(3)
            }
            cluster.release(1, through: 3)
            cluster.heal()
            cluster[3].hint = InstallHint(from: NodeID(1), base: position(1, 3))
            #expect(cluster.install(3) == true)
            #expect(cluster[3].core.lastPosition == (isSame ? position(1, 4) : position(1, 3)))
            cluster.run(milliseconds: 500)
            #expect(cluster[3].core.lastPosition == cluster[1].core.lastPosition)
            #expect(cluster.violations == [])
        }
    }

    @Test func `a hint is followed only forward, and only by the leader of the term`() throws {
        var cluster = lagging()
        cluster.stabilize()
        func hinted(_ id: Int, term: UInt64, base: LogPosition, from: Int = 1) -> InstallHint? {
            var copy = cluster
            copy[id].hint = nil
            copy.hand(.installHint(term: Term(term), base: base), from: from, to: id)
            return copy[id].hint
        }
        #expect(hinted(3, term: 1, base: position(1, 6)) != nil)
        #expect(hinted(3, term: 2, base: position(1, 6), from: 2) != nil, "a new leader")
        #expect(hinted(3, term: 0, base: position(0, 6)) == nil, "an older term")
        #expect(hinted(3, term: 1, base: position(1, 1)) == nil, "it is committed here")
        #expect(hinted(2, term: 1, base: position(1, 8)) == nil, "it is in the log")
        cluster.hand(.installHint(term: Term(1), base: position(2, 9)), from: 1, to: 3)
        #expect(cluster.violations.count == 1, "a base of a later term")
    }

    @Test func `entries that were on their way when they were archived end the need for them`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.propose(1)
        cluster.propose(1)
        cluster.sync(1)
        cluster.sync(2)
        while let place = cluster.network.firstIndex(where: {
            $0.to == NodeID(2) || $0.from == NodeID(2)
        }) {
            cluster.deliver(at: place)
            cluster.sync(2)
        }
        cluster.release(1, through: 3)
        #expect(cluster[1].core.log.base == position(1, 3))
        cluster.stabilize()
        #expect(cluster[1].installs.isEmpty)
        #expect(cluster[3].core.commitIndex == LogIndex(3))
    }

    // MARK: Going back

    private func rejection(_ previous: UInt64, window: UInt32) -> Message {
        .appendResponse(
            AppendResponse(
                term: Term(1),
                result: .rejected(
                    previous: LogIndex(previous), hint: position(1, 1), window: window),
                readContext: 0))
    }

    /// Each of many small appends in a lost window is rejected; on links that reorder, a window was
    /// sent again for each of those that came late.
    @Test func `rejections of a window that was sent again change nothing`() {
        var settings = ConsensusSettings()
        settings.maxEntriesPerAppend = 1
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        for _ in 0..<20 { cluster.propose(1) }
        #expect(cluster.take(from: 1, to: 2).count == 20)
        cluster.hand(rejection(20, window: 0), from: 2, to: 1)
        #expect(cluster.take(from: 1, to: 2).count == 1, "the probe")
        cluster.hand(
            .appendResponse(
                AppendResponse(
                    term: Term(1), result: .matched(through: position(1, 1)), readContext: 0)),
            from: 2, to: 1)
        #expect(cluster.take(from: 1, to: 2).count == 10, "half of the window, once more")
        for previous in 2...20 {
            cluster.hand(rejection(UInt64(previous), window: 0), from: 2, to: 1)
        }
        #expect(cluster.take(from: 1, to: 2).isEmpty)
        cluster.hand(rejection(3, window: 1), from: 2, to: 1)
        #expect(cluster.take(from: 1, to: 2).count == 1, "what was sent since was lost, too")
    }

    @Test func `what is in flight is halved by a loss and doubles with what arrives`() {
        var settings = ConsensusSettings()
        settings.maxEntriesPerAppend = 1
        settings.maxInflightBytes = 1_600
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        for _ in 0..<64 { cluster.propose(1) }
        #expect(cluster.take(from: 1, to: 2).count == 16)
        cluster.hand(rejection(17, window: 0), from: 2, to: 1)
        cluster.hand(rejection(1, window: 1), from: 2, to: 1)
        var through: UInt64 = 1
        var counts: [Int] = []
        for _ in 0..<4 {
            cluster.network = []
            cluster.hand(
                .appendResponse(
                    AppendResponse(
                        term: Term(1), result: .matched(through: position(1, through)),
                        readContext: 0)), from: 2, to: 1)
            counts.append(cluster.take(from: 1, to: 2).count)
            through += UInt64(counts.last ?? 0)
        }
        #expect(counts == [8, 16, 16, 16])
        #expect(cluster[1].core.progress[0].inflightLimit == 1_600)
    }

    @Test func `a follower repeats the window of what it rejects`() {
        var cluster = Cluster(size: 3)
        cluster.hand(
            .appendRequest(
                AppendRequest(
                    term: Term(1), previous: position(1, 5), entries: [], commit: .zero,
                    readContext: 0, window: 9)), from: 2, to: 1)
        cluster.sync(1)
        #expect(
            cluster.take(from: 1, to: 2) == [
                .appendResponse(
                    AppendResponse(
                        term: Term(1),
                        result: .rejected(previous: LogIndex(5), hint: .zero, window: 9),
                        readContext: 0))
            ])
    }
}
