import Compaction
import Ledger
import Maintenance
import PeerWire
import Records
import SegmentLog

// What an administrator asks the leader about retention. Nothing here changes the log.

/// Somebody who waits to hear what a compaction would do.
struct PendingEstimate {
    /// Questions that wait. One more is answered `none`, and its sender asks again.
    static let waitingLimit = 16

    let client: ClientID
    let id: UInt64
    let rules: CompactionRules
    /// Of the segments of this page.
    var next: Int
    let end: Int
    /// Behind the last segment of all pages.
    let last: Int
    var estimate = CompactionEstimate()
}

extension CompactionFigures {
    init(_ tally: SegmentTally) {
        self.init()
        compacted = UInt64(tally.compacted)
        erased = UInt64(tally.erased)
        bytesBefore = UInt64(tally.inputBytes)
        bytesAfter = UInt64(tally.changes ? tally.outputBytes : tally.inputBytes)
    }

    static func += (left: inout CompactionFigures, right: CompactionFigures) {
        left.compacted += right.compacted
        left.erased += right.erased
        left.bytesBefore += right.bytesBefore
        left.bytesAfter += right.bytesAfter
    }
}

extension Replica {
    // MARK: - Holds

    func holds(after uniqueID: [UInt8]) -> HoldsPage {
        let behind = ledger.retention.holds.drop { hold in
            !uniqueID.isEmpty && !uniqueID.lexicographicallyPrecedes(hold.uniqueID)
        }
        let rows = behind.prefix(HoldsPage.limit).map { hold in
            HoldsPage.Row(
                uniqueID: hold.uniqueID, reason: hold.reason, author: hold.author,
                since: hold.since)
        }
        return HoldsPage(rows: rows, hasMore: behind.count > rows.count)
    }

    // MARK: - Estimates

    /// Has the segments from `place` on looked at, as many as one page takes.
    mutating func estimate(
        _ order: CompactionOrder, from place: UInt64, id: UInt64, _ client: ClientID,
        wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        guard compacting.estimates.count < PendingEstimate.waitingLimit else {
            return clusterReply(.none, to: id, client, into: &outcome)
        }
        let segments = catalogue.archive.segments
        // An order that does not seal leaves the newest sealed segment alone.
        let last = order.sealsFirst ? segments.count : max(segments.count, 1) - 1
        let first = min(Int(clamping: place), last)
        let bound =
            order.policy == .newerThan
            ? wall.advanced(byMicroseconds: -Int(order.keptMicroseconds))
            : Timestamp(microseconds: .max)
        let retention = ledger.retention
        let rules = CompactionRules(
            compaction: ledger.applied.next,
            generation: segments.reduce(0) { max($0, $1.generation) } + 1, policy: order.policy,
            cut: order.sealsFirst ? ledger.nextSequence : retention.sealedSequence,
            timeBound: bound, held: HeldIDs(retention.holds.map(\.uniqueID)),
            erased: ErasedEvents(
                retention.erased.map { .init(mark: $0.mark, sequences: $0.sequences) }))
        compacting.estimates.append(
            PendingEstimate(
                client: client, id: id, rules: rules, next: first,
                end: min(first + CompactionEstimate.limit, last), last: last))
        if compacting.estimates.count == 1 { continueEstimate(into: &outcome) }
    }

    /// Asks for the next segment of the first question, or answers it.
    private mutating func continueEstimate(into outcome: inout ReplicaOutcome) {
        while let first = compacting.estimates.first {
            if first.next < first.end {
                outcome.maintenance.append(
                    .compaction(
                        .plan(place: first.next, rules: first.rules)))
                return
            }
            var estimate = first.estimate
            estimate.next = first.end < first.last ? UInt64(first.end) : 0
            finish(.estimate(estimate), into: &outcome)
        }
    }

    private mutating func finish(
        _ result: ClusterReply.Outcome, into outcome: inout ReplicaOutcome
    ) {
        let first = compacting.estimates.removeFirst()
        clusterReply(result, to: first.id, first.client, into: &outcome)
    }

    /// The maintainer has more of the index to read before it looks at a segment.
    mutating func planning(into outcome: inout ReplicaOutcome) {
        guard compacting.givenUpPlans == 0 else {
            compacting.givenUpPlans -= 1
            // That ends the reading too.
            compacting.sweepIsDue = true
            return
        }
        continueEstimate(into: &outcome)
    }

    /// The maintainer has looked at a segment: of the first question, unless that was given up.
    mutating func planned(
        _ segment: SegmentDescriptor?, _ tally: SegmentTally, into outcome: inout ReplicaOutcome
    ) {
        if compacting.givenUpPlans > 0 {
            compacting.givenUpPlans -= 1
            return
        }
        guard !compacting.estimates.isEmpty else { return }
        compacting.estimates[0].next += 1
        if let segment {
            compacting.estimates[0].estimate.rows.append(
                .init(
                    firstIndex: segment.firstIndex, generation: segment.generation,
                    kept: UInt64(tally.kept), figures: CompactionFigures(tally)))
        }
        continueEstimate(into: &outcome)
    }

    mutating func unplanned(_ failure: ReadFailure, into outcome: inout ReplicaOutcome) {
        if compacting.givenUpPlans > 0 {
            compacting.givenUpPlans -= 1
            return
        }
        guard !compacting.estimates.isEmpty else { return }
        finish(
            .refused(.damaged, detail: "A segment cannot be read: \(failure)"), into: &outcome)
        continueEstimate(into: &outcome)
    }

    /// This node serves no more: another one has to be asked.
    mutating func failEstimates(into outcome: inout ReplicaOutcome) {
        guard !compacting.estimates.isEmpty else { return }
        compacting.givenUpPlans += 1
        while !compacting.estimates.isEmpty { finish(.none, into: &outcome) }
    }

    // MARK: - Status

    /// What this node says of its part.
    var compactionStatus: CompactionStatus {
        var status = CompactionStatus()
        let retention = ledger.retention
        if let run = retention.run {
            status.run = .init(
                index: run.index, policy: run.policy, outcome: .underWay,
                startedAt: run.startedAt, segments: run.segmentCount, done: run.doneCount)
        } else if let last = retention.lastResult {
            let outcome: CompactionStatus.Run.Outcome =
                switch last.outcome {
                case .completed: .completed
                case .noMajority: .noMajority
                case .stopped: .stopped
                }
            status.run = .init(
                index: last.run, policy: last.policy, outcome: outcome, startedAt: last.startedAt,
                segments: last.segmentCount, done: last.segmentCount)
        }
        if status.run?.index == compacting.figures.run { status.figures = compacting.figures.1 }
        status.total = compacting.total
        switch compacting.parts.last?.phase {
        case nil: status.stage = .idle
        case .waiting, .making: status.stage = .working
        case .made, .swapping: status.stage = .made
        case .withheld: status.stage = .withheld
        case .failed: status.stage = .failed
        case .swapped: status.stage = .swapped
        }
        status.doneThrough = retention.compactedThrough
        status.swappedThrough = catalogue.archive.compactedThrough
        status.isSettled = compacting.isSettled && retention.open == nil
        status.pendingErasures = UInt32(retention.pending.count)
        status.holds = UInt32(retention.holds.count)
        return status
    }
}
