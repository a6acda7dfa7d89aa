import Linux

/// Threads that do jobs which take long, so that the loop goes on meanwhile. Each has a box of its own,
/// and does what is in it in order.
final class WorkerThreads<Job: Sendable>: Sendable {
    private let boxes: [Mailbox<Job?>]

    /// Starts `count` threads, `name`-1 and so on, which call `perform` with each job.
    init(
        count: Int, name: String, perform: @escaping @Sendable (Job) -> Void
    ) throws(SystemError) {
        var boxes: [Mailbox<Job?>] = []
        for number in 1...count {
            let box = try Mailbox<Job?>(isBlocking: true)
            boxes.append(box)
            let thread = try Thread.start(name: "\(name)-\(number)") {
                var jobs: [Job?] = []
                while true {
                    jobs.removeAll(keepingCapacity: true)
                    box.waitAndTake(into: &jobs)
                    for job in jobs {
                        guard let job else { return }
                        perform(job)
                    }
                }
            }
            _ = consume thread
        }
        self.boxes = boxes
    }

    /// Hands the job to one of the threads: the one of the same number always has the same.
    func perform(_ job: Job, number: Int) { boxes[number % boxes.count].put(job) }

    /// Ends the threads when they are done with what they have.
    func stop() { for box in boxes { box.put(nil) } }
}
