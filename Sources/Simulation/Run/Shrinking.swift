/// Makes a failing run shorter: one part after the other is left out, time and clients are halved,
/// as long as it still fails, whatever it says then.
package struct Shrinking {
    /// Chances that are tried with each set of options.
    private static let salts: UInt64 = 6

    private let seed: UInt64
    private let bug: String?
    /// The shortest that failed so far.
    package private(set) var changes = RunChanges()
    package private(set) var shortest: SeedRun
    package private(set) var runCount = 1

    /// nil when the seed holds. Throws when there is no bug of that name.
    package init?(seed: UInt64, bug: String?) throws(Violation) {
        self.seed = seed
        self.bug = bug
        shortest = try SeedRun(seed: seed, bug: bug)
        guard shortest.violation != nil else { return nil }
    }

    /// `told` is called with each shorter run.
    package mutating func shrink(_ told: (SeedRun) -> Void) throws(Violation) {
        // What comes behind the failure is not needed.
        let end = shortest.endedAt / 1_000_000
        _ = try attempt(told) { $0.milliseconds = max(end, 1_000) - 999 }
        var isShorter = true
        while isShorter {
            isShorter = false
            for name in shortest.options.present {
                if try attempt(told, { $0.without.append(name) }) { isShorter = true }
            }
            for count in [1, shortest.options.clientCount / 2]
            where count > 0 && count < shortest.options.clientCount {
                if try attempt(told, { $0.clients = count }) { isShorter = true }
            }
            if shortest.options.gatewayCount > 1, try attempt(told, { $0.gateways = 1 }) {
                isShorter = true
            }
            let time = shortest.options.safetyTime / 1_000_000
            for part in [time / 2, time * 3 / 4] where part > 200 && part < time {
                if try attempt(told, { $0.milliseconds = part }) { isShorter = true }
            }
        }
    }

    /// Whether the run fails with one change more.
    private mutating func attempt(
        _ told: (SeedRun) -> Void, _ change: (inout RunChanges) -> Void
    ) throws(Violation) -> Bool {
        var candidate = changes
        change(&candidate)
        for salt in [changes.salt] + (0..<Self.salts).filter({ $0 != changes.salt }) {
            candidate.salt = salt
            runCount += 1
            let run = try SeedRun(seed: seed, bug: bug, changes: candidate)
            guard run.violation != nil else { continue }
            (changes, shortest) = (candidate, run)
            told(run)
            return true
        }
        return false
    }
}
