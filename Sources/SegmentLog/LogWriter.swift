import BugZoo
import Records

/// Carries out what was decided about the log, durably, in order. Owned by one thread.
///
/// After an error nothing is known about the files: the writer refuses more work, and the process
/// ends and recovers. A failed sync is never retried.
package struct LogWriter<D: Disk> {
    private let disk: D
    private let settings: LogSettings
    private var voteCounter: UInt64
    private var term: Term
    private var hasSpare = false
    private var hasFailed = false
    /// The truncation that may go on, because a persist record of it is durable.
    private var announced: DurableEnd?

    /// Continues where `recover` left the directory.
    package init(disk: D, settings: LogSettings, recovered: Recovered) {
        self.disk = disk
        self.settings = settings
        voteCounter = recovered.voteCounter
        term = recovered.vote.term
    }

    /// Does all of `tasks`, with a persist record after each step. Everything is durable on return.
    package mutating func perform(
        _ tasks: [LogTask], marking persist: inout PersistWriter<D>
    ) throws(DiskError) {
        var position = 0
        while position < tasks.count {
            let step = try advance(tasks, from: position)
            hasFailed = true
            if let end = step.end { try persist.write(end) }
            hasFailed = false
            position += step.taskCount
        }
    }

    /// Does the next of `tasks`, from `position` on, as far as one write goes.
    ///
    /// What it says it did is durable on return, but is *done* only when a persist record of
    /// `step.end` is durable too. Others may write that while this writer goes on.
    package mutating func advance(
        _ tasks: [LogTask], from position: Int
    ) throws(DiskError) -> LogStep {
        precondition(!hasFailed, "the log writer was used after a failure")
        hasFailed = true
        let step: LogStep
        switch tasks[position] {
        case .append: step = try writeGroup(of: tasks, from: position)
        case .truncate(let plan)
        where announced != plan.end && !PlantedBug.truncationNotAnnounced.isPlanted:
            announced = plan.end
            step = LogStep(taskCount: 0, end: plan.end)
        case .truncate(let plan):
            try truncate(plan)
            announced = nil
            step = LogStep(taskCount: 1, end: nil)
        case .storeVote(let vote):
            try store(vote)
            step = LogStep(taskCount: 1, end: nil)
        }
        hasFailed = false
        return step
    }

    /// Whether no file waits for the next segment.
    package var needsSpare: Bool { !hasSpare }

    /// Makes the file of the next segment ahead of its use, zeroed. Any thread may do it, with a
    /// disk of its own, while the writer goes on; then the writer is told by `adoptSpare`.
    package static func makeSpare(on disk: D, settings: LogSettings) throws(DiskError) {
        try disk.create(FileName.spare, byteCount: settings.segmentBytes)
    }

    /// The spare is whole and durable: the next segment takes it.
    package mutating func adoptSpare() {
        precondition(!hasSpare, "two spares")
        hasSpare = true
    }

    /// Makes and adopts the spare, when none is waiting.
    package mutating func prepareNext() throws(DiskError) {
        precondition(!hasFailed, "the log writer was used after a failure")
        guard !hasSpare else { return }
        hasFailed = true
        try Self.makeSpare(on: disk, settings: settings)
        adoptSpare()
        hasFailed = false
    }

    // MARK: - Appending

    /// Writes the longest group that begins at `start`.
    private mutating func writeGroup(
        of tasks: [LogTask], from start: Int
    ) throws(DiskError) -> LogStep {
        var parts: [[UInt8]] = []
        var first: Place?
        var last: Place?
        var byteCount = 0
        while start + parts.count < tasks.count,
            case .append(let bytes, let place) = tasks[start + parts.count]
        {
            precondition(
                bytes.count == place.byteCount,
                "\(bytes.count) bytes of entry \(place.header.index) are not \(place.byteCount)")
            if let last {
                guard last.segment == place.segment, last.end == place.offset,
                    parts.count < settings.groupEntries,
                    byteCount + bytes.count <= settings.groupBytes
                else { break }
            }
            first = first ?? place
            last = place
            byteCount += bytes.count
            parts.append(bytes)
        }
        guard let first, let last else { preconditionFailure("no entry at task \(start)") }
        try write(parts, from: first, through: last)
        return LogStep(taskCount: parts.count, end: DurableEnd(last))
    }

    private mutating func write(
        _ parts: [[UInt8]], from first: Place, through last: Place
    ) throws(DiskError) {
        if let header = first.opens { try open(header) }
        do {
            try disk.write(parts, to: first.file, at: first.offset)
        } catch {
            guard PlantedBug.failedSyncBelieved.isPlanted, error.code == 5 else { throw error }
        }
        if last.seals { try disk.resize(last.file, byteCount: last.end) }
    }

    /// Makes the file of a new segment. The header is durable before any entry is written, so that
    /// a bad header in front of a good entry is always damage.
    private mutating func open(_ header: SegmentHeader) throws(DiskError) {
        let name = FileName.segment(header.firstIndex)
        if hasSpare {
            try disk.rename(FileName.spare, to: name)
            hasSpare = false
        } else {
            do throws(DiskError) {
                try disk.create(name, byteCount: settings.segmentBytes)
            } catch {
                // On a full disk entries grow the file.
                guard error.code == DiskError.noSpace else { throw error }
                try disk.create(name, byteCount: 0)
            }
        }
        try disk.write([header.encoded], to: name, at: 0)
    }

    // MARK: - Truncating and voting

    /// Newest first, so that what a crash leaves is a prefix of the log that was. The persist record
    /// that voids those of the removed entries is durable already.
    private mutating func truncate(_ plan: TruncationPlan) throws(DiskError) {
        let oldestFirst = PlantedBug.truncationOldestFirst.isPlanted
        for segment in oldestFirst ? plan.removed.reversed() : plan.removed {
            try disk.remove(FileName.segment(segment))
        }
        let spares = PlantedBug.truncationSparesSealed.isPlanted && !plan.removed.isEmpty
        if let cut = plan.cut, !spares {
            let name = FileName.segment(cut.segment)
            try disk.resize(name, byteCount: cut.byteCount)
            try disk.writeZeros(to: name, from: cut.byteCount, upTo: settings.segmentBytes)
        }
    }

    private mutating func store(_ vote: DurableVote) throws(DiskError) {
        precondition(vote.term >= term, "term \(vote.term) stored after \(term)")
        voteCounter += 1
        term = vote.term
        if PlantedBug.voteInTwoWrites.isPlanted {
            let half = DurableVote(term: vote.term, votedFor: nil)
            try VoteRecord(counter: voteCounter - 1, vote: half).store(on: disk)
        }
        try VoteRecord(counter: voteCounter, vote: vote).store(on: disk)
    }
}

/// What one step of the writer did.
package struct LogStep: Equatable, Sendable {
    /// Tasks that are done once a persist record of `end` is durable, and those of all steps
    /// before it. None: the record must be durable before the next step.
    package let taskCount: Int
    /// Through where the log is durable now; nil when the step did not change it.
    package let end: DurableEnd?

    package var isBarrier: Bool { taskCount == 0 }
}

extension LogWriter: Sendable where D: Sendable {}

extension Disk {
    /// Writes zeros from `begin` up to `end`; none when that is not above `begin`. Durable on return.
    func writeZeros(to name: String, from begin: Int, upTo end: Int) throws(DiskError) {
        let chunk = 1_024 * 1_024
        guard begin < end else { return }
        let zeros = [UInt8](repeating: 0, count: Swift.min(chunk, end - begin))
        var offset = begin
        while offset < end {
            let count = Swift.min(zeros.count, end - offset)
            let part = count == zeros.count ? zeros : Array(zeros.prefix(count))
            try write([part], to: name, at: offset)
            offset += count
        }
    }
}
