import BugZoo
import Linux
import ModelCheck

/// The model check of the consensus core, told as it goes.
enum ModelRun {
    /// Returns the program's exit code.
    static func run(_ range: Invocation.ModelRange) -> Int32 {
        var states = 0
        var depth = 0
        for (name, bounds) in range.phases {
            let report = search(name, bounds, range)
            if let violation = report.violation {
                for (place, line) in violation.way.enumerated() { print("\(place + 1). \(line)") }
                print(
                    "violation at depth \(report.depth) after \(states + report.states) states "
                        + "(\(name)): \(violation.text)")
                return 1
            }
            let end = report.isComplete ? "nothing is left within the bounds" : "there are more"
            print(
                "\(name): \(report.states) states, depth \(report.depth), \(report.transitions) "
                    + "ways, \(report.nodeStates) states of a member; \(end); a state is missed "
                    + "with a probability below \(missed(report.states))")
            states += report.states
            depth = max(depth, report.depth)
        }
        print("\(states) states, depth \(depth), 0 violations")
        return 0
    }

    private static func search(
        _ name: String, _ bounds: ModelBounds, _ range: Invocation.ModelRange
    ) -> ModelSearch.Report {
        let start = Clock.monotonicNanoseconds()
        let search = ModelSearch(bounds, bugs: PlantedBugs(named: range.bug))
        search.run { report in
            guard range.tells else { return }
            let seconds = (Clock.monotonicNanoseconds() - start) / 1_000_000_000
            StandardStream.error.write(
                "\(name), depth \(report.depth): \(report.states) states, "
                    + "\(report.transitions) ways, \(report.nodeStates) states of a member, "
                    + "\(seconds) s\n")
        }
        return search.report
    }

    /// Two of `count` fingerprints of 64 bits are equal with a probability of at most
    /// count² / 2⁶⁵: as a power of ten, rounded up.
    private static func missed(_ count: Int) -> String {
        let probability = Double(count) * Double(count) / 0x1p65
        var exponent = 0
        var bound = 1.0
        while bound / 10 >= probability, exponent < 18 {
            bound /= 10
            exponent += 1
        }
        return "10^-\(exponent)"
    }
}
