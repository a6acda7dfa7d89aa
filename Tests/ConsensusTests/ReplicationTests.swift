import Records
import Testing

@testable import Consensus

/// Raft paper sections 5.3 and 5.4.2, and what asynchronous writes add.
struct ReplicationTests {
    private func position(_ term: UInt64, _ index: UInt64) -> LogPosition {
        LogPosition(term: Term(term), index: LogIndex(index))
    }

    private func entry(_ term: UInt64, _ index: UInt64) -> EntryDescriptor {
        EntryDescriptor(position: position(term, index), byteCount: 100)
    }

    private func append(
        _ term: UInt64, after previous: LogPosition, _ entries: [EntryDescriptor],
        commit: UInt64 = 0, round: UInt64 = 0
    ) -> Message {
        .appendRequest(
            AppendRequest(
                term: Term(term), previous: previous, entries: entries, commit: LogIndex(commit),
                readContext: round))
    }

    private func matched(_ term: UInt64, through: LogPosition, round: UInt64 = 0) -> Message {
        .appendResponse(
            AppendResponse(
                term: Term(term), result: .matched(through: through), readContext: round))
    }

    /// A cluster in which member 1 is a follower of 3 with this log, all of it durable.
    private func follower(_ entries: [EntryDescriptor]) -> Cluster {
        var cluster = Cluster(size: 3)
        let term = entries.last?.position.term.value ?? 1
        cluster.hand(append(term, after: .zero, entries), from: 3, to: 1)
        cluster.sync(1)
        cluster.network = []
        return cluster
    }

