import Replica
import Testing

@testable import daybook

struct CompactTests {
    private func state(
        run: String =
            "{\"id\":7,\"policy\":\"latest\",\"state\":\"completed\",\"done_segments\":3}",
        leader: String = "1", pending: Int = 0, nodes: String
    ) throws -> ClusterState {
        let text =
            "{\"leader\":\(leader),\"compaction\":{\"run\":\(run),\"done_through\":9,"
            + "\"pending_erasures\":\(pending)},\"nodes\":[\(nodes)]}"
        return ClusterState(answer: try JSONAnswer(Array(text.utf8)))
    }

    private func node(
        swapped: Int = 9, settled: Bool = true, reachable: Bool = true, run: Int = 7,
        before: Int = 100
    ) -> String {
        "{\"reachable\":\(reachable),\"compaction\":{\"run\":\(run),\"swapped_through\":\(swapped),"
            + "\"settled\":\(settled),\"events_compacted\":5,\"events_erased\":0,"
            + "\"bytes_before\":\(before),\"bytes_after\":40}}"
    }

    @Test func `a run is over when the log says so and every node that answers shows it`() throws {
        let good = node()
        #expect(try state(nodes: good).isOver(run: "7"))
        #expect(try state(nodes: good).isOver(run: "6"))
        #expect(try !state(nodes: good).isOver(run: "8"))
        #expect(try !state(run: "null", nodes: good).isOver(run: "7"))
        #expect(try !state(leader: "null", nodes: good).isOver(run: "7"))
        #expect(try !state(nodes: good + "," + node(swapped: 8)).isOver(run: "7"))
        #expect(try !state(nodes: good + "," + node(settled: false)).isOver(run: "7"))
        #expect(
            try state(nodes: good + "," + node(swapped: 0, reachable: false)).isOver(run: "7"))
        let underWay = "{\"id\":7,\"state\":\"under-way\"}"
        #expect(try !state(run: underWay, nodes: good).isOver(run: "7"))
    }

    @Test func `an erasure is over when none is pending`() throws {
        #expect(try state(nodes: node()).hasErased)
        #expect(try !state(pending: 1, nodes: node()).hasErased)
        #expect(try !state(nodes: node(settled: false)).hasErased)
    }

    @Test func `the summary is the word of the node that has seen most of the run`() throws {
        let nodes = [node(before: 60), node(before: 100), node(run: 6, before: 900)]
        let cluster = try state(nodes: nodes.joined(separator: ","))
        let summary = RunSummary(run: "7", cluster)
        #expect(summary.state == "completed")
        #expect(
            summary.text == "run 7 (latest) completed: 3 segments, 5 events compacted away, "
                + "0 erased, 100 bytes became 40\n")
        #expect(
            summary.json == "{\"run\":7,\"policy\":\"latest\",\"state\":\"completed\","
                + "\"segments\":3,\"events_compacted\":5,\"events_erased\":0,"
                + "\"bytes_before\":100,\"bytes_after\":40}\n")
        #expect(RunSummary(run: "6", cluster).state == "followed by another")
    }

    @Test func `pages of an estimate add up`() throws {
        var sum = EstimateSum()
        for first in [1, 9] {
            sum.add(
                try JSONAnswer(
                    Array(
                        ("{\"segments\":[{\"first_index\":\(first),\"generation\":0,"
                            + "\"events_kept\":4,\"events_compacted\":2,\"events_erased\":1,"
                            + "\"bytes_before\":50,\"bytes_after\":20}],\"next\":null}").utf8)))
        }
        #expect(
            sum.text.hasSuffix(
                "2 sealed segments: 6 events would go, 8 stay, 60 of 100 bytes come back; "
                    + "nothing was changed\n"))
        #expect(sum.json("latest").contains("\"events_gone\":6,\"bytes_before\":100"))
    }

    @Test func `a schedule is minutes, hours or days`() throws {
        func schedule(_ words: String...) throws -> UInt64? {
            let flags = CommandTable.serverCommands[1].flags
            let arguments = try Arguments(
                ["--data", "d"] + words, flags: flags, environment: { _ in nil })
            return try ServerCommands.schedule(arguments)?.periodMicroseconds
        }
        #expect(try schedule() == nil)
        #expect(try schedule("--compact-every", "30m") == 1_800_000_000)
        #expect(try schedule("--compact-every", "24h") == 86_400_000_000)
        #expect(try schedule("--compact-every", "7d", "--compact-policy", "newer-than:3") != nil)
        for wrong in ["", "24", "h", "0h", "-1h", "1w", "100001d"] {
            #expect(throws: UsageError.self) { try schedule("--compact-every=\(wrong)") }
        }
        #expect(throws: UsageError.self) { try schedule("--compact-policy", "all") }
    }
}
