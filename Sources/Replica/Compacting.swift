import Compaction
import Consensus
import EventIndex
import Ledger
import Maintenance
import PeerWire
import Records
import SegmentLog

// Invariants:
// - a node's part of a compaction follows from its COMPACT entry, its archive and its index alone
// - parts are done in log order, one task of the maintainer at a time
// - a manifest names outputs only when a majority has made them
// - files that a manifest named stay until the compaction that replaced them is collected

/// What this node has to do for the compactions of the log, and what it knows of other nodes'.
struct Compacting {
    /// One compaction as this node sees it.
    struct Part {
        enum Phase: Equatable {
            /// Its inputs are not all in the archive yet.
            case waiting
            /// The maintainer makes the outputs that are not there yet.
            case making
            case made
            /// The clock disagrees: others decide.
            case withheld
            case failed
            case swapping
            case swapped
        }

        var open: OpenCompaction
        var phase = Phase.waiting
        var outputs: [SegmentDescriptor] = []
        var tally = SegmentTally()
        var isCollected = false
        /// The run that it is a step of; nil for erasures.
        var run: LogIndex?

        /// What to tell the leader; nil while there is nothing to tell.
        var stage: CompactionReport.Stage? {
            switch phase {
            case .waiting, .making: nil
            case .made, .swapping: .made(outputs.map(\.digest))
            case .withheld: .withheld
            case .failed: .failed
            case .swapped: .swapped
            }
        }
    }

    /// Oldest first; all but the last are done.
    var parts: [Part] = []
    /// Files may be there that no manifest names.
    var sweepIsDue = true
    /// The maintainer removes files.
    var isSweeping = false
    /// Where the log ended at the start, or when the last takeover ended: files that were fetched
    /// may be there. A follower that has taken an entry since needs none of them.
    var fetchedLeft: LogIndex?
    /// What was told last, and to whom.
    var told: (leader: NodeID, report: CompactionReport)?
    var reportDeadline = Instant.zero

    /// What this node made for the run of this entry, and in all, since it started.
    var figures: (run: LogIndex, CompactionFigures) = (.zero, CompactionFigures())
    var total = CompactionFigures()

    /// The compaction whose erased events leave the index, and these.
    var forgetting: (compaction: LogIndex, sequences: [Sequence])?
    /// When a peer's archive is asked for again.
    var takeOverAt = Instant.zero

    // Leading.
    var estimates: [PendingEstimate] = []
    /// Plans that the maintainer makes and nobody waits for any more.
    var givenUpPlans = 0
    var reports: [NodeID: CompactionReport] = [:]
    /// The newest entry that this leader proposed for a compaction.
    var proposed = LogIndex.zero
    /// When this leader began to wait for the open compaction.
    var waiting: (compaction: LogIndex, since: Instant)?
    /// After a compaction without a majority.
    var retryAt = Instant.zero

    /// When there is something to tell again, or a leader has waited long enough; never without
    /// an open compaction.
    var deadline: Instant {
        parts.isEmpty ? Instant(nanoseconds: .max) : reportDeadline
    }

    /// Takes note of what an applied entry changed.
    mutating func follow(_ retention: Retention, archive: Manifest) {
        for place in parts.indices.reversed() where parts[place].open != retention.open {
            if parts[place].open.index == retention.open?.index {
                if let open = retention.open { parts[place].open = open }
            } else if parts[place].open.isDone {
                parts[place].isCollected = true
            } else {
                parts.remove(at: place)
                sweepIsDue = true
            }
        }
        guard let open = retention.open, parts.last?.open.index != open.index else { return }
        var part = Part(open: open)
        if open.compaction.policy != CompactionPolicy.erasures.rawValue {
            part.run = retention.run?.index
        }
        if archive.compactedThrough >= open.index { part.phase = .swapped }
        parts.append(part)
        reportDeadline = .zero
    }

    /// Adds what a part has made, now that the manifest shows it.
    mutating func count(_ part: Part) {
        let made = CompactionFigures(part.tally)
        total += made
        guard let run = part.run else { return }
        if figures.run != run { figures = (run, CompactionFigures()) }
        figures.1 += made
    }

    /// Nothing is left to do, and no file that a compaction replaced is left.
    var isSettled: Bool { parts.isEmpty && !sweepIsDue && !isSweeping }

    /// Forgets what only a leader may know.
    mutating func stopLeading() {
        reports = [:]
        proposed = .zero
        waiting = nil
        retryAt = .zero
    }
}

extension Replica {
    /// Goes on with compactions: this node's part, its report, and as a leader the next entry.
    mutating func compact(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        compacting.follow(ledger.retention, archive: catalogue.archive)
        work(wall: wall, into: &outcome)
        takeOverOutputs(now: now)
        report(now: now, into: &outcome)
        leadCompaction(now: now, wall: wall, into: &outcome)
    }

