import Linux
import SegmentLog

/// The thread that writes persist records while the log writer is at its next write, and reports
/// tasks as done in the order in which they were handed over.
///
/// When nothing waits here, the log writer may write a record itself: a single client pays no
/// change of thread. So one record is written at a time, whoever does it.
final class PersistThread: Sendable {
    private enum Work: Sendable {
        case step(LogStep)
        /// Everything before this is to be done, and then `settled` hears of it.
        case barrier
        case stop
    }

    private struct State: Sendable {
        var counter: UInt64
        /// After it nothing is written.
        var failure: DiskError?
        /// Handed over and not reported yet.
        var stepCount = 0
    }

    private let work: Mailbox<Work>
    private let settled: Mailbox<Bool>
    private let state: Locked<State>
    private let report: LogThread.Report

    /// Starts the thread. `report` is called on it, or on the caller's of `finish`.
    init(
        directory: String, recovered: Recovered, report: @escaping LogThread.Report
    ) throws(SystemError) {
        work = try Mailbox<Work>(isBlocking: true)
        settled = try Mailbox<Bool>(isBlocking: true)
        state = Locked(State(counter: recovered.persistCounter))
        self.report = report
        let disk = try DirectoryDisk(path: directory)
        let thread = try Thread.start(name: "persist") { self.run(disk) }
        _ = consume thread
    }

    /// Makes a step's record durable and reports its tasks, here or on the thread.
    ///
    /// `disk`: the caller's. `isLast`: the caller has nothing else to do meanwhile.
    func finish(_ step: LogStep, on disk: DirectoryDisk, isLast: Bool) throws(DiskError) {
        if step.isBarrier { wait(for: .barrier) }
        // Nobody else hands over steps, so none comes between this and the write.
        let (isIdle, failure) = state.withLock { ($0.stepCount == 0, $0.failure) }
        if let failure { throw failure }
        guard isIdle, isLast || step.isBarrier || step.end == nil else {
            state.withLock { $0.stepCount += 1 }
            return work.put(.step(step))
        }
        if let end = step.end { try write(end, on: disk) }
        if step.taskCount > 0 { report(.success(step.taskCount)) }
    }

    /// Ends the thread. Returns when everything is done and nothing is written any more.
    func stop() { wait(for: .stop) }

    private func wait(for request: Work) {
        work.put(request)
        var answers: [Bool] = []
        settled.waitAndTake(into: &answers)
    }

    private func write(_ end: DurableEnd, on disk: DirectoryDisk) throws(DiskError) {
        var writer = PersistWriter(disk: disk, counter: state.withLock { $0.counter })
        try writer.write(end)
        let counter = writer.counter
        state.withLock { $0.counter = counter }
    }

    /// Records are cumulative: of all that wait the newest is written.
    private func run(_ disk: DirectoryDisk) {
        var waiting: [Work] = []
        while true {
            waiting.removeAll(keepingCapacity: true)
            work.waitAndTake(into: &waiting)
            var steps: [LogStep] = []
            var isAsked = false
            var isLast = false
            for item in waiting {
                switch item {
                case .step(let step): steps.append(step)
                case .barrier: isAsked = true
                case .stop: (isAsked, isLast) = (true, true)
                }
            }
            if !steps.isEmpty, state.withLock({ $0.failure == nil }) { finish(steps, on: disk) }
            if isAsked { settled.put(true) }
            if isLast { return }
        }
    }

    private func finish(_ steps: [LogStep], on disk: DirectoryDisk) {
        do throws(DiskError) {
            if let end = steps.last(where: { $0.end != nil })?.end { try write(end, on: disk) }
        } catch {
            state.withLock { $0.failure = error }
            return report(.failure(error))
        }
        report(.success(steps.reduce(0) { $0 + $1.taskCount }))
        state.withLock { $0.stepCount -= steps.count }
    }
}
