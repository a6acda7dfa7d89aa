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

    /// Each ninth operation.
    @Test func `a segment that is archived while the power fails is in the tail or the archive`()
        throws
    {
        var explorer = CrashExplorer(
            ArchiveCrashScript(seed: 0), seed: 0, variants: 1, stride: 9)
        try explorer.explore()
        print("crash points: \(explorer.counts)")
        #expect(explorer.counts.stateCount >= 10)
        #expect(explorer.counts.recoveryCrashCount >= 10)
    }
}
