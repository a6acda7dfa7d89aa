import EventIndex
import Linux
import Maintenance
import SegmentLog

/// The thread that moves sealed segments to the archive while the log goes on.
final class MaintenanceThread: Sendable {
    typealias Report = @Sendable (Result<MaintenanceReport, ReadFailure>) -> Void

    /// Tasks to do, in order; nil ends the thread.
    let tasks: Mailbox<MaintenanceTask?>
    private let ended: Mailbox<Bool>

    /// Starts the thread. `report` is called on it with what came of each task, or a failure, after
    /// which nothing more is done.
    init(
        directory: String, manifest: Manifest, index: IndexTables, report: @escaping Report
    ) throws(SystemError) {
        let tasks = try Mailbox<MaintenanceTask?>(isBlocking: true)
        let ended = try Mailbox<Bool>(isBlocking: true)
        (self.tasks, self.ended) = (tasks, ended)
        let disk = try DirectoryDisk(path: directory)
        var initial = Maintainer(disk: disk, manifest: manifest, tables: index)
        let threads = CompactionThreads(directory: directory)
        initial.runTogether = { threads.run($0) }
        let thread = try Thread.start(name: "maintenance") {
            do throws(ReadFailure) {
                try Self.run(initial, tasks, report)
            } catch {
                report(.failure(error))
            }
            ended.put(true)
        }
        _ = consume thread
    }

    /// Returns when what was begun is done.
    func stop() {
        tasks.put(nil)
        var signs: [Bool] = []
        ended.waitAndTake(into: &signs)
    }

    private static func run(
        _ initial: Maintainer<DirectoryDisk>, _ tasks: Mailbox<MaintenanceTask?>,
        _ report: Report
    ) throws(ReadFailure) {
        var maintainer = initial
        var waiting: [MaintenanceTask?] = []
        while true {
            waiting.removeAll(keepingCapacity: true)
            tasks.waitAndTake(into: &waiting)
            for task in waiting {
                guard let task else { return }
                report(.success(try maintainer.perform(task)))
            }
        }
    }
}
