import Bytes
import Records
import SegmentLog
import Simulation
import Testing

/// What one random run does, step by step; the same steps from the same seed.
private struct Script {
    enum Step {
        case batch([Operation])
        case prepareNext
    }

    enum Operation {
        case append(bodyByteCount: Int)
        case seal
        case truncate(count: Int)
        case vote
    }

    let steps: [Step]

    init(seed: UInt64, length: Int) {
        var random = RandomSource(seed: seed)
        steps = (0..<length).map { _ in
            if random.below(6) == 0 { return .prepareNext }
            return .batch((0...random.below(6)).map { _ in Self.operation(&random) })
        }
    }

    private static func operation(_ random: inout RandomSource) -> Operation {
        switch random.below(20) {
        case 0, 1: .seal
        case 2, 3: .truncate(count: 1 + random.below(5))
        case 4: .vote
        case 5: .append(bodyByteCount: 3_000 + random.below(3_000))
        default: .append(bodyByteCount: random.below(900))
        }
    }
}

/// What a crash inside a batch may leave.
private struct Possible {
    var logs: [[Entry]]
    var votes: [DurableVote]

    func allows(_ log: TestLog) -> Bool {
        logs.contains(log.entries) && votes.contains(log.vote)
    }
}

/// Runs a script until the disk fails; the result is what may be found then.
private struct ScriptRun {
    var log: TestLog
    var possible: Possible
    /// The script ended before the planned crash.
    var isComplete = false

    init(_ script: Script, crashAt operation: Int?) throws {
        log = try TestLog()
        try log.store(DurableVote(term: Term(1), votedFor: NodeID(3)))
        possible = Possible(logs: [log.entries], votes: [log.vote])
        if let operation { log.disk.plan(.crash, at: log.disk.operationCount + operation) }
        do {
            for step in script.steps { try run(step) }
            isComplete = true
        } catch let error as DiskError {
            #expect(error.code == SimulatedDisk.crashedCode)
        }
    }

    private mutating func run(_ step: Script.Step) throws {
        guard case .batch(let operations) = step else { return try log.writer.prepareNext() }
        var entries = log.entries
        var vote = log.vote
        var tasks: [LogTask] = []
        for operation in operations {
            switch operation {
            case .append(let bodyByteCount):
                let planned = log.plan(.events, bodyByteCount: bodyByteCount, records: 3)
                tasks.append(planned.task)
                entries.append(planned.entry)
            case .seal:
                let planned = log.plan(.seal, bodyByteCount: 8)
                tasks.append(planned.task)
                entries.append(planned.entry)
            case .truncate(let count):
                guard entries.count > count else { continue }
                for _ in 1..<count {
                    entries.removeLast()
                    possible.logs.append(entries)
                }
                entries.removeLast()
                let index = LogIndex(UInt64(entries.count + 1))
                tasks.append(.truncate(log.catalogue.truncate(from: index)))
            case .vote:
                vote = DurableVote(
                    term: vote.term.next, votedFor: vote.term.value % 3 == 0 ? nil : NodeID(2))
                // Later entries of the batch are of the new term.
                log.vote = vote
                tasks.append(.storeVote(vote))
            }
            possible.logs.append(entries)
            possible.votes.append(vote)
        }
        try log.writer.perform(tasks)
        log.entries = entries
        possible = Possible(logs: [entries], votes: [vote])
    }
}

struct CrashPointTests {
    @Test func `a log cut inside any operation is found whole, twice, and goes on`() throws {
        var states: Set<UInt64> = []
        var recoveryCrashes = 0
        for seed in UInt64(0)..<16 {
            let script = Script(seed: seed, length: 16)
            var operation = 0
            while true {
                let run = try ScriptRun(script, crashAt: operation)
                if run.isComplete { break }
                try checkKill(run)
                for variant in 0..<16 {
                    var random = RandomSource(
                        seed: seed << 32 | UInt64(operation) << 8 | UInt64(variant))
                    let disk = SimulatedDisk(copying: run.log.disk)
                    disk.restartAfterPowerLoss(&random)
                    guard states.insert(disk.durableFingerprint).inserted else { continue }
                    recoveryCrashes += try checkCrashInRecovery(
                        disk, possible: run.possible, random: &random)
                    try checkRecovery(disk, possible: run.possible, random: &random)
                }
                operation += 1
            }
        }
        print(
            "crash points: \(states.count) distinct states,",
            "\(recoveryCrashes) crashes during recovery")
        #expect(states.count >= 2_000)
        #expect(recoveryCrashes >= 1_000)
    }

    /// Recovers, recovers again, appends, and loses power once more.
    private func checkRecovery(
        _ disk: SimulatedDisk, possible: Possible, random: inout RandomSource
    ) throws {
        var log = try TestLog(recovering: disk)
        let isAllowed = possible.allows(log)
        #expect(isAllowed, "found \(log.entries.count) entries, \(log.vote)")

        disk.restartAfterPowerLoss(&random)
        let again = try LogDirectory.inspect(disk: disk)
        let same = again.catalogue == log.catalogue
        #expect(same)
        #expect(again.vote == log.vote)
        #expect(again.cut == nil)

        try log.append([random.below(700), random.below(700)])
        disk.restartAfterPowerLoss(&random)
        let later = try TestLog(recovering: disk)
        let isKept = later.entries == log.entries
        #expect(isKept, "\(later.entries.count) of \(log.entries.count)")
    }

    /// Stops inside one operation of the recovery, by kill or power; returns how often it happened.
    private func checkCrashInRecovery(
        _ disk: SimulatedDisk, possible: Possible, random: inout RandomSource
    ) throws -> Int {
        let disk = SimulatedDisk(copying: disk)
        disk.plan(.crash, at: random.below(7))
        do {
            _ = try LogDirectory.recover(disk: disk, settings: testSettings)
            return 0
        } catch {
            guard case .disk(let error) = error else { throw error }
            #expect(error.code == SimulatedDisk.crashedCode)
        }
        if random.below(2) == 0 {
            disk.restart()
        } else {
            disk.restartAfterPowerLoss(&random)
        }
        let log = try TestLog(recovering: disk)
        let isAllowed = possible.allows(log)
        #expect(isAllowed, "found \(log.entries.count) entries, \(log.vote)")
        disk.restartAfterPowerLoss(&random)
        let later = try TestLog(recovering: disk)
        let isKept = later.entries == log.entries
        #expect(isKept && later.vote == log.vote, "from \(disk.interrupted)")
        return 1
    }

    /// A killed process leaves the page cache; what is recovered from it must survive the power.
    private func checkKill(_ run: ScriptRun) throws {
        let disk = SimulatedDisk(copying: run.log.disk)
        disk.restart()
        let log = try TestLog(recovering: disk)
        let isAllowed = run.possible.allows(log)
        #expect(isAllowed, "found \(log.entries.count) entries, \(log.vote)")
        for seed in UInt64(0)..<4 {
            var random = RandomSource(seed: seed)
            let copy = SimulatedDisk(copying: disk)
            copy.restartAfterPowerLoss(&random)
            let later = try TestLog(recovering: copy)
            let same = later.entries == log.entries
            #expect(
                same, "\(later.entries.count) of \(log.entries.count), from \(disk.interrupted)")
            #expect(later.vote == log.vote)
        }
    }
}
