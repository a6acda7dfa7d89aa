package import Bytes

/// Something whose every operation on the disk may be the last before a crash.
///
/// Make one for each part that writes files, and give it to `CrashSuites.all`: `CrashExplorer` cuts
/// it everywhere and says what it found.
package protocol CrashScript {
    /// What the script had done and promised when the disk stopped.
    associatedtype Run
    /// What is found on a disk.
    associatedtype Found: Equatable

    /// Starts on an empty `disk` of its own and does everything, the same each time, until
    /// it is done or the disk stops. Whatever is to be cut comes after a call of `begin`.
    func run(on disk: SimulatedDisk, begin: () -> Void) throws -> Run

    /// Opens what is on the disk as the product does, repairs included. Throws what the product
    /// throws; when the disk stops meanwhile, a DiskError or RecoveryFailure that says so.
    func recover(_ disk: SimulatedDisk) throws -> Found

    /// What is wrong with finding this after a crash in `run`; nil when nothing is.
    func defect(in found: Found, after run: Run) -> String?

    /// Does a little more on a disk that was recovered, and returns what must be found from now on.
    func goOn(_ disk: SimulatedDisk, random: inout RandomSource) throws -> Found
}

/// What an exploration counted.
package struct CrashCounts: Equatable, Sendable {
    /// Different contents of the disk after a crash, all of which were recovered.
    package var stateCount = 0
    /// Crashes while one of them was recovered.
    package var recoveryCrashCount = 0

    package init() {}

    package static func += (left: inout CrashCounts, right: CrashCounts) {
        left.stateCount += right.stateCount
        left.recoveryCrashCount += right.recoveryCrashCount
    }
}

/// Cuts a script inside each of its operations, by a kill and by losses of power that leave
/// different parts, recovers, cuts the recovery too, recovers again and goes on.
package struct CrashExplorer<Script: CrashScript> {
    private let script: Script
    private let seed: UInt64
    /// Losses of power tried for each operation. Those that leave the same contents count once.
    private let variants: Int
    /// Every so many operations one is cut.
    private let stride: Int
    private var states: Set<UInt64> = []
    package private(set) var counts = CrashCounts()

    package init(_ script: Script, seed: UInt64, variants: Int = 16, stride: Int = 1) {
        self.script = script
        self.seed = seed
        self.variants = variants
        self.stride = stride
    }

    /// Throws a Violation when what was promised is not found.
    package mutating func explore() throws {
        var operation = 0
        while true {
            let disk = SimulatedDisk()
            let run = try script.run(on: disk) {
                disk.plan(.crash, at: disk.operationCount + operation)
            }
            guard disk.hasCrashed else { return }
            try checkKill(disk, run, operation)
            for variant in 0..<variants {
                var random = RandomSource(
                    seed: seed << 32 | UInt64(operation) << 8 | UInt64(variant))
                let copy = SimulatedDisk(copying: disk)
                copy.restartAfterPowerLoss(&random)
                guard states.insert(copy.durableFingerprint).inserted else { continue }
                counts.stateCount += 1
                let context = "seed \(seed), operation \(operation), loss \(variant)"
                try checkCrashInRecovery(copy, run, &random, context)
                try checkRecovery(copy, run, &random, context)
            }
            operation += stride
        }
    }

    private func demand(_ found: Script.Found, _ run: Script.Run, _ context: String) throws {
        if let defect = script.defect(in: found, after: run) {
            throw Violation("\(context): \(defect)")
        }
    }

    private func demandSame(
        _ found: Script.Found, _ expected: Script.Found, _ context: String
    ) throws {
        guard found == expected else {
            throw Violation("\(context): found \(found) after \(expected)")
        }
    }

    /// A killed process leaves the page cache; what is recovered from it must survive the power.
    private func checkKill(
        _ disk: SimulatedDisk, _ run: Script.Run, _ operation: Int
    ) throws {
        let context = "seed \(seed), operation \(operation), killed in \(disk.interrupted)"
        let copy = SimulatedDisk(copying: disk)
        copy.restart()
        let found = try recover(copy, context)
        try demand(found, run, context)
        var random = RandomSource(seed: seed)
        for _ in 0..<4 {
            let later = SimulatedDisk(copying: copy)
            later.restartAfterPowerLoss(&random)
            try demandSame(try recover(later, context), found, context)
        }
    }

    /// Recovers, recovers again, goes on, and loses power once more.
    private func checkRecovery(
        _ disk: SimulatedDisk, _ run: Script.Run, _ random: inout RandomSource, _ context: String
    ) throws {
        let found = try recover(disk, context)
        try demand(found, run, context)
        disk.restartAfterPowerLoss(&random)
        try demandSame(try recover(disk, context), found, context + ", again")
        let expected = try script.goOn(disk, random: &random)
        disk.restartAfterPowerLoss(&random)
        try demandSame(try recover(disk, context), expected, context + ", going on")
    }

    /// Stops inside one operation of the recovery, by kill or power, and recovers from that.
    private mutating func checkCrashInRecovery(
        _ disk: SimulatedDisk, _ run: Script.Run, _ random: inout RandomSource, _ context: String
    ) throws {
        let whole = SimulatedDisk(copying: disk)
        _ = try recover(whole, context)
        guard whole.operationCount > 0 else { return }
        let operation = random.below(whole.operationCount)
        let context = context + ", recovery cut at \(operation)"
        let copy = SimulatedDisk(copying: disk)
        copy.plan(.crash, at: operation)
        do {
            _ = try script.recover(copy)
            throw Violation("\(context): the recovery did not reach it")
        } catch {
            guard copy.hasCrashed else { throw Violation("\(context): \(error)") }
        }
        counts.recoveryCrashCount += 1
        if random.below(2) == 0 {
            copy.restart()
        } else {
            copy.restartAfterPowerLoss(&random)
        }
        let found = try recover(copy, context)
        try demand(found, run, context)
        copy.restartAfterPowerLoss(&random)
        try demandSame(try recover(copy, context), found, context + ", then power lost")
    }

    private func recover(
        _ disk: SimulatedDisk, _ context: String
    ) throws -> Script.Found {
        do { return try script.recover(disk) } catch {
            throw Violation("\(context): does not recover: \(error)")
        }
    }
}
