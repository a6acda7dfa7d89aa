import Simulation

/// A command line that means nothing.
struct UsageFault: Error {
    let text: String
}

/// What the command line asks for.
enum Invocation {
    struct SeedRange: Sendable {
        var first: UInt64 = 1
        /// How many; nil for as many as fit the time.
        var count: UInt64?
        var hours: Double?
        var bug: String?
        var jobs = 2
    }

    case help
    case one(seed: UInt64, bug: String?, traces: Bool)
    case many(SeedRange)
    /// Crash scripts of that many seeds, and every flipped bit.
    case crashPoints(SeedRange)

    static let text = """
        Runs whole clusters on simulated machines; a run is a function of its seed.

        simulate SEED [--bug NAME] [--trace]     one seed: 0 when all promises hold, 1 when not
        simulate --seeds N [--from SEED] [--bug NAME] [--jobs J]
                                                 seeds one after another: 0 when all hold;
                                                 with --bug 0 when a seed finds it
        simulate --hours H [--from SEED] [--jobs J]
                                                 as many seeds as fit H hours, reporting
        simulate --crash-points N [--from SEED] [--jobs J]
                                                 N crash scripts of each part that writes files, cut
                                                 inside every operation; every flipped bit and every
                                                 length of a segment: 0 when all recovers

        --trace  prints everything that happens
        --jobs   threads, 2 when not given
        Bugs that can be planted: \(PlantedBugNames.all.joined(separator: ", ")).
        A wrong command line ends with 2.
        """

    init(_ words: [String]) throws(UsageFault) {
        var range = SeedRange()
        var seed: UInt64?
        var traces = false
        var cutsEverywhere = false
        var place = 0
        func value() throws(UsageFault) -> String {
            place += 1
            guard place < words.count else {
                throw UsageFault(text: "\(words[place - 1]) needs a value")
            }
            return words[place]
        }
        if words.isEmpty || words.contains("--help") {
            self = .help
            return
        }
        while place < words.count {
            switch words[place] {
            case "--seeds": range.count = try Self.number(try value())
            case "--from": range.first = try Self.number(try value())
            case "--jobs": range.jobs = Int(clamping: try Self.number(try value()))
            case "--bug": range.bug = try Self.bug(try value())
            case "--trace": traces = true
            case "--crash-points":
                range.count = try Self.number(try value())
                cutsEverywhere = true
            case "--hours":
                guard let hours = Double(try value()), hours > 0 else {
                    throw UsageFault(text: "--hours needs a number above 0")
                }
                range.hours = hours
            default: seed = try Self.number(words[place])
            }
            place += 1
        }
        guard (1...64).contains(range.jobs) else { throw UsageFault(text: "--jobs is 1 to 64") }
        if let seed {
            guard range.count == nil, range.hours == nil else {
                throw UsageFault(text: "a seed, or --seeds, or --hours")
            }
            self = .one(seed: seed, bug: range.bug, traces: traces)
        } else {
            guard range.count != nil || range.hours != nil else {
                throw UsageFault(text: "a seed, --seeds or --hours is missing")
            }
            self = cutsEverywhere ? .crashPoints(range) : .many(range)
        }
    }

    private static func number(_ text: String) throws(UsageFault) -> UInt64 {
        guard let number = UInt64(text) else { throw UsageFault(text: "\(text) is no number") }
        return number
    }

    private static func bug(_ name: String) throws(UsageFault) -> String {
        guard PlantedBugNames.all.contains(name) else {
            throw UsageFault(
                text: "no bug is called \(name); there are "
                    + PlantedBugNames.all.joined(separator: ", "))
        }
        return name
    }
}
