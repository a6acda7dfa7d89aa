import Linux
import SegmentLog

/// The one thread that writes this node's log: it takes all tasks that wait, does them with as few
/// writes as they allow, and says how many are done.
final class LogThread: Sendable {
    /// Tasks to do; nil ends the thread.
    let tasks: Mailbox<[LogTask]?>

    /// Starts the thread. `report` is called on it: with the count of tasks done, or a failure,
    /// after which nothing more is done.
    init(
        directory: String, settings: LogSettings, recovered: Recovered,
        report: @escaping @Sendable (Result<Int, DiskError>) -> Void
    ) throws(SystemError) {
        let tasks = try Mailbox<[LogTask]?>(isBlocking: true)
        self.tasks = tasks
        let thread = try Thread.start(name: "log-writer") {
            do {
                let disk = try DirectoryDisk(path: directory)
                let writer = LogWriter(disk: disk, settings: settings, recovered: recovered)
                try Self.run(writer, tasks, report)
            } catch let error as DiskError {
                report(.failure(error))
            } catch {
                report(.failure(DiskError(operation: "open", file: directory, code: 5)))
            }
        }
        _ = consume thread
    }

    private static func run(
        _ initial: LogWriter<DirectoryDisk>, _ tasks: Mailbox<[LogTask]?>,
        _ report: (Result<Int, DiskError>) -> Void
    ) throws(DiskError) {
        var writer = initial
        var batches: [[LogTask]?] = []
        try writer.prepareNext()
        while true {
            batches.removeAll(keepingCapacity: true)
            tasks.waitAndTake(into: &batches)
            var work: [LogTask] = []
            var isLast = false
            for batch in batches {
                if let batch { work.append(contentsOf: batch) } else { isLast = true }
            }
            if !work.isEmpty {
                try writer.perform(work)
                report(.success(work.count))
            }
            if isLast { return }
            try writer.prepareNext()
        }
    }
}
