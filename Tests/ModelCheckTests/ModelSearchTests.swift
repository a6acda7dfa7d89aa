import BugZoo
import Consensus
import ModelCheck
import Records
import Testing

struct ModelSearchTests {
    private func report(_ states: Int, _ change: (inout ModelBounds) -> Void = { _ in })
        -> ModelSearch.Report
    {
        var bounds = ModelBounds()
        bounds.states = states
        change(&bounds)
        let search = ModelSearch(bounds)
        search.run()
        return search.report
    }

    @Test func `the first states hold`() {
        let found = report(20_000)
        #expect(found.states == 20_000 && !found.isComplete && found.depth > 3)
        #expect(found.violation == nil, "\(found.violation?.way.joined(separator: "\n") ?? "")")
    }

    @Test func `a small model is seen to its end, and twice the same`() {
        let change: (inout ModelBounds) -> Void = { bounds in
            (bounds.terms, bounds.entries, bounds.inFlight) = (1, 1, 1)
            (bounds.asksAtOnce, bounds.writesAtOnce) = (true, true)
            (bounds.crashes, bounds.corruptions, bounds.duplicates) = (0, 0, 0)
            (bounds.reads, bounds.transfers) = (0, 0)
        }
        let (first, second) = (report(1_000_000, change), report(1_000_000, change))
        #expect(first.isComplete && first.violation == nil)
        #expect(first.states == second.states && first.states > 500)
        #expect(first.depth == second.depth)
    }

    /// A property that the bytes of a state leave out would make unequal states equal.
    @Test func `every property of the core is stated`() {
        let core = Consensus(
            id: NodeID(1), voters: [NodeID(1), NodeID(2)], settings: ConsensusSettings(),
            vote: .initial, log: LogOutline(), commitIndex: .zero, seed: 1, now: .zero)
        let properties = Mirror(reflecting: core).children.compactMap(\.label)
        #expect(properties == Consensus.statedProperties)
    }

    #if PLANTED_BUGS
        @Test(arguments: [PlantedBug.votesTwice, .acknowledgeBeforeSync, .preVoteCountsAsVote])
        func `a planted bug is found, with the way to it`(bug: PlantedBug) throws {
            var bounds = ModelBounds()
            bounds.states = 1_000_000
            let search = ModelSearch(bounds, bugs: PlantedBugs([bug]))
            search.run()
            let violation = try #require(search.report.violation)
            #expect(violation.way.count == search.report.depth)
        }
    #endif
}
