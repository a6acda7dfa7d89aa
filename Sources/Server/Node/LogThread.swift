import Linux
import SegmentLog

/// The thread that writes this node's log: it takes all tasks that wait, does them with as few
/// writes as they allow, and says how many are done once their persist records are durable too.
final class LogThread: Sendable {
    enum Work: Sendable {
        case tasks([LogTask])
        /// The file of the next segment is there.
        case spareReady
        /// There is no room for it now.
        case spareMissing
        case stop
    }

    typealias Report = @Sendable (Result<Int, DiskError>) -> Void

    private let work: Mailbox<Work>
    private let ended: Mailbox<Bool>

    /// Starts the thread, and those that help it. `report` is called on one of them: with the count
    /// of tasks done, in their order, or a failure, after which nothing more is done.
    init(
        directory: String, settings: LogSettings, recovered: Recovered, report: @escaping Report
    ) throws(SystemError) {
        let work = try Mailbox<Work>(isBlocking: true)
        let ended = try Mailbox<Bool>(isBlocking: true)
        (self.work, self.ended) = (work, ended)
        let spares = try SpareThread(directory: directory, settings: settings) { result in
            switch result {
            case .success(let isMade): work.put(isMade ? .spareReady : .spareMissing)
            case .failure(let error): report(.failure(error))
            }
        }
        let disk = try DirectoryDisk(path: directory)
        let writer = LogWriter(disk: disk, settings: settings, recovered: recovered)
        let persist = try PersistThread(
            directory: directory, recovered: recovered, report: report)
        let thread = try Thread.start(name: "log-writer") {
            do throws(DiskError) {
                try Self.run(writer, disk, work, spares, persist)
            } catch {
                report(.failure(error))
            }
            persist.stop()
            ended.put(true)
        }
        _ = consume thread
    }

    /// Takes tasks to do, in order.
    func perform(_ tasks: [LogTask]) { work.put(.tasks(tasks)) }

    /// Returns when all tasks are done and nothing is written any more.
    func stop() {
        work.put(.stop)
        var signs: [Bool] = []
        ended.waitAndTake(into: &signs)
    }

    private static func run(
        _ initial: LogWriter<DirectoryDisk>, _ disk: DirectoryDisk, _ work: Mailbox<Work>,
        _ spares: SpareThread, _ persist: PersistThread
    ) throws(DiskError) {
        var writer = initial
        var waiting: [Work] = []
        var hasAsked = false
        /// No spare is asked for again before something was written.
        var lacksRoom = false
        while true {
            if writer.needsSpare, !hasAsked, !lacksRoom {
                spares.ask()
                hasAsked = true
            }
            waiting.removeAll(keepingCapacity: true)
            work.waitAndTake(into: &waiting)
            var tasks: [LogTask] = []
            var isLast = false
            for item in waiting {
                switch item {
                case .tasks(let batch): tasks.append(contentsOf: batch)
                case .spareReady:
                    writer.adoptSpare()
                    hasAsked = false
                case .spareMissing: (hasAsked, lacksRoom) = (false, true)
                case .stop: isLast = true
                }
            }
            if !tasks.isEmpty {
                try perform(tasks, &writer, disk, work, persist)
                lacksRoom = false
            }
            if isLast { return spares.stop() }
        }
    }
}

extension LogThread {
    /// Does all of `tasks`; they are reported as they become durable with their persist records.
    private static func perform(
        _ tasks: [LogTask], _ writer: inout LogWriter<DirectoryDisk>, _ disk: DirectoryDisk,
        _ work: Mailbox<Work>, _ persist: PersistThread
    ) throws(DiskError) {
        var position = 0
        while position < tasks.count {
            let step = try writer.advance(tasks, from: position)
            position += step.taskCount
            try persist.finish(
                step, on: disk, isLast: position == tasks.count && work.isEmpty)
        }
    }
}

/// The thread that zeroes the next segment's file while the log writer goes on.
final class SpareThread: Sendable {
    private let requests: Mailbox<Bool>
    private let ended: Mailbox<Bool>

    /// `report` is called on the thread: true when a spare is there, false when the disk has no room.
    init(
        directory: String, settings: LogSettings,
        report: @escaping @Sendable (Result<Bool, DiskError>) -> Void
    ) throws(SystemError) {
        let requests = try Mailbox<Bool>(isBlocking: true)
        let ended = try Mailbox<Bool>(isBlocking: true)
        (self.requests, self.ended) = (requests, ended)
        let thread = try Thread.start(name: "spare") {
            var waiting: [Bool] = []
            while true {
                waiting.removeAll(keepingCapacity: true)
                requests.waitAndTake(into: &waiting)
                guard !waiting.contains(false) else {
                    ended.put(true)
                    return
                }
                do throws(DiskError) {
                    try Self.make(directory, settings)
                    report(.success(true))
                } catch  where error.code == DiskError.noSpace {
                    // Without a spare the writer makes the file when it needs it.
                    report(.success(false))
                } catch {
                    report(.failure(error))
                }
            }
        }
        _ = consume thread
    }

    func ask() { requests.put(true) }

    /// Returns when no file is made any more.
    func stop() {
        requests.put(false)
        var signs: [Bool] = []
        ended.waitAndTake(into: &signs)
    }

    private static func make(
        _ directory: String, _ settings: LogSettings
    ) throws(DiskError) {
        let disk: DirectoryDisk
        do {
            disk = try DirectoryDisk(path: directory)
        } catch {
            throw DiskError(operation: "open", file: directory, code: error.code)
        }
        do throws(DiskError) {
            try LogWriter.makeSpare(on: disk, settings: settings)
        } catch {
            try? disk.remove(FileName.spare)
            throw error
        }
    }
}
