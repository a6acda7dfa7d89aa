import Crypto
import Linux
import Records
import Replica

/// A thread that reads and writes out rows, so that a long replay does not hold up the log.
final class ReaderThread: Sendable {
    enum Result: Sendable {
        case answer(Destination, [UInt8])
        /// An entry could not be read.
        case failed(FailedRead)
        case unsettled(UnsettledRows)
    }

    enum Work: Sendable {
        case rows(ReadJob)
        case fetch(FetchJob)
        case stop
    }

    /// Jobs to run.
    let jobs: Mailbox<Work>

    /// Starts the thread; `report` is called on it with each answer.
    init(
        directory: String, report: @escaping @Sendable (Result) -> Void
    ) throws(SystemError) {
        let jobs = try Mailbox<Work>(isBlocking: true)
        self.jobs = jobs
        let source = ArchiveSource(
            disk: try DirectoryDisk(path: directory))
        let thread = try Thread.start(name: "reader") {
            var leaf = Leaf(hash: SHA256())
            var waiting: [Work] = []
            while true {
                waiting.removeAll(keepingCapacity: true)
                jobs.waitAndTake(into: &waiting)
                for job in waiting {
                    var frame: [UInt8] = []
                    switch job {
                    case .stop: return
                    case .rows(let job):
                        switch job.run(source, leaf: &leaf, into: &frame) {
                        case .answered: report(.answer(.client(job.client), frame))
                        case .failed(let failed): report(.failed(failed))
                        case .unsettled(let rows): report(.unsettled(rows))
                        }
                    case .fetch(let job):
                        job.run(source, into: &frame)
                        report(.answer(job.destination, frame))
                    }
                }
            }
        }
        _ = consume thread
    }
}
