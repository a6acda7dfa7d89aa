import Maintenance
import PeerWire
package import Records
import SegmentLog

// Invariants:
// - a segment is in repair once, until a survey found every chunk of its file good
// - a read that met the damage waits for the repair, or is answered `damaged`; nothing else is
//   served in its place

/// Segments of the archive that are brought to what the manifest says of them, and reads that wait
/// for it.
struct ArchiveRepair {
    struct Segment {
        var transfer: SegmentTransfer
        /// When it was found, or the last chunk came.
        var progressedAt: Instant
    }

    struct ParkedRead {
        let job: ReadJob
        /// First index of the segment it waits for.
        let segment: LogIndex
        let reason: String
        /// Later when a chunk comes before it.
        var deadline: Instant
    }

    /// Reads that wait for a repair. One more is answered at once.
    static let parkedReads = 1_024
    /// How long a read waits while no chunk comes for the segment that it met.
    static let waitNanoseconds: UInt64 = 3_000_000_000

    var segments: [Segment] = []
    /// First indexes of segments that were found to be damaged since the last turn.
    var found: [LogIndex] = []
    /// First indexes of segments of which chunks came since the last turn.
    var progressed: [LogIndex] = []
    /// A segment is in repair for longer than anybody waits for it.
    var isOverdue = false
    var parked: [ParkedRead] = []
    /// Since the start.
    var chunks: UInt64 = 0

    var deadline: Instant {
        !found.isEmpty ? .zero : parked.map(\.deadline).min() ?? Instant(nanoseconds: .max)
    }

    func place(of firstIndex: LogIndex) -> Int? {
        segments.firstIndex { $0.transfer.segment.firstIndex == firstIndex }
    }
}

extension Replica {
    /// A segment of the archive is not what the manifest says, or cannot be read. False when nobody
    /// can help.
    @discardableResult
    mutating func repair(
        segment place: Int, now: Instant, into outcome: inout ReplicaOutcome
    ) -> Bool {
        let segment = catalogue.archive.segments[place]
        guard repairs.place(of: segment.firstIndex) == nil else { return true }
        let peers = peers
        guard !peers.isEmpty else { return false }
        let transfer = SegmentTransfer(segment, file: segment.file, peers: peers)
        transfer.begin(&fetcher)
        repairs.segments.append(ArchiveRepair.Segment(transfer: transfer, progressedAt: now))
        outcome.events.append(.damaged(file: segment.file))
        return true
    }

    /// Whether the entry is in a segment that is under repair.
    func isUnderRepair(_ index: LogIndex) -> Bool {
        guard !repairs.segments.isEmpty || !repairs.found.isEmpty,
            let place = catalogue.archive.place(holding: index)
        else { return false }
        let first = catalogue.archive.segments[place].firstIndex
        return repairs.place(of: first) != nil || repairs.found.contains(first)
    }

    /// Decides about an entry that cannot be read: peers have what is archived; what is not is
    /// for the repair that comes before a start.
    mutating func noteUnreadable(
        _ index: LogIndex, _ failure: ReplicaFailure, into outcome: inout ReplicaOutcome
    ) {
        guard !peers.isEmpty else {
            outcome.failure = failure
            return
        }
        if let place = catalogue.archive.place(holding: index) {
            repairs.found.append(catalogue.archive.segments[place].firstIndex)
        } else {
            outcome.wantsReopening = true
        }
    }

    /// Begins the repairs and the scrubbing that are due.
    mutating func repairArchive(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        for report in scrub.reports {
            guard case .scrubbed(let segment, let chunk, let byteCount, let isGood) = report else {
                continue
            }
            scrub.advance(
                through: chunk, of: segment, byteCount: byteCount, catalogue.archive, wall: wall)
            if !isGood { repairs.found.append(segment.firstIndex) }
        }
        scrub.reports.removeAll()
        for first in repairs.found {
            guard let place = catalogue.archive.place(holding: first) else { continue }
            repair(segment: place, now: now, into: &outcome)
        }
        repairs.found.removeAll()
        noteProgress(now: now)
        forgetReplacedRepairs(into: &outcome)
        endParkedReads(now: now, into: &outcome)
        repairs.isOverdue = repairs.segments.contains {
            $0.progressedAt.advanced(byNanoseconds: ArchiveRepair.waitNanoseconds) <= now
        }
        if installation == nil, let step = scrub.step(catalogue.archive, now: now) {
            outcome.maintenance.append(step)
        }
    }

    // MARK: Reads

