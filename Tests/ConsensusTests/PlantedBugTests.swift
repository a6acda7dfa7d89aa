#if PLANTED_BUGS
    import Consensus
    import Records
    import Testing

    struct PlantedBugTests {
        @Test(arguments: PlantedBug.allCases)
        func `random runs find every planted bug`(bug: PlantedBug) {
            var settings = ConsensusSettings()
            settings.plantedBugs = PlantedBugs([bug])
            let found = (1...3_000).first { seed in
                var run = RandomRun(
                    size: seed % 2 == 0 ? 3 : 5, seed: UInt64(seed), settings: settings)
                run.misbehave(steps: 1_500)
                return !run.cluster.violations.isEmpty
            }
            print("planted", bug.rawValue, "found by seed", found ?? 0)
            #expect(found != nil, "\(bug.rawValue) is not found")
        }
    }
#endif
