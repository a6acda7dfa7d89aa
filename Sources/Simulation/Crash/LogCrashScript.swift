package import Bytes
import Records
import SegmentLog

/// Appends, group commits, SEALs, truncations and votes, drawn from a seed.
package struct LogCrashScript: CrashScript {
    private enum Step {
        case batch([Operation])
        case prepareNext
    }

    private enum Operation {
        case append(bodyByteCount: Int)
        case seal
        case truncate(count: Int)
        case vote
    }

    /// What may be found while a batch is done.
    package struct Run {
        /// The last logs and votes first; each after the task of its number, or inside it.
        fileprivate var possible: [(task: Int, log: [Entry], vote: DurableVote)] = []
        /// Tasks of the batch that were reported as done.
        fileprivate var doneCount = 0
    }

    package struct Found: Equatable, CustomStringConvertible {
        fileprivate let entries: [Entry]
        fileprivate let vote: DurableVote

        package var description: String { "\(entries.count) entries, \(vote)" }
    }

    private let seed: UInt64
    private let steps: [Step]

    package init(seed: UInt64, length: Int = 16) {
        self.seed = seed
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

    package func run(on disk: SimulatedDisk, begin: () -> Void) throws -> Run {
        try LogDirectory.initialize(disk: disk, identity: ScriptedLog.identity)
        var log = try ScriptedLog(recovering: disk)
        try log.store(DurableVote(term: Term(1), votedFor: NodeID(3)))
        var random = RandomSource(seed: ~seed)
        var run = Run()
        run.possible = [(0, log.entries, log.vote)]
        begin()
        for step in steps {
            do throws(DiskError) {
                try self.run(step, &log, &run, &random)
            } catch {
                guard disk.hasCrashed else { throw error }
                return run
            }
        }
        return run
    }

    private func run(
        _ step: Step, _ log: inout ScriptedLog, _ run: inout Run, _ random: inout RandomSource
    ) throws(DiskError) {
        guard case .batch(let operations) = step else { return try log.writer.prepareNext() }
        run.possible = [(0, log.entries, log.vote)]
        run.doneCount = 0
        var tasks: [LogTask] = []
        for operation in operations {
            var removed = 0
            switch operation {
            case .append(let bodyByteCount):
                let planned = log.plan(.events, bodyByteCount: bodyByteCount, records: 3)
                tasks.append(planned.task)
                log.entries.append(planned.entry)
            case .seal:
                let planned = log.plan(.seal, bodyByteCount: 8)
                tasks.append(planned.task)
                log.entries.append(planned.entry)
            case .truncate(let count):
                guard log.entries.count > count else { continue }
                removed = count
                let index = LogIndex(UInt64(log.entries.count - count + 1))
                tasks.append(.truncate(log.catalogue.truncate(from: index)))
            case .vote:
                log.vote = DurableVote(
                    term: log.vote.term.next,
                    votedFor: log.vote.term.value % 3 == 0 ? nil : NodeID(2))
                tasks.append(.storeVote(log.vote))
            }
            // A truncation that is cut leaves any prefix between; before it is done all do.
            for left in stride(from: removed, to: 0, by: -1) {
                log.entries.removeLast()
                if left > 1 { run.possible.append((tasks.count - 1, log.entries, log.vote)) }
            }
            run.possible.append((tasks.count, log.entries, log.vote))
        }
        var writer = log.writer
        var persist = log.persist
        defer { (log.writer, log.persist) = (writer, persist) }
        try writer.performOverlapping(
            tasks, marking: &persist, on: log.disk, random: &random
        ) { run.doneCount += $0 }
    }

    package func recover(_ disk: SimulatedDisk) throws -> Found {
        let log = try ScriptedLog(recovering: disk)
        return Found(entries: log.entries, vote: log.vote)
    }

    package func defect(in found: Found, after run: Run) -> String? {
        let isAllowed = run.possible.contains { state in
            state.task >= run.doneCount && state.log == found.entries && state.vote == found.vote
        }
        return isAllowed
            ? nil : "found \(found), which was never the log after task \(run.doneCount)"
    }

    package func goOn(_ disk: SimulatedDisk, random: inout RandomSource) throws -> Found {
        var log = try ScriptedLog(recovering: disk)
        try log.append([random.below(700), random.below(700)])
        return Found(entries: log.entries, vote: log.vote)
    }
}
