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

    private let threads: WorkerThreads<Job>

    /// Starts the threads; `report` is called on them.
    init(report: @escaping @Sendable (Result) -> Void) throws(SystemError) {
        threads = try WorkerThreads(count: Self.threadCount, name: "password") { job in
            report(Self.run(job))
        }
    }

    private static func run(_ job: Job) -> Result {
        let cost = job.work.cost
        let digest = Scrypt.hash(
            job.work.password, salt: job.work.salt, logN: cost.logN, r: cost.r, p: cost.p,
            byteCount: PasswordHash.digestByteCount)
        return Result(exchange: job.exchange, work: job.work, digest: digest)
    }

    func perform(_ job: Job) { threads.perform(job, number: Int(job.exchange >> 32)) }

    func stop() { threads.stop() }
}