    /// Whether a compaction was done, by the log, that neither this node's manifest shows nor this
    /// node can make any more: what it made has to come from a peer.
    package var lacksCompaction: Bool {
        guard ledger.retention.compactedThrough > catalogue.archive.compactedThrough else {
            return false
        }
        switch compacting.parts.first?.phase {
        case nil, .failed, .waiting: return true
        default: return false
        }
    }

    // MARK: - This node's part

    private mutating func work(wall: Timestamp, into outcome: inout ReplicaOutcome) {
        while let first = compacting.parts.first, first.phase == .swapped, first.isCollected {
            compacting.parts.removeFirst()
            compacting.sweepIsDue = true
        }
        guard !compacting.parts.isEmpty else { return sweep(into: &outcome) }
        switch compacting.parts[0].phase {
        case .waiting: begin(wall: wall, into: &outcome)
        case .withheld where compacting.parts[0].open.isDone: makeOutputs(into: &outcome)
        case .made where compacting.parts[0].open.isDone: swap(into: &outcome)
        default: break
        }
    }

    /// Has files removed that nobody names, when there may be some.
    private mutating func sweep(into outcome: inout ReplicaOutcome) {
        guard catalogue.archive.compactedThrough >= ledger.retention.compactedThrough else {
            return
        }
        let fetched =
            installation == nil && compacting.fetchedLeft.map { $0 < catalogue.lastIndex } ?? false
        guard compacting.sweepIsDue || fetched else { return }
        compacting.sweepIsDue = false
        compacting.isSweeping = true
        if fetched { compacting.fetchedLeft = nil }
        outcome.maintenance.append(.compaction(.sweep(fetched: fetched)))
    }

    /// Files of a takeover may be there that is not gone on with: they go once an entry was taken.
    package var mayHoldFetched: Bool { compacting.fetchedLeft != nil }

    private mutating func begin(wall: Timestamp, into outcome: inout ReplicaOutcome) {
        let part = compacting.parts[0]
        if catalogue.archive.compactedThrough >= part.open.index {
            compacting.parts[0].phase = .swapped
            return
        }
        // Behind the cut of the newest SEAL the index has no tables yet.
        guard inputs(of: part) != nil,
            catalogue.archive.compactedThrough >= part.open.follows,
            part.open.compaction.cut <= catalogue.archive.nextSequence
        else { return }
        let difference = wall.microseconds - part.open.startedAt.microseconds
        if part.open.compaction.policy == CompactionPolicy.newerThan.rawValue,
            !part.open.isDone, difference.magnitude > settings.clockDifferenceMicroseconds
        {
            compacting.parts[0].phase = .withheld
            outcome.events.append(
                .compactionFailed(part.open.index, "the clocks are \(difference) µs apart"))
            return
        }
        makeOutputs(into: &outcome)
    }

    /// The places of the inputs in the manifest; nil when one is not there.
    private func inputs(of part: Compacting.Part) -> [Int]? {
        var places: [Int] = []
        for digest in part.open.compaction.inputs {
            guard
                let place = catalogue.archive.segments.firstIndex(where: { $0.digest == digest })
            else { return nil }
            places.append(place)
        }
        return places
    }

    /// Has the next outputs made.
    private mutating func makeOutputs(into outcome: inout ReplicaOutcome) {
        let part = compacting.parts[0]
        guard let inputs = inputs(of: part),
            let rules = CompactionRules(
                part.open.compaction, at: part.open.index, held: HeldIDs(part.open.held),
                erased: ErasedEvents(
                    ledger.retention.erased(before: part.open.index).map {
                        .init(mark: $0.mark, sequences: $0.sequences)
                    }))
        else {
            compacting.parts[0].phase = .failed
            outcome.events.append(.compactionFailed(part.open.index, "an input is not there"))
            return
        }
        let segments = catalogue.archive.segments
        let next = inputs.dropFirst(part.outputs.count).prefix(settings.compactionSegments)
        compacting.parts[0].phase = .making
        outcome.maintenance.append(
            .compaction(
                .make(
                    next.map { place in
                        CompactionInput(
                            segments[place], after: place > 0 ? segments[place - 1] : nil)
                    }, rules: rules)))
    }

    private mutating func swap(into outcome: inout ReplicaOutcome) {
        let part = compacting.parts[0]
        guard part.outputs.map(\.digest) == part.open.outputs else {
            compacting.parts[0].phase = .failed
            outcome.events.append(
                .compactionFailed(part.open.index, "a majority made other files"))
            return
        }
        compacting.parts[0].phase = .swapping
        guard part.open.compaction.policy == CompactionPolicy.erasures.rawValue else {
            return replaceInputs(into: &outcome)
        }
        // Those of earlier erasures are out of the index already.
        forget(
            ledger.retention.erased(before: part.open.index).filter {
                $0.removedBy ?? part.open.index >= part.open.index
            }, for: part.open.index, into: &outcome)
    }

