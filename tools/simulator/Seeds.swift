import Linux
import Simulation

/// One seed, told at length.
enum OneSeed {
    private static let shownLines = 60

    /// Returns the program's exit code.
    static func run(
        _ seed: UInt64, bug: String?, changes: RunChanges, traces: Bool
    ) throws -> Int32 {
        for line in SimulationOptions(seed: seed, bug: bug, changes: changes).lines {
            StandardStream.output.write(line + "\n")
        }
        let run = try SeedRun(seed: seed, bug: bug, changes: changes, traces: traces)
        if traces { for line in run.trace { print(line) } }
        let statistics = run.statistics
        print(
            "\(statistics.eventCount) steps, \(statistics.appendedCount) events appended, "
                + "\(statistics.leaderCount) leaders, \(statistics.sealCount) seals, "
                + "\(statistics.crashCount) crashes, \(statistics.diskFaultCount) disk faults, "
                + "\(statistics.repairCount) repairs, \(statistics.compactionCount) compactions, "
                + "\(statistics.erasureCount) erasures, end state \(run.endState)")
        guard let violation = run.violation else {
            print("seed \(seed) holds")
            return 0
        }
        if !traces {
            let again = try SeedRun(seed: seed, bug: bug, changes: changes, traces: true)
            for line in again.trace.suffix(shownLines) { print(line) }
        }
        let milliseconds = run.endedAt / 1_000_000
        print("violated at \(milliseconds / 1_000).\(milliseconds % 1_000) s: \(violation)")
        return 1
    }

    /// Returns the program's exit code: 0 when there is a shorter run that fails, or the same.
    static func shrink(_ seed: UInt64, bug: String?) throws -> Int32 {
        guard var shrinking = try Shrinking(seed: seed, bug: bug) else {
            print("seed \(seed) holds: there is nothing to shrink")
            return 1
        }
        let before = shrinking.shortest.statistics.eventCount
        try shrinking.shrink { run in
            print("fails after \(run.statistics.eventCount) steps: \(run.violation ?? "")")
        }
        let shortest = shrinking.shortest
        print(
            "\(shrinking.runCount) runs; \(before) steps became "
                + "\(shortest.statistics.eventCount):")
        for line in shortest.options.lines { print(line) }
        print("violated: \(shortest.violation ?? "")")
        let words = [shrinking.changes.words, bug.map { "--bug \($0)" } ?? ""]
            .filter { !$0.isEmpty }
        print(
            "run it with: tools/simulate \(([String(seed)] + words).joined(separator: " "))")
        return 0
    }
}

/// Many seeds on several threads, each by itself.
final class ManySeeds: Sendable {
    private struct Result: Sendable {
        let seed: UInt64
        let statistics: SimulationStatistics
        let violation: String?
    }

    private static let reportNanoseconds: UInt64 = 10_000_000_000
    /// One seed in this many is run twice, to the same end.
    private static let sampleInterval: UInt64 = 25

    private let range: Invocation.SeedRange
    private let start: UInt64
    private let deadline: UInt64
    /// The next seed; nil when no more are to be begun.
    private let next: Locked<UInt64?>
    /// Results; nil when a thread has ended.
    private let results: Mailbox<Result?>

    init(_ range: Invocation.SeedRange) throws {
        self.range = range
        let start = Clock.monotonicNanoseconds()
        self.start = start
        deadline = range.hours.map { start + UInt64($0 * 3_600 * 1e9) } ?? .max
        next = Locked(range.first)
        results = try Mailbox(isBlocking: true)
    }

    /// Returns the program's exit code.
    func run() throws -> Int32 {
        for job in 1...range.jobs {
            let thread = try Thread.start(name: "seeds-\(job)") { [self] in work() }
            _ = consume thread
        }
        var summary = Summary()
        var running = range.jobs
        var nextReport = start + Self.reportNanoseconds
        while running > 0 {
            var taken: [Result?] = []
            results.waitAndTake(into: &taken)
            for result in taken {
                guard let result else {
                    running -= 1
                    continue
                }
                take(result, into: &summary)
            }
            if range.hours != nil, Clock.monotonicNanoseconds() >= nextReport {
                nextReport += Self.reportNanoseconds
                report(summary.line)
            }
        }
        return finish(summary)
    }

    private func work() {
        while let seed = takeSeed() {
            guard let run = try? SeedRun(seed: seed, bug: range.bug) else { break }
            var violation = run.violation
            if range.bug == nil, violation == nil, seed % Self.sampleInterval == 0,
                let again = try? SeedRun(seed: seed), again.endState != run.endState
            {
                violation = "run twice, it ends in \(run.endState) and in \(again.endState)"
            }
            results.put(Result(seed: seed, statistics: run.statistics, violation: violation))
        }
        results.put(nil)
    }

    private func takeSeed() -> UInt64? {
        let now = Clock.monotonicNanoseconds()
        return next.withLock { next in
            guard let seed = next, now < deadline else { return nil }
            if let count = range.count, seed - range.first >= count { return nil }
            next = seed + 1
            return seed
        }
    }

    private func take(_ result: Result, into summary: inout Summary) {
        summary.seedCount += 1
        summary.statistics.add(result.statistics)
        guard let violation = result.violation else { return }
        summary.fail(result.seed, violation)
        if range.bug == nil {
            report("seed \(result.seed): \(violation)")
        } else {
            next.withLock { $0 = nil }
        }
    }

    /// A line while the run goes on: not among what `--json` prints.
    private func report(_ line: String) {
        let stream = range.printsJSON ? StandardStream.error : StandardStream.output
        stream.write(line + "\n")
    }

    private func finish(_ summary: Summary) -> Int32 {
        guard let bug = range.bug else {
            return summary.tell(
                printsCoverage: range.printsCoverage, printsJSON: range.printsJSON)
        }
        guard let seed = summary.first else {
            print("\(bug) not found in \(summary.seedCount) seeds")
            return 1
        }
        print("found: seed \(seed)")
        return 0
    }
}
