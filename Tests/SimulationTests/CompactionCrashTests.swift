import Simulation
import Testing

struct CompactionCrashTests {
    /// Each 29th operation; `tools/simulate --crash-points` cuts all of them.
    @Test func `a compaction or an erasure that is cut is there whole or not at all`() throws {
        var explorer = CrashExplorer(
            CompactionCrashScript(seed: 0), seed: 0, variants: 1, stride: 29)
        try explorer.explore()
        print("crash points: \(explorer.counts)")
        #expect(explorer.counts.stateCount >= 5)
        #expect(explorer.counts.recoveryCrashCount >= 5)
    }
}
