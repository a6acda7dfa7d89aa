import Crypto
import Linux
import Records
import Replica

/// A thread that reads and writes out rows, so that a long replay does not hold up the log.
final class ReaderThread: Sendable {
    struct Answer: Sendable {
        let destination: Destination
        let frame: [UInt8]
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
        directory: String, report: @escaping @Sendable (Answer) -> Void
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
                        job.run(source, leaf: &leaf, into: &frame)
                        report(Answer(destination: .client(job.client), frame: frame))
                    case .fetch(let job):
                        job.run(source, into: &frame)
                        report(Answer(destination: job.destination, frame: frame))
                    }
                }
            }
        }
        _ = consume thread
    }
}
