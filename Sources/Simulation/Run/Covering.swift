import Consensus
import Ledger
import Maintenance
import PeerWire
import Records
import Replica
import SegmentLog

// Counting what a run reached.

extension Simulation {
    func cover(_ event: ReplicaEvent, of node: SimulatedNode) {
        switch event {
        case .standing(let standing):
            if standing.role == .leader {
                statistics.cover(.leaderElected)
            } else if node.hasLed {
                statistics.cover(.leaderSteppedDown)
            }
            node.hasLed = standing.role == .leader
        case .handsOver:
            if node.replica?.ledger.retention.open != nil {
                statistics.cover(.transferDuringCompaction)
            }
        case .transferAbandoned: statistics.cover(.transferAbandoned)
        case .truncated: statistics.cover(.tailTruncated)
        case .archived: statistics.cover(.sealedSegmentArchived)
        case .needsInstall:
            statistics.cover(.installBegun)
            if members.learners.contains(node.id) { statistics.cover(.learnerInstalls) }
        case .compactionFailed(_, let reason):
            statistics.cover(reason.contains("clocks") ? .compactionWithheld : .compactionFailed)
        case .compactionAbandoned: statistics.cover(.compactionAbandoned)
        case .fetchedWrong: statistics.cover(.fetchedWrong)
        case .diskLow(let isLow, free: _): statistics.cover(isLow ? .diskLow : .diskRoomAgain)
        case .serving, .followerNeedsInstall, .sealed, .compacted, .fetched, .damaged,
            .peerRefused, .membersChange, .retired:
            break
        }
    }

    func cover(_ report: MaintenanceReport, of task: MaintenanceTask, by node: SimulatedNode) {
        switch report {
        case .installed:
            statistics.cover(.installSwapped)
            if case .install(let manifest, _) = task,
                manifest.compactedThrough > node.replica?.ledger.retention.compactedThrough ?? .zero
            {
                statistics.cover(.compactionDoneSeenByInstall)
            }
        case .scrubbed(_, through: _, byteCount: _, isGood: false):
            statistics.cover(.damageFoundByScrub)
        case .compaction(.swapped):
            if case .compaction(.takeOver) = task { statistics.cover(.outputsTakenOver) }
        default: break
        }
    }

    /// Before the process ends: what it was at.
    func cover(crashOf node: SimulatedNode, losingPower: Bool) {
        guard losingPower, let process = node.process else { return }
        let wrote = process.writing.contains { task in
            if case .storeVote = task { true } else { false }
        }
        if wrote { statistics.cover(.voteLostAtPowerLoss) }
    }

    /// A takeover was cut while its files got their names.
    func coverRename(on node: SimulatedNode) {
        let interrupted = node.disk.interrupted
        guard interrupted.hasPrefix("rename of "),
            interrupted.hasSuffix(".fetched")
                || interrupted.hasSuffix(".verified")
        else { return }
        statistics.cover(.installCutInRenames)
    }

    func cover(_ request: History.Request, _ answer: History.Answer) {
        switch answer {
        case .receipt(let receipt): cover(receipt)
        case .notAppended(isUnknown: true): statistics.cover(.answerUnknown)
        case .rows(let head, let rows):
            if head.outcome == .damaged { statistics.cover(.readAnsweredDamaged) }
            if case .page(_, .stale) = request { statistics.cover(.staleRead) }
            for row in rows where row.kind != .whole {
                statistics.cover(row.kind == .erased ? .erasedRowRead : .compactedRowRead)
            }
        case .command(.held):
            if case .command(let command) = request, case .erase = command.change {
                statistics.cover(.eraseRefusedByHold)
            }
        case .cluster(.leads): statistics.cover(.transferCompleted)
        default: break
        }
    }

    private func cover(_ receipt: Receipt) {
        switch receipt.verdict {
        case .appended: break
        case .duplicate:
            statistics.cover(.duplicateAnswered)
            let isCompacted = nodes.contains { node in
                guard let archive = node.replica?.catalogue.archive,
                    let place = archive.place(holding: receipt.sequence)
                else { return false }
                return archive.segments[place].generation > 0
            }
            if isCompacted { statistics.cover(.duplicateOfCompacted) }
        case .conflict: statistics.cover(.conflictAnswered)
        case .tokenRefused: statistics.cover(.tokenRefused)
        case .erased: statistics.cover(.lateRetryOfErased)
        }
    }

    func cover(_ log: LogAudit) {
        let retention = log.retention
        statistics.compactionCount = retention.doneCount
        statistics.erasureCount = retention.erased.count
        for situation in retention.reached { statistics.cover(situation) }
        statistics.cover(.compactionDone, times: retention.doneCount)
        statistics.cover(.memberChangeUndone, times: members.undoneCount)
        statistics.cover(.eventCompacted, times: retention.compacted.count)
        for (sequence, row) in log.rows.enumerated()
        where !row.isAdministration && retention.erased[row.uniqueID] != nil {
            statistics.cover(.eventErased)
            if retention.compacted.contains(sequence) { statistics.cover(.compactedThenErased) }
        }
    }
}
