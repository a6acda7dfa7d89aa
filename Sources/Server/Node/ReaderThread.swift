import Crypto
import Linux
import Records
import Replica

/// A thread that reads and writes out rows, so that a long replay does not hold up the log.
final class ReaderThread: Sendable {
    struct Answer: Sendable {
        let client: ClientID
        let frame: [UInt8]
    }

    /// Jobs to run; nil ends the thread.
    let jobs: Mailbox<ReadJob?>

    /// Starts the thread; `report` is called on it with each answer.
    init(
        directory: String, report: @escaping @Sendable (Answer) -> Void
    ) throws(SystemError) {
        let jobs = try Mailbox<ReadJob?>(isBlocking: true)
        self.jobs = jobs
        let source = try DiskEntrySource(directory: directory)
        let thread = try Thread.start(name: "reader") {
            var leaf = Leaf(hash: SHA256())
            var waiting: [ReadJob?] = []
            while true {
                waiting.removeAll(keepingCapacity: true)
                jobs.waitAndTake(into: &waiting)
                for job in waiting {
                    guard let job else { return }
                    var frame: [UInt8] = []
                    job.run(source, leaf: &leaf, into: &frame)
                    report(Answer(client: job.client, frame: frame))
                }
            }
        }
        _ = consume thread
    }
}
