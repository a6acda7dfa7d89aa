import BugZoo
package import Bytes
import Consensus
import Ledger
import PeerWire
package import Records
import SegmentLog

// Events from gateways: judged against applied state and the overlay, gathered into one entry a
// turn, answered when that entry is committed and applied.

/// The events that the next entry will hold.
struct OpenBatch {
    /// Room for the header, then stored records.
    var bytes: [UInt8] = []
    var count = 0

    var isEmpty: Bool { count == 0 }
}

/// A submit that waits until all it rests on is committed and applied.
struct PendingSubmit {
    enum Decision {
        case appended(IndexedRevision)
        case duplicate(IndexedRevision)
        case conflict(Revision)
        case tokenRefused
        case erased
    }

    let client: ClientID
    let batch: UInt64
    /// Everything that the decisions rest on is at or before this entry.
    let await: LogIndex
    /// Confirmation that this node still led after the submit came; nil when what it appended
    /// says so by being committed.
    var ticket: ReadTicket?
    let proposed: Bool
    let decisions: [Decision]
}

extension Replica {
    /// A submit from a gateway. It is answered in this turn or a later one; nothing is answered
    /// when the frame is malformed, for then the driver closes the connection.
    package mutating func submit(
        _ payload: Range<Int>, in bytes: Span<UInt8>, from client: ClientID, now: Instant,
        wall: Timestamp, into outcome: inout ReplicaOutcome
    ) throws(ByteDefect) {
        let (id, oldest) = try Submit.head(payload, bytes)
        guard serves, consensus.role == .leader, refusals.admit(client, id, oldest: oldest)
        else {
            note(client, id)
            refuse(batch: id, .none, client, into: &outcome)
            return
        }
        guard !lacksRoom(now: now), hasRoom else {
            note(client, id)
            let result: Receipts.Outcome = hasRoom ? .full : .overloaded
            return refuse(batch: id, result, client, into: &outcome)
        }
        let items = Submit.items(payload)
        try check(items, bytes)
        var decisions: [PendingSubmit.Decision] = []
        var proposed = false
        var offset = items.lowerBound
        while offset < items.upperBound {
            let (item, next) = try Submit.item(at: offset, end: items.upperBound, bytes)
            if batch.bytes.count + item.record.range.count > Limits.batchBytes {
                closeBatch(now: now, wall: wall, into: &outcome)
            }
            guard let decision = decide(item, bytes, wall: wall, into: &outcome) else { return }
            if case .appended = decision { proposed = true }
            decisions.append(decision)
            offset = next
        }
        var ticket: ReadTicket?
        if !proposed, !PlantedBug.duplicateBeforeCommit.isPlanted {
            ticket = consensus.requestRead(now: now, into: &core)
            guard ticket != nil else {
                note(client, id)
                refuse(batch: id, .none, client, into: &outcome)
                return
            }
        }
        let last = batch.isEmpty ? catalogue.lastIndex : catalogue.lastIndex.next
        let isEarly =
            proposed
            ? PlantedBug.receiptBeforeCommit.isPlanted
            : PlantedBug.duplicateBeforeCommit.isPlanted
        submits.append(
            PendingSubmit(
                client: client, batch: id, await: isEarly ? .zero : last, ticket: ticket,
                proposed: proposed,
                decisions: decisions))
        // Behind it: where one node is the majority, the read is confirmed at once.
        if ticket != nil { carryOut(now: now, into: &outcome) }
    }

    private var hasRoom: Bool {
        consensus.log.byteCount(after: consensus.commitIndex, through: catalogue.lastIndex)
            + batch.bytes.count < settings.uncommittedBytes
    }

    /// Reads all items before any is acted on, so that a malformed frame changes nothing.
    private func check(_ items: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var offset = items.lowerBound
        while offset < items.upperBound {
            offset = try Submit.item(at: offset, end: items.upperBound, bytes).next
        }
    }