    /// Has the rows of erased events taken out of the index, ahead of the files.
    mutating func forget(
        _ erased: [Erased], for compaction: LogIndex, into outcome: inout ReplicaOutcome
    ) {
        compacting.forgetting = (compaction, erased.flatMap(\.sequences).sorted())
        continueForgetting(compaction, into: &outcome)
    }

    private mutating func continueForgetting(
        _ compaction: LogIndex, into outcome: inout ReplicaOutcome
    ) {
        guard let work = compacting.forgetting, work.compaction == compaction else { return }
        outcome.maintenance.append(
            .compaction(.forget(compaction: compaction, sequences: work.sequences)))
    }

    private mutating func replaceInputs(into outcome: inout ReplicaOutcome) {
        let part = compacting.parts[0]
        outcome.maintenance.append(
            .compaction(.swap(compaction: part.open.index, outputs: part.outputs)))
    }

    /// The maintainer has done a task of a compaction.
    mutating func compacted(
        _ report: CompactionTaskReport, into outcome: inout ReplicaOutcome
    ) {
        compacting.reportDeadline = .zero
        switch report {
        case .preparing(let index):
            guard let part = compacting.parts.first, part.open.index == index,
                part.phase == .making
            else { return }
            makeOutputs(into: &outcome)
        case .made(let index, let made):
            guard let part = compacting.parts.first, part.open.index == index,
                part.phase == .making
            else { return }
            for output in made {
                compacting.parts[0].outputs.append(output.descriptor)
                compacting.parts[0].tally += output.tally
            }
            if compacting.parts[0].outputs.count < part.open.compaction.inputs.count {
                makeOutputs(into: &outcome)
            } else {
                compacting.parts[0].phase = .made
                outcome.events.append(.compacted(index, compacting.parts[0].tally.description))
            }
        case .failed(let index, let failure):
            guard compacting.parts.first?.open.index == index else { return }
            compacting.parts[0].phase = .failed
            outcome.events.append(.compactionFailed(index, "\(failure)"))
        case .swapped(let index, let manifest):
            catalogue.adopt(manifest, holding: settings.log.heldSegments)
            consensus.releaseLog(through: catalogue.firstHeldIndex.previous)
            lastRead = nil
            lastRecord = nil
            for place in compacting.parts.indices
            where compacting.parts[place].open.index <= index {
                compacting.parts[place].phase = .swapped
                compacting.count(compacting.parts[place])
            }
            if installation?.isOfOutputs == true { installation = nil }
            compacting.sweepIsDue = true
        case .forgetting(let index), .forgot(let index, _):
            if case .forgot(_, let table) = report {
                outcome.maintenance.append(.removeTables(self.index.adopt(table).map(\.file)))
            }
            continueForgetting(index, into: &outcome)
        case .forgotten(let index):
            guard compacting.forgetting?.compaction == index else { return }
            compacting.forgetting = nil
            if case .outputs(let segments, index) = installation?.phase {
                installation?.phase = .swapping
                outcome.maintenance.append(
                    .compaction(.takeOver(segments, through: index)))
            } else if compacting.parts.first?.open.index == index {
                replaceInputs(into: &outcome)
            }
        case .swept:
            compacting.isSweeping = false
            statusDeadline = .zero
        case .planning: planning(into: &outcome)
        case .planned(let segment, let tally): planned(segment, tally, into: &outcome)
        case .unplanned(let failure): unplanned(failure, into: &outcome)
        }
    }

    // MARK: - Reporting

    /// Tells the leader how far this node is, when that changed and from time to time.
    private mutating func report(now: Instant, into outcome: inout ReplicaOutcome) {
        guard let part = compacting.parts.last else { return }
        let isDue = now >= compacting.reportDeadline
        if isDue {
            compacting.reportDeadline = now.advanced(
                byNanoseconds: settings.compactionReportNanoseconds)
        }
        guard part.open.index == ledger.retention.open?.index, let stage = part.stage,
            let leader = consensus.leader
        else { return }
        let report = CompactionReport(compaction: part.open.index, stage: stage)
        if leader == identity.nodeID {
            compacting.reports[leader] = report
            return
        }
        guard isDue || compacting.told?.leader != leader || compacting.told?.report != report
        else { return }
        compacting.told = (leader, report)
        outcome.send(to: .peer(leader)) { bytes in
            Frame.append(.compactionReport, to: &bytes) { report.append(to: &$0) }
        }
    }

    mutating func receiveReport(
        _ payload: Range<Int>, _ bytes: Span<UInt8>, from peer: NodeID,
        into outcome: inout ReplicaOutcome
    ) {
        do {
            compacting.reports[peer] = try CompactionReport(payload, bytes)
        } catch {
            outcome.events.append(.peerRefused(peer, "\(error)"))
        }
    }
}
