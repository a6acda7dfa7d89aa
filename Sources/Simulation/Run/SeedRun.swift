import Records

/// One seed from beginning to end.
package struct SeedRun: Sendable {
    package let options: SimulationOptions
    package let statistics: SimulationStatistics
    package let violation: String?
    /// Virtual nanoseconds at which the run ended.
    package let endedAt: UInt64
    package let endState: UInt64
    package let trace: [String]

    /// Runs `seed`; `traces` keeps the newest lines of what happened. Throws when there is no bug of
    /// that name.
    package init(
        seed: UInt64, bug: String? = nil, changes: RunChanges = RunChanges(), traces: Bool = false
    ) throws(Violation) {
        options = SimulationOptions(seed: seed, bug: bug, changes: changes)
        _ = try PlantedBugNames.switches(bug)
        var text: String?
        let simulation: Simulation
        do {
            simulation = try Simulation(options, traces: traces)
        } catch { preconditionFailure("seed \(seed) cannot be set up: \(error)") }
        do {
            try simulation.run()
        } catch let violation as Violation {
            text = violation.text
        } catch {
            text = "\(error)"
        }
        violation = text
        statistics = simulation.statistics
        endedAt = simulation.now.nanoseconds
        endState = simulation.endState
        trace = simulation.trace
    }
}
