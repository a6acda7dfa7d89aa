import Linux
import Maintenance
import SegmentLog

/// Threads that make the outputs of a compaction, and give way to those that serve.
///
/// They are there as long as one batch takes. Two keep the disk and a core busy at once; each has
/// descriptors of its own.
struct CompactionThreads: Sendable {
    typealias Made = Result<MadeSegment, ReadFailure>

    static let count = 2

    let directory: String

    /// What is left of one batch, and what came of the rest.
    private struct Batch: Sendable {
        var next = 0
        var made: [Made?]
    }

    /// Returns when all are done, in their order; nil when no thread could be started. The inputs
    /// differ.
    func run(_ makings: [SegmentMaking]) -> [Made]? {
        let batch = Locked(Batch(made: Array(repeating: nil, count: makings.count)))
        guard let ended = try? Mailbox<Bool>(isBlocking: true) else { return nil }
        var running = 0
        for _ in makings.prefix(Self.count) {
            guard start(makings, batch, ended) else { break }
            running += 1
        }
        guard running > 0 else { return nil }
        var signs: [Bool] = []
        while running > 0 {
            signs.removeAll()
            ended.waitAndTake(into: &signs)
            running -= signs.count
        }
        return batch.withLock(\.made).enumerated().map { place, made in
            guard let made else { preconditionFailure("making \(place) was left out") }
            return made
        }
    }

    private func start(
        _ makings: [SegmentMaking], _ batch: Locked<Batch>, _ ended: Mailbox<Bool>
    ) -> Bool {
        let directory = directory
        guard let disk = try? DirectoryDisk(path: directory),
            let thread = try? Thread.start(
                name: "compaction",
                {
                    Thread.giveWay()
                    Self.work(makings, batch, disk)
                    ended.put(true)
                })
        else { return false }
        _ = consume thread
        return true
    }

    private static func work(
        _ makings: [SegmentMaking], _ batch: Locked<Batch>, _ disk: DirectoryDisk
    ) {
        while true {
            let place = batch.withLock { batch in
                defer { batch.next += 1 }
                return batch.next
            }
            guard place < makings.count else { return }
            let made = Made { () throws(ReadFailure) in try makings[place].run(on: disk) }
            batch.withLock { $0.made[place] = made }
        }
    }
}