    /// Decides about one event; nil with a failure set when the index cannot be read.
    private mutating func decide(
        _ item: Submit.Item, _ bytes: Span<UInt8>, wall: Timestamp,
        into outcome: inout ReplicaOutcome
    ) -> PendingSubmit.Decision? {
        let mayWrite = mayWrite(item.record.writtenBy, bytes, wall)
        if isClosed(bytes, item.record.uniqueID) { return mayWrite ? .erased : .tokenRefused }
        let verdict: Ledger.Verdict
        do {
            verdict = try ledger.judge(item.record, in: bytes, expected: item.expected)
        } catch {
            outcome.failure = .index(error.reason)
            return nil
        }
        switch verdict {
        // Whatever the token: what is recorded is recorded, and a gateway may be asking again for
        // an event whose token was revoked since.
        case .duplicate(let first): return .duplicate(first)
        case .conflict(let current): return mayWrite ? .conflict(current) : .tokenRefused
        case .append(let revision):
            guard mayWrite else { return .tokenRefused }
            return .appended(take(item.record, bytes, revision: revision))
        }
    }

    /// Copies the record into the open batch, fills in what the leader decides, and takes it into
    /// the overlay.
    private mutating func take(
        _ record: RecordView, _ bytes: Span<UInt8>, revision: Revision
    ) -> IndexedRevision {
        if batch.isEmpty {
            batch.bytes.append(
                contentsOf: repeatElement(0, count: EntryHeader.encodedSize))
        }
        let offset = batch.bytes.count
        let sequence = catalogue.nextSequence.advanced(by: batch.count)
        batch.bytes.append(bytes.extracting(record.range))
        RecordEncoder.decide(
            revision: revision, salts: salts, at: offset, in: &batch.bytes)
        batch.count += 1
        return ledger.propose(
            record, in: bytes, recordOffset: offset, entry: catalogue.lastIndex.next,
            sequence: sequence, revision: revision)
    }

