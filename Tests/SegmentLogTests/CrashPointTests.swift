import Simulation
import Testing

struct CrashPointTests {
    @Test func `a log cut inside any operation is found whole, twice, and goes on`() throws {
        var counts = CrashCounts()
        for seed in UInt64(0)..<10 { counts += try CrashSuite.log.explore(seed) }
        print(
            "crash points: \(counts.stateCount) distinct states,",
            "\(counts.recoveryCrashCount) crashes during recovery")
        #expect(counts.stateCount >= 2_000)
        #expect(counts.recoveryCrashCount >= 2_000)
    }

    @Test func `every bit and every length of a small segment and its records are told apart`()
        throws
    {
        let counts = try DamageSuite(segmentBytes: 1_024, recordStride: 61).run()
        #expect(counts.faulty + counts.cut == 1_024 * 8)
        #expect(counts.cut > 0)
        #expect(counts.healed == 16_384 * 8 / 61 + 1)
        #expect(counts.lengths == 1_025)
    }
}
