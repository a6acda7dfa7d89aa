import Consensus
import Ledger
import Records
import SegmentLog

extension Replica {
    /// Applies what is committed, at most `entriesPerTurn` entries at once.
    mutating func applyCommitted(into outcome: inout ReplicaOutcome) {
        var count = 0
        while ledger.applied < consensus.commitIndex, outcome.failure == nil {
            guard count < settings.entriesPerTurn, bytesReadInTurn < settings.readBytesPerTurn
            else {
                outcome.wantsTurn = true
                return
            }
            guard let entry = entry(at: ledger.applied.next, into: &outcome) else { return }
            do {
                try ledger.apply(entry)
            } catch .index(let damage) {
                outcome.failure = .index(damage.reason)
            } catch {
                outcome.failure = .ledger("\(error)")
            }
            compacting.follow(ledger.retention, archive: catalogue.archive)
            if entry.header.kind == .seal, outcome.failure == nil {
                archive(seal: entry.header.index, into: &outcome)
            }
            count += 1
        }
    }
}
