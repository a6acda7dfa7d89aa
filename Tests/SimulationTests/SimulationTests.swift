import Bytes
import Records
import Testing

@testable import Simulation

struct SimulationTests {
    @Test(arguments: UInt64(1)...20)
    func `every promise holds, whatever goes wrong`(seed: UInt64) throws {
        let run = try SeedRun(seed: seed)
        #expect(run.violation == nil, "\(run.options.lines)")
        #expect(run.statistics.leaderCount > 0)
    }

    /// Seeds that were violated once; cluster/TRACK_RECORD.md says by what.
    @Test(arguments: [97, 210, 278, 281, 320, 363, 459, 738] as [UInt64])
    func `seeds that found a bug hold`(seed: UInt64) throws {
        #expect(try SeedRun(seed: seed).violation == nil)
    }

    @Test(arguments: [3, 15] as [UInt64])
    func `a run is a function of its seed`(seed: UInt64) throws {
        let (first, second) = (try SeedRun(seed: seed), try SeedRun(seed: seed, traces: true))
        #expect(first.endState == second.endState && first.statistics == second.statistics)
        #expect(try SeedRun(seed: seed + 1).endState != first.endState)
    }

    @Test func `a bug that this build does not have is refused`() {
        #expect(throws: Violation.self) { try SeedRun(seed: 1, bug: "no-such-bug") }
    }

    #if PLANTED_BUGS
        static let seeds: [(bug: String, seed: UInt64)] = [
            ("acknowledge-before-sync", 2), ("count-old-term", 14),
        ]

        @Test(arguments: seeds)
        func `each planted bug is found by its seed, which holds without it`(
            bug: String, seed: UInt64
        ) throws {
            #expect(try SeedRun(seed: seed, bug: bug).violation != nil)
            #expect(try SeedRun(seed: seed).violation == nil)
        }
    #endif
}

struct EventQueueTests {
    @Test func `events come in order of time, and of insertion at the same time`() {
        var random = RandomSource(seed: 4)
        var queue = EventQueue<Int>()
        var expected: [(time: UInt64, order: Int)] = []
        for order in 0..<500 {
            let time = random.below(UInt64(40))
            queue.insert(order, at: Instant(nanoseconds: time))
            expected.append((time, order))
        }
        expected.sort { ($0.time, $0.order) < ($1.time, $1.order) }
        var found: [Int] = []
        while let next = queue.removeFirst() { found.append(next.event) }
        #expect(found == expected.map(\.order))
    }

    @Test func `a reliable network keeps the order, a blocked one delivers nothing`() {
        var network = SimulatedNetwork(
            endCount: 2, manners: SimulatedNetwork.Manners(), random: RandomSource(seed: 1))
        let now = Instant(nanoseconds: 5)
        let times = (0..<100).flatMap { _ in network.arrivals(from: 0, to: 1, now: now) }
        #expect(times.count == 100 && times == times.sorted())
        network.isolate(1, outgoing: false)
        #expect(network.arrivals(from: 0, to: 1, now: now).isEmpty)
        #expect(network.arrivals(from: 1, to: 0, now: now).count == 1)
        network.heal()
        #expect(network.arrivals(from: 0, to: 1, now: now).count == 1)
    }
}