    /// Whether the unique_id in `range` is erased, or about to be.
    private func isClosed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        commands.isErasing(bytes, range) || ledger.isClosed(bytes, range)
    }

    /// Whether the token or session that is named in `range` may still write.
    private func mayWrite(_ range: Range<Int>, _ bytes: Span<UInt8>, _ wall: Timestamp) -> Bool {
        guard let id = Writer.credential(bytes, range) else { return false }
        if PlantedBug.revocationLeftToGateways.isPlanted { return true }
        let isPending =
            commands.isRevoking(id, of: ledger.directory.session(id)?.user)
            && !PlantedBug.pendingRevocationIgnored.isPlanted
        return ledger.directory.standing(of: id, at: wall) == .usable && !isPending
    }

    /// Proposes the open batch as one entry.
    mutating func closeBatch(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        guard !batch.isEmpty else { return }
        let previous = catalogue.lastHeader
        let entry = Entry(
            sealing: &batch.bytes, kind: .events, term: consensus.term, after: previous,
            recordCount: batch.count, timestamp: timestamp(after: previous, wall: wall))
        batch.count = 0
        propose(entry, now: now, into: &outcome)
    }

    /// Ends the segment when it is full.
    mutating func sealSegment(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        guard serves, catalogue.activeSegmentByteCount >= settings.log.segmentBytes else { return }
        seal(now: now, wall: wall, into: &outcome)
    }

    /// Ends the segment, unless it is empty.
    mutating func seal(now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome) {
        guard catalogue.lastHeader?.kind != .seal else { return }
        let previous = catalogue.lastHeader
        // The table of the SEAL before is this state's only when that SEAL is applied.
        let isKnown = catalogue.end().segment.previous <= ledger.applied
        var body: [UInt8] = []
        ControlPayload.seal(
            Seal(stateTable: isKnown ? ledger.stateTable : .zero, voters: sealedVoters)
        ).append(to: &body)
        let entry = Entry(
            kind: .seal, term: consensus.term, after: previous,
            timestamp: timestamp(after: previous, wall: wall), body: body)
        ledger.proposeSeal(before: entry.header.nextSequence)
        propose(entry, now: now, into: &outcome)
        outcome.events.append(.sealed(entry.header.index))
    }

    // MARK: Answering

    /// Answers the submits whose events, and all that they rest on, are committed and applied.
    mutating func answerSubmits(into outcome: inout ReplicaOutcome) {
        var waiting: [PendingSubmit] = []
        for submit in submits {
            guard submit.await <= ledger.applied, submit.ticket == nil,
                bytesReadInTurn < settings.readBytesPerTurn
            else {
                waiting.append(submit)
                continue
            }
            if answer(submit, into: &outcome) { continue }
            // An entry that it needs is being repaired.
            if repairs.isOverdue {
                refuse(batch: submit.batch, .unknown, submit.client, into: &outcome)
            } else {
                waiting.append(submit)
            }
        }
        submits = waiting
        if bytesReadInTurn >= settings.readBytesPerTurn { outcome.wantsTurn = true }
    }

    /// False when an entry that it needs cannot be read.
    private mutating func answer(
        _ submit: PendingSubmit, into outcome: inout ReplicaOutcome
    ) -> Bool {
        var receipts: [Receipt] = []
        receipts.reserveCapacity(submit.decisions.count)
        for decision in submit.decisions {
            guard let receipt = receipt(decision, into: &outcome) else { return false }
            receipts.append(receipt)
        }
        outcome.send(to: .client(submit.client)) { bytes in
            Frame.append(.receipts, to: &bytes) { payload in
                Receipts.begin(
                    batch: submit.batch, outcome: .decided, leader: consensus.id, in: &payload)
                for receipt in receipts { Receipts.append(receipt, to: &payload) }
            }
        }
        return true
    }

    /// What to tell of one event; nil with a failure set when its entry cannot be read.
    private mutating func receipt(
        _ decision: PendingSubmit.Decision, into outcome: inout ReplicaOutcome
    ) -> Receipt? {
        switch decision {
        case .tokenRefused: return Receipt(verdict: .tokenRefused, revision: .zero)
        case .erased: return Receipt(verdict: .erased, revision: .zero)
        case .conflict(let current): return Receipt(verdict: .conflict, revision: current)
        case .duplicate(let first): return receipt(.duplicate, of: first, into: &outcome)
        case .appended(let added): return receipt(.appended, of: added, into: &outcome)
        }
    }

    private mutating func receipt(
        _ verdict: Receipt.Verdict, of revision: IndexedRevision, into outcome: inout ReplicaOutcome
    ) -> Receipt? {
        let entry =
            if let place = revision.place {
                entry(at: place.entry, into: &outcome)
            } else {
                entry(holding: revision.sequence, into: &outcome)
            }
        guard let entry else { return nil }
        // Behind a compaction the record has moved.
        let isHeld = catalogue.place(of: entry.header.index) != nil
        do {
            return try receipt(
                verdict, revision.revision, of: revision.sequence, in: entry,
                at: isHeld ? revision.place?.offset : nil)
        } catch {
            outcome.failure = .ledger(
                "event \(revision.sequence) in entry \(entry.header.index): \(error)")
            return nil
        }
    }

    /// Remembers that a submit of the client was refused, as long as it is there.
    mutating func note(_ client: ClientID, _ batch: UInt64) {
        if clients.contains(client) { refusals.note(client, batch) }
    }

    func refuse(
        batch: UInt64, _ result: Receipts.Outcome, _ client: ClientID,
        into outcome: inout ReplicaOutcome
    ) {
        outcome.send(to: .client(client)) { bytes in
            Frame.append(.receipts, to: &bytes) { payload in
                Receipts.begin(
                    batch: batch, outcome: result, leader: consensus.leader, in: &payload)
            }
        }
    }

    // MARK: Gaining and losing leadership

    /// Serves once an entry of this term is committed and applied, and not while it hands over.
    mutating func startServing(into outcome: inout ReplicaOutcome) {
        guard !serves, leadership != nil, consensus.transferTarget == nil,
            PlantedBug.servesBeforeOwnCommit.isPlanted
                || consensus.hasCommittedInTerm
                    && ledger.applied == consensus.lastPosition.index
        else { return }
        serves = true
        statusDeadline = .zero
        outcome.events.append(.serving(consensus.term))
    }

    /// Forgets what only a leader may know. What was proposed may still come to be committed.
    mutating func stopServing(into outcome: inout ReplicaOutcome) {
        for submit in submits {
            let isUnknown = submit.proposed && !PlantedBug.unknownToldAsNone.isPlanted
            let result: Receipts.Outcome = isUnknown ? .unknown : .none
            note(submit.client, submit.batch)
            refuse(batch: submit.batch, result, submit.client, into: &outcome)
        }
        submits.removeAll()
        failCommands(into: &outcome)
        sessionUses.removeAll()
        mailing = PendingMail()
        failEstimates(into: &outcome)
        compacting.stopLeading()
        failTransfer(into: &outcome)
        failSeals(into: &outcome)
        failMembers(into: &outcome)
        batch = OpenBatch()
        ledger.dropOverlay()
        leadership = nil
        serves = false
        statusDeadline = .zero
    }
}
