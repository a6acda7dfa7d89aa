import Crypto
import Gateway
import Linux
import Records

/// Threads that hash passwords, so that the loop goes on meanwhile.
final class PasswordThreads: Sendable {
    static let threadCount = 2
    /// Passwords that wait or are at work. One more is `rate-limit-exceeded`.
    static let limit = 64

    struct Job: Sendable {
        let exchange: UInt64
        let work: PasswordWork
    }

    struct Result: Sendable {
        let exchange: UInt64
        let work: PasswordWork
        let digest: [UInt8]
    }

    /// One for each thread.
    private let boxes: [Mailbox<Job?>]

    /// Starts the threads; `report` is called on them.
    init(report: @escaping @Sendable (Result) -> Void) throws(SystemError) {
        var boxes: [Mailbox<Job?>] = []
        for number in 1...Self.threadCount {
            let box = try Mailbox<Job?>(isBlocking: true)
            boxes.append(box)
            let thread = try Thread.start(name: "password-\(number)") {
                var jobs: [Job?] = []
                while true {
                    jobs.removeAll(keepingCapacity: true)
                    box.waitAndTake(into: &jobs)
                    for job in jobs {
                        guard let job else { return }
                        report(Self.run(job))
                    }
                }
            }
            _ = consume thread
        }
        self.boxes = boxes
    }

    private static func run(_ job: Job) -> Result {
        let cost = job.work.cost
        let digest = Scrypt.hash(
            job.work.password, salt: job.work.salt, logN: cost.logN, r: cost.r, p: cost.p,
            byteCount: PasswordHash.digestByteCount)
        return Result(exchange: job.exchange, work: job.work, digest: digest)
    }

    func perform(_ job: Job) { boxes[Int(job.exchange >> 32) % boxes.count].put(job) }

    /// Ends the threads when they are done with what they have.
    func stop() { for box in boxes { box.put(nil) } }
}
