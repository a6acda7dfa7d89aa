import Linux
import Simulation

/// Crash scripts of many seeds on several threads, and every flipped bit of a segment.
final class CrashPoints: Sendable {
    private struct Result: Sendable {
        let suite: Int
        let counts: CrashCounts
        let failure: String?
    }

    /// The part that is no crash script: bits, sectors and lengths of a segment.
    static let damage = "damage"

    private let range: Invocation.SeedRange
    private let suites: [CrashSuite]
    /// Number of the next exploration: suites within seeds.
    private let next = Locked<UInt64>(0)
    private let results: Mailbox<Result?>

    init(_ range: Invocation.SeedRange) throws {
        self.range = range
        suites = CrashSuite.all.filter { range.suite == nil || range.suite == $0.name }
        results = try Mailbox(isBlocking: true)
    }

    /// Returns the program's exit code.
    func run() throws -> Int32 {
        for number in 0..<range.jobs {
            let thread = try Thread.start(name: "crash-\(number)") { self.explore() }
            _ = consume thread
        }
        var totals = [CrashCounts](repeating: CrashCounts(), count: suites.count)
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
                    print("\(suites[result.suite].name): \(failure)")
                }
            }
        }
        var sum = CrashCounts()
        for (suite, counts) in zip(suites, totals) {
            print("\(suite.name): \(Self.text(counts))")
            sum += counts
        }
        if range.suite ?? Self.damage == Self.damage, !flipBits() { failures += 1 }
        print("crash points: \(Self.text(sum)), \(failures) violations")
        return failures == 0 ? 0 : 1
    }

    private static func text(_ counts: CrashCounts) -> String {
        "\(counts.stateCount) distinct states, \(counts.recoveryCrashCount) crashes during recovery"
    }

    private func explore() {
        let width = UInt64(suites.count)
        while true {
            let number = next.withLock { number in
                defer { number += 1 }
                return number
            }
            guard number < (range.count ?? 0) * width else { return results.put(nil) }
            let suite = Int(number % width)
            var counts = CrashCounts()
            var failure: String?
            do {
                counts = try suites[suite].explore(range.first + number / width)
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
                    + "\(counts.healed) of persist records healed; \(counts.zeroed) zeroed sectors and \(counts.lengths) lengths"
            )
            return true
        } catch {
            print("damage: \((error as? Violation)?.text ?? "\(error)")")
            return false
        }
    }
}
