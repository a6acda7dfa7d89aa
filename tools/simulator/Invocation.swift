import ModelCheck
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
        /// The one part of the crash points to run; nil for all.
        var suite: String?
        var printsCoverage = false
        var printsJSON = false
    }

    struct ModelRange: Sendable {
        /// One search with these bounds; nil for the usual ones.
        var bounds: ModelBounds?
        var states = 2_600_000
        var bug: String?
        /// The one of the usual searches to run; nil for all.
        var search: String?
        var tells = false

        var phases: [(name: String, bounds: ModelBounds)] {
            guard var bounds else {
                return ModelBounds.phases(states: states).filter {
                    search == nil || search == $0.name
                }
            }
            bounds.states = states
            return [("search", bounds)]
        }
    }

    case help
    case one(seed: UInt64, bug: String?, changes: RunChanges, traces: Bool)
    /// Makes a failing seed shorter.
    case shrink(seed: UInt64, bug: String?)
    /// Adds up summaries that `--json` wrote.
    case merge(files: [String], printsCoverage: Bool, printsJSON: Bool)
    case many(SeedRange)
    /// Crash scripts of that many seeds, and every flipped bit.
    case crashPoints(SeedRange)
    case modelCheck(ModelRange)

    /// The bug that is to be planted.
    var bug: String? {
        switch self {
        case .help, .merge: nil
        case .one(_, let bug, _, _), .shrink(_, let bug): bug
        case .many(let range), .crashPoints(let range): range.bug
        case .modelCheck(let range): range.bug
        }
    }

    static let text = """
        Runs whole clusters on simulated machines; a run is a function of its seed.

        simulate SEED [--bug NAME] [--trace]     one seed: 0 when all promises hold, 1 when not
                 [--without NAME,...] [--clients N] [--gateways N] [--milliseconds N] [--salt N]
                                                 the same with parts left out
        simulate SEED --shrink [--bug NAME]      leaves out what a failing seed does not need, and
                                                 says how to run what is left
        simulate --seeds N [--from SEED] [--bug NAME] [--jobs J] [--coverage] [--json]
                                                 seeds one after another: 0 when all hold;
                                                 with --bug 0 when a seed finds it
        simulate --hours H [--from SEED] [--jobs J] [--coverage] [--json]
                                                 as many seeds as fit H hours, reporting
        simulate --merge FILE... [--coverage] [--json]
                                                 adds up what --json wrote: 0 when nothing failed
        simulate --crash-points N [--from SEED] [--suite PART] [--bug NAME] [--jobs J]
                                                 N crash scripts of each part that writes files, cut
                                                 inside every operation; every flipped bit and every
                                                 length of a segment: 0 when all recovers

        simulate --model-check [--states N] [--search NAME] [--bug NAME] [--progress]
                                                 all that three members of the consensus core can do
                                                 within bounds, up to N states (2600000): 0 when it
                                                 holds; else the shortest way there, and 1. One
                                                 search with bounds of your own: --terms --entries
                                                 --crashes --corruptions --duplicates --in-flight
                                                 --reads --transfers, each with a number, and
                                                 --ask-at-once --write-at-once --start-led 0 or 1
        simulate --zoo [--search] [--only NAME]  every planted bug by the seed that is stored for it

        --trace     prints everything that happens
        --jobs      threads, 2 when not given
        --suite     \(Self.suites.joined(separator: ", ")): all when not given
        --coverage  prints how often rare situations were reached; 1 when one was missed
        --json      prints the summary as one JSON object, and reports on standard error
        --without   of: \(RunChanges.names.joined(separator: ", "))

        simulate --hours 2 --from 100000 --json > a.json; simulate --merge a.json b.json

        Bugs that can be planted: \(PlantedBugNames.all.joined(separator: ", ")).
        A wrong command line ends with 2.
        """

    init(_ words: [String]) throws(UsageFault) {
        var range = SeedRange()
        var seed: UInt64?
        var traces = false
        var shrinks = false
        var files: [String]?
        var changes = RunChanges()
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
        if words[0] == "--model-check" {
            self = .modelCheck(try Self.modelRange(Array(words.dropFirst())))
            return
        }
        while place < words.count {
            switch words[place] {
            case "--seeds": range.count = try Self.number(try value())
            case "--from": range.first = try Self.number(try value())
            case "--jobs": range.jobs = Int(clamping: try Self.number(try value()))
            case "--bug": range.bug = try Self.bug(try value())
            case "--trace": traces = true
            case "--suite": range.suite = try Self.suite(try value())
            case "--shrink": shrinks = true
            case "--coverage": range.printsCoverage = true
            case "--json": range.printsJSON = true
            case "--merge": files = []
            case "--without", "--clients", "--gateways", "--milliseconds", "--salt":
                let name = words[place]
                try Self.read(name, try value(), into: &changes)
            case "--crash-points":
                range.count = try Self.number(try value())
                cutsEverywhere = true
            case "--hours": range.hours = try Self.hours(try value())
            default:
                if files != nil, !words[place].hasPrefix("-") {
                    files?.append(words[place])
                } else {
                    seed = try Self.number(words[place])
                }
            }
            place += 1
        }
        self = try Self.judge(
            range, seed, files, changes, traces: traces, shrinks: shrinks, cutsEverywhere)
    }

    /// What all words together ask for.
    private static func judge(
        _ range: SeedRange, _ seed: UInt64?, _ files: [String]?, _ changes: RunChanges,
        traces: Bool,
        shrinks: Bool, _ cutsEverywhere: Bool
    ) throws(UsageFault) -> Invocation {
        guard (1...64).contains(range.jobs) else { throw UsageFault(text: "--jobs is 1 to 64") }
        if let files {
            guard !files.isEmpty, seed == nil else {
                throw UsageFault(text: "--merge needs files that --json wrote, and nothing else")
            }
            return .merge(
                files: files, printsCoverage: range.printsCoverage, printsJSON: range.printsJSON)
        } else if let seed, shrinks {
            return .shrink(seed: seed, bug: range.bug)
        } else if let seed {
            guard range.count == nil, range.hours == nil else {
                throw UsageFault(text: "a seed, or --seeds, or --hours")
            }
            return .one(seed: seed, bug: range.bug, changes: changes, traces: traces)
        } else {
            guard range.count != nil || range.hours != nil else {
                throw UsageFault(text: "a seed, --seeds or --hours is missing")
            }
            return cutsEverywhere ? .crashPoints(range) : .many(range)
        }
    }

    private static func modelRange(_ words: [String]) throws(UsageFault) -> ModelRange {
        var range = ModelRange()
        var place = 0
        var bounds = ModelBounds()
        while place < words.count {
            let word = words[place]
            if word == "--progress" {
                range.tells = true
                place += 1
                continue
            }
            guard place + 1 < words.count else { throw UsageFault(text: "\(word) needs a value") }
            let text = words[place + 1]
            place += 2
            if word == "--bug" {
                range.bug = try bug(text)
                continue
            }
            if word == "--search" {
                guard ModelBounds.phases(states: 5).contains(where: { $0.name == text }) else {
                    throw UsageFault(text: "no search is called \(text)")
                }
                range.search = text
                continue
            }
            let number = try number(text)
            if word == "--states", (1...500_000_000).contains(number) {
                range.states = Int(number)
                continue
            }
            switch word {
            case "--ask-at-once" where number < 2: bounds.asksAtOnce = number == 1
            case "--write-at-once" where number < 2: bounds.writesAtOnce = number == 1
            case "--start-led" where number < 2: bounds.startsLed = number == 1
            case "--terms" where (1...6).contains(number): bounds.terms = number
            case "--entries" where (1...12).contains(number): bounds.entries = number
            case "--crashes" where number < 10: bounds.crashes = UInt8(number)
            case "--corruptions" where number < 10: bounds.corruptions = UInt8(number)
            case "--duplicates" where number < 10: bounds.duplicates = UInt8(number)
            case "--in-flight" where (1...8).contains(number): bounds.inFlight = Int(number)
            case "--reads" where number < 10: bounds.reads = UInt8(number)
            case "--transfers" where number < 10: bounds.transfers = UInt8(number)
            default: throw UsageFault(text: "\(word) \(text) is no bound of the model check")
            }
            range.bounds = bounds
        }
        return range
    }

    static let suites = CrashSuite.all.map(\.name) + [CrashPoints.damage]

    private static func suite(_ name: String) throws(UsageFault) -> String {
        guard suites.contains(name) else {
            throw UsageFault(
                text: "no part is called \(name); there are \(suites.joined(separator: ", "))")
        }
        return name
    }

    private static func number(_ text: String) throws(UsageFault) -> UInt64 {
        guard let number = UInt64(text) else { throw UsageFault(text: "\(text) is no number") }
        return number
    }

    private static func hours(_ text: String) throws(UsageFault) -> Double {
        guard let hours = Double(text), hours > 0 else {
            throw UsageFault(text: "--hours needs a number above 0")
        }
        return hours
    }

    private static func read(
        _ name: String, _ value: String, into changes: inout RunChanges
    ) throws(UsageFault) {
        switch name {
        case "--without": changes.without = try parts(value)
        case "--clients": changes.clients = Int(clamping: try number(value))
        case "--gateways": changes.gateways = Int(clamping: try number(value))
        case "--milliseconds": changes.milliseconds = try number(value)
        default: changes.salt = try number(value)
        }
    }

    private static func parts(_ text: String) throws(UsageFault) -> [String] {
        let names = text.split(separator: ",").map(String.init)
        for name in names where !RunChanges.names.contains(name) {
            throw UsageFault(
                text: "nothing is called \(name); there are "
                    + RunChanges.names.joined(separator: ", "))
        }
        return names
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
