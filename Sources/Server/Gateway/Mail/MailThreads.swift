import Gateway
import Linux
import Records

/// Threads that hand mail over, so that the loop goes on meanwhile: one for each attempt that may be
/// under way.
final class MailThreads: Sendable {
    struct Job: Sendable {
        let attempt: MailDesk.Attempt
        let body: [UInt8]
        let thread: Int
    }

    struct Result: Sendable {
        let attempt: MailDesk.Attempt
        /// nil: the mail was taken.
        let failure: String?
        let thread: Int
    }

    private let threads: WorkerThreads<Job>

    /// Starts the threads; `report` is called on them.
    init(
        _ delivery: MailDelivery, report: @escaping @Sendable (Result) -> Void
    ) throws(SystemError) {
        threads = try WorkerThreads(count: MailDesk.attemptLimit, name: "mail") { job in
            report(Self.run(job, delivery))
        }
    }

    private static func run(_ job: Job, _ delivery: MailDelivery) -> Result {
        let outcome = MailExchange.post(
            job.body, by: delivery, nanoseconds: job.attempt.timeoutNanoseconds,
            answerBytes: Mandrill.answerBytes)
        let failure: String? =
            switch outcome {
            case .failed(let reason): reason.cut(toBytes: MailReport.reasonBytes)
            case .answered(let status, let body):
                Mandrill.refusal(status: status, body: body, key: delivery.key)
            }
        return Result(attempt: job.attempt, failure: failure, thread: job.thread)
    }

    func perform(_ job: Job) { threads.perform(job, number: job.thread) }

    func stop() { threads.stop() }
}