    /// Paper section 8.
    @Test func `a new leader begins its term with a no-operation entry`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1, stopping: true)
        #expect(cluster[1].core.lastPosition == position(1, 1))
        #expect(
            cluster.take(from: 1, to: 2) == [
                append(
                    1, after: .zero,
                    [
                        EntryDescriptor(position: position(1, 1), byteCount: 56)
                    ])
            ])
    }

    /// Pitfall (KAFKA-10533, camunda 4160): acknowledging before fdatasync.
    @Test func `a follower acknowledges entries when they are durable`() {
        var cluster = Cluster(size: 3)
        cluster.hand(append(1, after: .zero, [entry(1, 1)]), from: 3, to: 1)
        #expect(cluster.network.isEmpty)
        cluster.sync(1, count: 1)
        #expect(cluster.network.isEmpty, "only the term is durable")
        cluster.sync(1, count: 1)
        #expect(cluster.take(from: 1, to: 3) == [matched(1, through: position(1, 1))])
    }

    @Test func `a heartbeat before the sync is answered with what is durable`() {
        var cluster = follower([entry(1, 1)])
        cluster.hand(append(1, after: position(1, 1), [entry(1, 2)]), from: 3, to: 1)
        cluster.hand(append(1, after: position(1, 2), [], round: 4), from: 3, to: 1)
        #expect(cluster.take(from: 1, to: 3) == [matched(1, through: position(1, 1), round: 4)])
        cluster.sync(1)
        #expect(cluster.take(from: 1, to: 3) == [matched(1, through: position(1, 2), round: 4)])
    }

    /// Pitfall (etcd 14370): one node alone must sync too.
    @Test func `one node alone commits nothing that is not durable`() {
        var cluster = Cluster(size: 1)
        cluster.tick(1)
        cluster.sync(1)
        cluster.propose(1)
        #expect(cluster[1].core.commitIndex == LogIndex(1))
        cluster.sync(1)
        #expect(cluster[1].core.commitIndex == LogIndex(2))
    }

    @Test func `a leader's own disk counts like any other`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.propose(1)
        cluster.network = []
        cluster.hand(matched(1, through: position(1, 2)), from: 2, to: 1)
        #expect(cluster[1].core.commitIndex == LogIndex(1))
    }

    /// Paper section 5.4.2, figure 8. Pitfall (LogCabin 44, async-raft 108).
    @Test func `a leader commits by counting only its own term`() {
        var cluster = follower([entry(1, 1), entry(1, 2)])
        cluster.elect(1, stopping: true)
        cluster.sync(1)
        cluster.network = []
        let term = cluster[1].core.term.value
        cluster.hand(matched(term, through: position(1, 2)), from: 2, to: 1)
        cluster.hand(matched(term, through: position(1, 2)), from: 3, to: 1)
        #expect(cluster[1].core.commitIndex == .zero)
        cluster.hand(matched(term, through: position(term, 3)), from: 2, to: 1)
        #expect(cluster[1].core.commitIndex == LogIndex(3))
    }

    /// Paper section 5.3: the last new entry bounds a follower's commit index.
    @Test func `a follower commits no further than it was matched`() {
        var cluster = follower([entry(1, 1), entry(1, 2), entry(1, 3)])
        cluster.hand(append(2, after: position(1, 1), [], commit: 3), from: 2, to: 1)
        #expect(cluster[1].core.commitIndex == LogIndex(1))
        cluster.violations = []  // No majority has 1/1 here, which is not this test's matter.
        cluster.hand(append(2, after: position(1, 2), [], commit: 3), from: 2, to: 1)
        #expect(cluster[1].core.commitIndex == LogIndex(2))
    }

    /// Pitfall (RATIS-2605, openraft 1501, etcd 1366).
    @Test func `a heartbeat acknowledges nothing behind the entry it names`() {
        var cluster = follower([entry(1, 1), entry(1, 2), entry(1, 3)])
        cluster.hand(append(2, after: position(1, 1), []), from: 2, to: 1)
        cluster.sync(1)
        #expect(cluster.take(from: 1, to: 2) == [matched(2, through: position(1, 1))])
    }

    /// Paper section 5.3: conflicting entries go, with all that follows.
    @Test func `a conflict cuts the log, and what agrees stays`() {
        var cluster = follower([entry(1, 1), entry(1, 2), entry(1, 3)])
        cluster.hand(
            append(2, after: position(1, 1), [entry(1, 2), entry(2, 3)]), from: 2, to: 1)
        cluster.sync(1)
        #expect(cluster[1].logDescription == "1/1 1/2 2/3")
        #expect(cluster.take(from: 1, to: 2) == [matched(2, through: position(2, 3))])
    }

    @Test func `an old append cuts nothing that came after it`() {
        var cluster = follower([entry(1, 1), entry(1, 2), entry(1, 3)])
        cluster.hand(append(1, after: .zero, [entry(1, 1)]), from: 3, to: 1)
        #expect(cluster[1].core.lastPosition == position(1, 3))
        #expect(cluster.take(from: 1, to: 3) == [matched(1, through: position(1, 3))])
    }

    /// Paper section 5.3, the optimisation: a round a term, not an entry.
    @Test func `a rejection hints at the last entry that can agree`() {
        var cluster = follower([entry(1, 1), entry(1, 2), entry(3, 3), entry(3, 4)])
        cluster.hand(append(4, after: position(2, 4), []), from: 2, to: 1)
        cluster.hand(append(4, after: position(4, 9), []), from: 2, to: 1)
        cluster.sync(1)
        let answers = cluster.take(from: 1, to: 2)
        #expect(
            answers == [
                .appendResponse(
                    AppendResponse(
                        term: Term(4),
                        result: .rejected(previous: LogIndex(4), hint: position(1, 2)),
                        readContext: 0)),
                .appendResponse(
                    AppendResponse(
                        term: Term(4),
                        result: .rejected(previous: LogIndex(9), hint: position(3, 4)),
                        readContext: 0)),
            ])
    }

    /// Paper section 5.1. Pitfall (etcd 8243, 8501): a deposed leader that nobody tells.
    @Test func `an append of an older term is answered with the later one`() {
        var cluster = Cluster(size: 3)
        cluster.hand(.voteRequest(term: Term(5), last: .zero), from: 2, to: 1)
        cluster.sync(1)
        cluster.network = []
        cluster.hand(append(4, after: .zero, [entry(4, 1)]), from: 3, to: 1)
        #expect(cluster[1].core.lastPosition == .zero)
        cluster.elect(3)
        cluster.stabilize()
        #expect(cluster[3].core.term >= Term(5))
    }

    @Test func `a leader steps down when an answer has a later term`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.hand(matched(2, through: position(1, 1)), from: 2, to: 1)
        #expect(
            cluster[1].core.standing == Standing(role: .follower, term: Term(2), leader: nil))
    }

    /// Pitfall: acknowledging (index) without term after an asynchronous write; the ABA race.
    @Test func `completion of a write that was cut off since acknowledges nothing`() {
        var cluster = follower([entry(1, 1)])
        cluster.hand(append(1, after: position(1, 1), [entry(1, 2)]), from: 3, to: 1)
        let mark = cluster[1].core.logMark
        cluster.hand(append(2, after: position(1, 1), [entry(2, 2)]), from: 2, to: 1)
        var outcome = Outcome()
        cluster.nodes[0].core.logDurable(through: mark, now: cluster.now, into: &outcome)
        // A leader of term 3 that has 1/2 after all.
        cluster.hand(append(3, after: position(1, 1), [entry(1, 2)]), from: 3, to: 1)
        #expect(cluster[1].core.logMark.position == mark.position)
        cluster.nodes[0].core.logDurable(through: mark, now: cluster.now, into: &outcome)
        #expect(cluster[1].core.durablePosition == position(1, 1))
        #expect(outcome == Outcome())
    }

    /// The second failure: the leader of the write is gone when it completes.
    @Test func `durability of an old leader's entries is not told to the new one unasked`() {
        var cluster = follower([entry(1, 1)])
        cluster.hand(append(1, after: position(1, 1), [entry(1, 2)]), from: 3, to: 1)
        cluster.hand(append(2, after: position(1, 1), []), from: 2, to: 1)
        cluster.sync(1)
        for case .appendResponse(let response) in cluster.take(from: 1, to: 2) {
            #expect(response.result == .matched(through: position(1, 1)))
        }
        #expect(cluster.take(from: 1, to: 3).isEmpty)
    }

    /// Pitfall (raft-wal 31, NATS 8149): what is committed is never cut.
    @Test func `a cut at the commit index ends the process`() async {
        await #expect(processExitsWith: .failure) {
            let first = LogPosition(term: Term(1), index: LogIndex(1))
            var log = LogOutline()
            log.append(EntryDescriptor(position: first, byteCount: 1))
            var core = Consensus(
                id: NodeID(1), voters: [NodeID(1), NodeID(2), NodeID(3)],
                settings: ConsensusSettings(), vote: DurableVote(term: Term(1), votedFor: nil),
                log: log, commitIndex: .zero, seed: 1, now: .zero)
            var outcome = Outcome()
            // Entry 1/1 is committed by a leader of term 2; one of term 3 contradicts it.
            try core.receive(
                .appendRequest(
                    AppendRequest(
                        term: Term(2), previous: first, entries: [], commit: LogIndex(1),
                        readContext: 0)), from: NodeID(2), now: .zero, into: &outcome)
            core.cut(from: LogIndex(1), now: .zero, into: &outcome)
        }
    }

    @Test func `appends carry no more bytes and entries than they may`() {
        var settings = ConsensusSettings()
        settings.maxAppendBytes = 250
        settings.maxEntriesPerAppend = 4
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        cluster.partition([[1, 2], [3]])
        for size in [100, 100, 100, 900, 10, 10, 10, 10, 10] { cluster.propose(1, byteCount: size) }
        cluster.stabilize()
        cluster.network = []
        cluster.heal()
        cluster.hand(
            .appendResponse(
                AppendResponse(
                    term: Term(1),
                    result: .rejected(previous: LogIndex(10), hint: position(1, 1)),
                    readContext: 0)), from: 3, to: 1)
        cluster.network = []
        cluster.hand(matched(1, through: position(1, 1)), from: 3, to: 1)
        func counts() -> [Int] {
            cluster.take(from: 1, to: 3).compactMap { message in
                if case .appendRequest(let request) = message { request.entries.count } else { nil }
            }
        }
        #expect(counts() == [2, 1, 1], "half of what was on its way when it was lost")
        cluster.hand(matched(1, through: position(1, 5)), from: 3, to: 1)
        #expect(counts() == [4, 1])
    }

    @Test func `bytes in flight are bounded, and an acknowledgement opens the window again`() {
        var settings = ConsensusSettings()
        settings.maxInflightBytes = 300
        var cluster = Cluster(size: 3, settings: settings)
        cluster.elect(1)
        for _ in 0..<6 { cluster.propose(1) }
        #expect(cluster.take(from: 1, to: 2).count == 3)
        cluster.hand(matched(1, through: position(1, 3)), from: 2, to: 1)
        #expect(cluster.take(from: 1, to: 2).count == 1, "those that were waiting, in one append")
        #expect(cluster[1].core.progress[0].nextIndex == LogIndex(8))
    }

    @Test func `while it probes, a leader has one append on its way`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1, stopping: true)
        cluster.propose(1)
        cluster.propose(1)
        #expect(cluster.take(from: 1, to: 2).count == 1)
    }

    @Test func `a rejection that answers an older question changes nothing`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        let before = cluster[1].core.progress
        cluster.hand(
            .appendResponse(
                AppendResponse(
                    term: Term(1), result: .rejected(previous: .zero, hint: .zero),
                    readContext: 0)), from: 2, to: 1)
        #expect(cluster[1].core.progress == before)
        #expect(cluster.network.isEmpty)
    }

    @Test func `a follower that needs released entries is named once`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.partition([[1, 2], [3]])
        for _ in 0..<5 { cluster.propose(1) }
        cluster.stabilize()
        cluster.release(1, through: 4)
        cluster.heal()
        cluster.run(milliseconds: 300)
        #expect(cluster[1].installs == [NodeID(3)])
        #expect(cluster[1].core.progress[1].state == .install)
        #expect(cluster.leader == 1)
        #expect(cluster.violations == [])
    }

    @Test func `entries out of place are refused and change nothing`() {
        var cluster = follower([entry(1, 1)])
        let before = cluster[1].core.logMark
        let bad: [AppendRequest] = [
            AppendRequest(
                term: Term(2), previous: position(1, 1), entries: [entry(2, 3)], commit: .zero,
                readContext: 0),
            AppendRequest(
                term: Term(2), previous: position(1, 1), entries: [entry(0, 2)], commit: .zero,
                readContext: 0),
            AppendRequest(
                term: Term(2), previous: position(1, 1), entries: [entry(3, 2)], commit: .zero,
                readContext: 0),
            AppendRequest(
                term: Term(2), previous: position(1, 1),
                entries: [EntryDescriptor(position: position(2, 2), byteCount: 0)],
                commit: .zero, readContext: 0),
        ]
        for request in bad {
            var outcome = Outcome()
            #expect(throws: MessageDefect.self) {
                try cluster.nodes[0].core.receive(
                    .appendRequest(request), from: NodeID(2), now: cluster.now, into: &outcome)
            }
            #expect(outcome == Outcome())
        }
        #expect(cluster[1].core.logMark == before)
        #expect(cluster[1].core.term == Term(1))
    }

    @Test func `an acknowledgement of what the leader does not have is refused`() {
        var cluster = Cluster(size: 3)
        cluster.elect(1)
        cluster.hand(matched(1, through: position(1, 99)), from: 2, to: 1)
        #expect(cluster.violations.count == 1)
        #expect(cluster[1].core.progress[0].matchIndex == LogIndex(1))
    }

    @Test func `an outcome that was not carried out is no place for the next one`() async {
        await #expect(processExitsWith: .failure) {
            var core = Consensus(
                id: NodeID(1), voters: [NodeID(1), NodeID(2)], settings: ConsensusSettings(),
                vote: .initial, log: LogOutline(), commitIndex: .zero, seed: 1, now: .zero)
            var outcome = Outcome()
            for index in 1...2 {
                let position = LogPosition(term: Term(1), index: LogIndex(UInt64(index)))
                try core.receive(
                    .appendRequest(
                        AppendRequest(
                            term: Term(1), previous: core.lastPosition,
                            entries: [EntryDescriptor(position: position, byteCount: 8)],
                            commit: .zero, readContext: 0)), from: NodeID(2), now: .zero,
                    into: &outcome)
            }
        }
    }

    @Test func `only a leader may propose`() async {
        await #expect(processExitsWith: .failure) {
            var cluster = Cluster(size: 3)
            cluster.propose(1)
        }
    }
}
