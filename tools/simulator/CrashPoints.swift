import Linux
import Simulation

/// Crash scripts of many seeds on several threads, and every flipped bit of a segment.
final class CrashPoints: Sendable {
    private struct Result: Sendable {
        let suite: Int
        let counts: CrashCounts
        let failure: String?
    }

    private let range: Invocation.SeedRange
    /// Number of the next exploration: suites within seeds.
    private let next = Locked<UInt64>(0)
    private let results: Mailbox<Result?>

    init(_ range: Invocation.SeedRange) throws {
        self.range = range
        results = try Mailbox(isBlocking: true)
    }

    /// Returns the program's exit code.
    func run() throws -> Int32 {
        for number in 0..<range.jobs {
            let thread = try Thread.start(name: "crash-\(number)") { self.explore() }
            _ = consume thread
        }
        var totals = [CrashCounts](repeating: CrashCounts(), count: CrashSuite.all.count)
        var failures = 0
        var running = range.jobs
        var batch: [Result?] = []
        while running > 0 {
            batch.removeAll(keepingCapacity: true)
            results.waitAndTake(into: &batch)
            for result in batch {
                guard let result else {
                    running -= 1
                    continue
                }
                totals[result.suite] += result.counts
                if let failure = result.failure {
                    failures += 1
                    print("\(CrashSuite.all[result.suite].name): \(failure)")
                }
            }
        }
        var sum = CrashCounts()
        for (suite, counts) in zip(CrashSuite.all, totals) {
            print("\(suite.name): \(Self.text(counts))")
            sum += counts
        }
        if !flipBits() { failures += 1 }
        print("crash points: \(Self.text(sum)), \(failures) violations")
        return failures == 0 ? 0 : 1
    }

    private static func text(_ counts: CrashCounts) -> String {
        "\(counts.stateCount) distinct states, \(counts.recoveryCrashCount) crashes during recovery"
    }

    private func explore() {
        let suites = UInt64(CrashSuite.all.count)
        while true {
            let number = next.withLock { number in
                defer { number += 1 }
                return number
            }
            guard number < (range.count ?? 0) * suites else { return results.put(nil) }
            let suite = Int(number % suites)
            var counts = CrashCounts()
            var failure: String?
            do {
                counts = try CrashSuite.all[suite].explore(range.first + number / suites)
            } catch {
                failure = (error as? Violation)?.text ?? "\(error)"
            }
            results.put(Result(suite: suite, counts: counts, failure: failure))
        }
    }

    private func flipBits() -> Bool {
        do {
            let counts = try DamageSuite().run()
            print(
                "damage: of a segment of \(DamageSuite.segmentBytes) bytes "
                    + "\(counts.faulty) flipped bits found faulty, \(counts.cut) behind the log cut; "
                    + "\(counts.healed) of persist records healed; \(counts.lengths) lengths")
            return true
        } catch {
            print("damage: \((error as? Violation)?.text ?? "\(error)")")
            return false
        }
    }
}
