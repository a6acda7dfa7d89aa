#if PLANTED_BUGS
    import Consensus
    import Records
    import Testing

    /// Whether the tests here see the mistakes that they are for. `DAYBOOK_PLANTED_BUGS=1` only.
    struct PlantedBugTests {
        private func settings(_ bug: PlantedBug) -> ConsensusSettings {
            var settings = ConsensusSettings()
            settings.plantedBugs = PlantedBugs([bug])
            return settings
        }

        /// Stale durability needs writes that complete out of order, which these disks do not do;
        /// `completion of a write that was cut off …` in ReplicationTests is for it.
        private static let bugs = PlantedBug.allCases.filter { $0 != .staleDurability }

        @Test(arguments: bugs)
        func `with any planted bug some scenario does not happen as it is written`(
            bug: PlantedBug
        ) throws {
            var caught: [String] = []
            for name in ScenarioFiles.names() {
                let text = try ScenarioFiles.read(name)
                var scenario = Scenario(settings: settings(bug))
                if scenario.run(text) != text { caught.append(name) }
            }
            print("planted", bug.rawValue, "caught by", caught.joined(separator: " "))
            #expect(!caught.isEmpty, "\(bug.rawValue)")
        }

        /// What needs three coincidences in a row is left to longer searches and to scenarios.
        private static let frequentBugs = bugs.filter {
            !memberBugs.contains($0)
                && ![
                    .countOldTerm, .voteNotPersisted, .transferNeverAbandoned,
                    .transferSkipsLogCheck, .installGoesBack, .heartbeatAdvancesMatch,
                ].contains($0)
        }

        private static let memberBugs: [PlantedBug] = [
            .changeBeforeOwnCommit, .configurationAtApply, .learnerCounts, .configurationNotUndone,
        ]

        /// The first of them needs two leaders that change the members at once, which is left to its
        /// scenario.
        @Test(arguments: memberBugs.dropFirst())
        func `random runs in which members come and go find what is wrong with those`(
            bug: PlantedBug
        ) async {
            let found = (1...1_000).first { seed in
                var run = RandomRun(
                    size: 6, founders: seed % 4 + 1, seed: UInt64(seed), settings: settings(bug))
                run.misbehave(steps: 1_500)
                return !run.cluster.violations.isEmpty
            }
            print("planted", bug.rawValue, "found by seed", found ?? 0)
            #expect(found != nil, "\(bug.rawValue) is not found")
        }

        @Test(arguments: frequentBugs)
        func `random runs find the planted bugs that need no long coincidence`(bug: PlantedBug) {
            let found = (1...1_000).first { seed in
                var run = RandomRun(
                    size: seed % 2 == 0 ? 3 : 5, seed: UInt64(seed), settings: settings(bug))
                run.misbehave(steps: 1_500)
                return !run.cluster.violations.isEmpty
            }
            print("planted", bug.rawValue, "found by seed", found ?? 0)
            #expect(found != nil, "\(bug.rawValue) is not found")
        }

        /// A cut of what the term verified traps, often before two members commit differently.
        @Test func `what a heartbeat acknowledged wrongly is found, by a trap at the latest`() async
        {
            await #expect(processExitsWith: .failure) {
                var settings = ConsensusSettings()
                settings.plantedBugs = PlantedBugs([.heartbeatAdvancesMatch])
                for seed in 1...1_000 {
                    var run = RandomRun(size: 3, seed: UInt64(seed), settings: settings)
                    run.misbehave(steps: 1_500)
                    precondition(run.cluster.violations.isEmpty, "found by seed \(seed)")
                }
            }
        }
    }
#endif