    /// A read has met an entry that cannot be read.
    package mutating func readFailed(
        _ failed: FailedRead, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        let job = failed.job.refreshed(catalogue)
        guard let place = catalogue.archive.place(holding: failed.index) else {
            return answerDamaged(job, failed.reason, into: &outcome)
        }
        let segment = catalogue.archive.segments[place]
        guard segment.generation == failed.generation else {
            // It was compacted meanwhile.
            outcome.reads.append(job)
            return
        }
        let isRepairable = repair(segment: place, now: now, into: &outcome)
        let progressedAt =
            repairs.place(of: segment.firstIndex).map { repairs.segments[$0].progressedAt } ?? now
        let deadline = progressedAt.advanced(byNanoseconds: ArchiveRepair.waitNanoseconds)
        let reason = Self.describe(segment, failed.reason)
        guard isRepairable, deadline > now, job.retries < 8,
            repairs.parked.count < ArchiveRepair.parkedReads
        else {
            return answerDamaged(job, reason, into: &outcome)
        }
        repairs.parked.append(
            ArchiveRepair.ParkedRead(
                job: job, segment: segment.firstIndex, reason: reason, deadline: deadline))
    }

    private static func describe(_ segment: SegmentDescriptor, _ reason: String) -> String {
        "entries \(segment.firstIndex) to \(segment.lastIndex), events from "
            + "\(segment.firstSequence) to before \(segment.nextSequence): \(reason)"
    }

    private func answerDamaged(
        _ job: ReadJob, _ reason: String, into outcome: inout ReplicaOutcome
    ) {
        outcome.send(to: .client(job.client)) { job.appendDamaged(reason, to: &$0) }
    }

    // MARK: Files

    /// The maintainer has looked at a file in repair, or written a chunk of it.
    mutating func repaired(
        _ report: MaintenanceReport, into outcome: inout ReplicaOutcome
    ) {
        switch report {
        case .surveyed(let file, let bad):
            guard let place = repairs.segments.firstIndex(where: { $0.transfer.file == file })
            else { return }
            repairs.segments[place].transfer.surveyed(bad: bad, &fetcher)
            if repairs.segments[place].transfer.isDone { finishRepair(at: place, into: &outcome) }
        case .stored(let file):
            guard let place = repairs.segments.firstIndex(where: { $0.transfer.file == file })
            else { return }
            repairs.chunks += 1
            repairs.progressed.append(repairs.segments[place].transfer.segment.firstIndex)
            repairs.segments[place].transfer.stored(&outcome.maintenance)
        default: return
        }
    }

    private mutating func finishRepair(at place: Int, into outcome: inout ReplicaOutcome) {
        let transfer = repairs.segments.remove(at: place).transfer
        let first = transfer.segment.firstIndex
        outcome.events.append(
            .fetched(file: transfer.file, byteCount: transfer.segment.byteCount, of: nil))
        let archive = catalogue.archive
        if let known = archive.place(holding: first), archive.segments[known] == transfer.segment {
            let previous = known > 0 ? archive.segments[known - 1] : nil
            outcome.maintenance.append(.describe(transfer.segment, after: previous))
        }
        for read in repairs.parked where read.segment == first {
            outcome.reads.append(read.job.refreshed(catalogue))
        }
        repairs.parked.removeAll { $0.segment == first }
        outcome.wantsTurn = true
    }

    /// A compaction has taken the place of segments: their repair is void.
    mutating func forgetReplacedRepairs(into outcome: inout ReplicaOutcome) {
        let archive = catalogue.archive
        for segment in repairs.segments.map(\.transfer) {
            guard let place = archive.place(holding: segment.segment.firstIndex),
                archive.segments[place] != segment.segment
            else { continue }
            fetcher.forget(segment.name)
            repairs.segments.removeAll { $0.transfer.file == segment.file }
            for read in repairs.parked where read.segment == segment.segment.firstIndex {
                outcome.reads.append(read.job.refreshed(catalogue))
            }
            repairs.parked.removeAll { $0.segment == segment.segment.firstIndex }
        }
    }

    private mutating func noteProgress(now: Instant) {
        for first in repairs.progressed {
            guard let place = repairs.place(of: first) else { continue }
            repairs.segments[place].progressedAt = now
            let deadline = now.advanced(byNanoseconds: ArchiveRepair.waitNanoseconds)
            for read in repairs.parked.indices where repairs.parked[read].segment == first {
                repairs.parked[read].deadline = deadline
            }
        }
        repairs.progressed.removeAll(keepingCapacity: true)
    }

    /// Answers the reads that waited long enough.
    mutating func endParkedReads(now: Instant, into outcome: inout ReplicaOutcome) {
        guard repairs.deadline <= now else { return }
        for read in repairs.parked where read.deadline <= now {
            answerDamaged(read.job, read.reason, into: &outcome)
        }
        repairs.parked.removeAll { $0.deadline <= now }
    }
}
