import Consensus
import Ledger
import PeerWire
import Records
import SegmentLog

// Sealing on request: a backup copies sealed segments, so what was acknowledged before it began has
// to be in them.

/// Who waits for a SEAL to be applied.
struct PendingSeals {
    /// Commands that wait at once. One more is answered `none`, and its sender asks again.
    static let waitingLimit = 64

    struct Waiting {
        let client: ClientID
        let id: UInt64
        let seal: LogIndex
        let next: Sequence
    }

    var waiting: [Waiting] = []
}

extension Replica {
    /// Ends the open segment, unless it is empty, and answers once that is committed and applied.
    mutating func seal(
        for client: ClientID, id: UInt64, now: Instant, wall: Timestamp,
        into outcome: inout ReplicaOutcome
    ) {
        guard serves, seals.waiting.count < PendingSeals.waitingLimit else {
            return clusterReply(.none, to: id, client, into: &outcome)
        }
        closeBatch(now: now, wall: wall, into: &outcome)
        seal(now: now, wall: wall, into: &outcome)
        seals.waiting.append(
            .init(
                client: client, id: id, seal: catalogue.lastIndex, next: catalogue.nextSequence))
        outcome.wantsTurn = true
    }

    /// Answers those whose SEAL is applied.
    mutating func answerSeals(into outcome: inout ReplicaOutcome) {
        guard let first = seals.waiting.first, first.seal <= ledger.applied else { return }
        for waiting in seals.waiting where waiting.seal <= ledger.applied {
            clusterReply(
                .sealed(through: waiting.seal, next: waiting.next), to: waiting.id,
                waiting.client,
                into: &outcome)
        }
        seals.waiting.removeAll { $0.seal <= ledger.applied }
    }

    /// Leadership is gone: whether the SEALs will be committed is not known.
    mutating func failSeals(into outcome: inout ReplicaOutcome) {
        for waiting in seals.waiting {
            clusterReply(.unknown, to: waiting.id, waiting.client, into: &outcome)
        }
        seals.waiting.removeAll()
    }
}
