import BugZoo
import Consensus
import EventIndex
import Ledger
package import Maintenance
import Records
import SegmentLog

// The archive: a segment whose SEAL is applied leaves the tail, and with it memory.

extension Replica {
    /// A SEAL was applied: writes the state after it, and sends its segment to the archive.
    mutating func archive(seal: LogIndex, into outcome: inout ReplicaOutcome) {
        let bytes = StateTable.encode(ledger, clusterID: identity.clusterID)
        let state = StateTableFile(seal: seal, bytes: bytes)
        let digest = StateTableFile.digest(of: bytes, hash)
        ledger.wroteStateTable(digest)
        if let place = catalogue.archive.place(holding: seal) {
            // Applied again, from an older table: this one was not whole.
            guard catalogue.archive.segments[place].stateTable == digest else {
                outcome.failure = .ledger("the state at \(seal) is not what it was")
                return
            }
            outcome.maintenance.append(.storeState(state))
            ledger.releaseIndex(through: catalogue.archive.segments[place].nextSequence)
            return
        }
        guard let (segment, runs) = catalogue.sealed(at: seal) else {
            preconditionFailure("no segment ends at \(seal)")
        }
        toArchive.append(
            SealedSegment(
                header: segment.header, byteCount: segment.end, runs: runs, state: state))
    }

    /// Hands over the sealed segments that this node's own disk has: what is committed may be in
    /// the log writer's hands yet.
    ///
    /// None while an archive that was taken over replaces this one: it may end after them, and what
    /// is left of the tail is archived when everything was opened anew.
    mutating func archiveDurable(into outcome: inout ReplicaOutcome) {
        guard installation?.isSwapping != true else { return }
        while let segment = toArchive.first,
            segment.state.seal <= consensus.durablePosition.index
                || PlantedBug.archivedBeforeDurable.isPlanted
        {
            outcome.maintenance.append(.archive(segment))
            toArchive.removeFirst()
        }
    }

    /// The maintainer has done a task, durably.
    package mutating func maintained(
        _ report: MaintenanceReport, into outcome: inout ReplicaOutcome
    ) {
        switch report {
        case .archived(let manifest, let table):
            if let table { _ = index.adopt(table) }
            ledger.releaseIndex(through: manifest.nextSequence)
            mergeIndex(into: &outcome)
            catalogue.adopt(manifest, holding: settings.log.heldSegments)
            consensus.releaseLog(through: catalogue.firstHeldIndex.previous)
            outcome.events.append(.archived(through: manifest.lastIndex))
        case .surveyed, .stored:
            transferred(report, into: &outcome)
            repaired(report, into: &outcome)
        case .scrubbed: scrub.reports.append(report)
        case .installed: outcome.wantsReopening = true
        case .merging: outcome.maintenance.append(.mergeIndex)
        case .merged(let table):
            isMergingIndex = false
            guard let table else { return }
            outcome.maintenance.append(.removeTables(index.adopt(table).map(\.file)))
            mergeIndex(into: &outcome)
        case .compaction(let report): compacted(report, into: &outcome)
        case .done: break
        }
    }

    /// Has index tables merged when that is due, one step at a time, so that other tasks are not
    /// kept waiting.
    private mutating func mergeIndex(into outcome: inout ReplicaOutcome) {
        guard !isMergingIndex, index.isMergeDue else { return }
        isMergingIndex = true
        outcome.maintenance.append(.mergeIndex)
    }
}
