import BugZoo
import Consensus
import Ledger
package import PeerWire
package import Records
import SegmentLog

// Reads: linearizable by ReadIndex (Raft dissertation section 6.4), or of what this node has.

/// A query whose read is not yet confirmed, or not yet applied.
struct PendingQuery {
    let client: ClientID
    let query: Query
    /// nil once confirmed.
    var ticket: ReadTicket?
    /// Answered when this entry is applied.
    var index: LogIndex
}

/// A page that found nothing and waits for events.
struct ParkedPage {
    let client: ClientID
    let id: UInt64
    let request: PageRequest
    let deadline: Instant
}

extension Replica {
    /// A query from a gateway.
    package mutating func query(
        _ query: Query, from client: ClientID, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        switch query.consistency {
        case .linearizable:
            guard serves, queries.count < settings.waitingQueries,
                let ticket = consensus.requestRead(now: now, into: &core)
            else {
                elsewhere(query.id, client, into: &outcome)
                return
            }
            queries.append(
                PendingQuery(
                    client: client, query: query, ticket: ticket, index: consensus.commitIndex))
            carryOut(now: now, into: &outcome)
        case .after(let sequence):
            let isThere = ledger.nextSequence >= sequence
            guard isThere || PlantedBug.readIgnoresSequence.isPlanted else {
                elsewhere(query.id, client, into: &outcome)
                return
            }
            run(query, client, now: now, into: &outcome)
        case .stale:
            run(query, client, now: now, into: &outcome)
        }
    }

    /// Runs the queries that are confirmed and applied, and wakes pages that waited for events.
    mutating func answerQueries(now: Instant, into outcome: inout ReplicaOutcome) {
        if !queries.isEmpty {
            let pending = queries
            queries.removeAll(keepingCapacity: true)
            for query in pending {
                if query.ticket == nil, query.index <= ledger.applied {
                    run(query.query, query.client, now: now, into: &outcome)
                } else {
                    queries.append(query)
                }
            }
        }
        if !parkedPages.isEmpty { wakePages(now: now, into: &outcome) }
    }

    private mutating func wakePages(now: Instant, into outcome: inout ReplicaOutcome) {
        let parked = parkedPages
        parkedPages.removeAll(keepingCapacity: true)
        for page in parked {
            if page.request.from < ledger.nextSequence || page.deadline <= now {
                readPage(page.request, id: page.id, page.client, stale: 0, into: &outcome)
            } else {
                parkedPages.append(page)
            }
        }
    }

    /// The core confirmed that this node led after the read came.
    mutating func confirm(_ read: Outcome.ConfirmedRead) {
        for place in queries.indices where queries[place].ticket == read.ticket {
            queries[place].ticket = nil
            queries[place].index = read.index
        }
        for place in submits.indices where submits[place].ticket == read.ticket {
            submits[place].ticket = nil
        }
    }

    /// Leadership was lost before the read was confirmed.
    mutating func failRead(_ ticket: ReadTicket, into outcome: inout ReplicaOutcome) {
        for query in queries where query.ticket == ticket {
            elsewhere(query.query.id, query.client, into: &outcome)
        }
        queries.removeAll { $0.ticket == ticket }
        for submit in submits where submit.ticket == ticket {
            note(submit.client, submit.batch)
            refuse(batch: submit.batch, .none, submit.client, into: &outcome)
        }
        submits.removeAll { $0.ticket == ticket }
    }

    private mutating func run(
        _ query: Query, _ client: ClientID, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        let stale = query.consistency == .stale ? staleMilliseconds(now: now) : 0
        switch query.subject {
        case .event(let uniqueID, let revision, let history):
            readEvent(
                uniqueID, revision: revision, history: history, id: query.id, client, stale: stale,
                into: &outcome)
        case .page(let request):
            guard request.waits, ledger.nextSequence <= request.from else {
                readPage(request, id: query.id, client, stale: stale, into: &outcome)
                return
            }
            parkedPages.append(
                ParkedPage(
                    client: client, id: query.id, request: request,
                    deadline: now.advanced(byNanoseconds: settings.pageWaitNanoseconds)))
        }
    }

    private func readEvent(
        _ uniqueID: [UInt8], revision: Revision?, history: Bool, id: UInt64, _ client: ClientID,
        stale: UInt32, into outcome: inout ReplicaOutcome
    ) {
        if let erased = ledger.erased(uniqueID) {
            readErased(
                erased, revision: revision, history: history, id: id, client, stale: stale,
                into: &outcome)
            return
        }
        var found: [IndexedRevision] = []
        visit(uniqueID, into: &outcome) { candidate in
            if history || revision == nil || candidate.revision == revision {
                found.append(candidate)
            }
            return history || found.isEmpty
        }
        var head = head(id, found.isEmpty ? .notFound : .found, stale: stale)
        head.next = head.end
        outcome.reads.append(
            ReadJob(
                client: client, head: head, filter: EventFilter(), byteLimit: .max,
                hidden: [], showsCompacted: true, pieces: found.reversed().map { piece(of: $0) }))
    }

    /// Shows the committed revisions of a unique_id, newest first, to `visit` until it returns
    /// false. Sets a failure when the index cannot be read.
    private func visit(
        _ uniqueID: [UInt8], into outcome: inout ReplicaOutcome,
        _ visit: (IndexedRevision) -> Bool
    ) {
        let key = ledger.index.key(uniqueID.span, 0..<uniqueID.count)
        do {
            try ledger.index.visit(key, withOverlay: false, visit)
        } catch {
            outcome.failure = .index(error.reason)
        }
    }

    /// Rows that say of each event of an erased unique_id that it was there.
    private func readErased(
        _ erased: Erased, revision: Revision?, history: Bool, id: UInt64, _ client: ClientID,
        stale: UInt32, into outcome: inout ReplicaOutcome
    ) {
        // Revisions have no gaps: the first is 1.
        var sequences = erased.sequences
        if !history {
            let place = revision.map { Int($0.value) - 1 } ?? sequences.count - 1
            sequences = sequences.indices.contains(place) ? [sequences[place]] : []
        }
        var head = head(id, sequences.isEmpty ? .notFound : .found, stale: stale)
        head.next = head.end
        outcome.reads.append(
            ReadJob(
                client: client, head: head, filter: EventFilter(), byteLimit: .max,
                hidden: sequences, showsCompacted: false, pieces: pieces(of: sequences)))
    }

    private func pieces(of sequences: [Sequence]) -> [ReadJob.Piece] {
        sequences.map { sequence in
            let location: ReadJob.Location
            if let index = catalogue.index(holding: sequence),
                let place = catalogue.place(of: index)
            {
                location = .held(place, cache[index])
            } else if let place = catalogue.archive.place(holding: sequence) {
                location = .archived(place, catalogue.archive)
            } else {
                preconditionFailure("event \(sequence) is not in the log")
            }
            return ReadJob.Piece(location: location, records: .one(offset: nil, sequence: sequence))
        }
    }

    private func readPage(
        _ request: PageRequest, id: UInt64, _ client: ClientID, stale: UInt32,
        into outcome: inout ReplicaOutcome
    ) {
        var head = head(id, .found, stale: stale)
        let until = min(request.until ?? head.end, head.end)
        var pieces: [ReadJob.Piece] = []
        var next = request.from
        if let uniqueID = request.filter.uniqueID, request.filter.resources == .auditEvents {
            if let erased = ledger.erased(uniqueID) {
                let wanted = erased.sequences.filter { $0 >= request.from && $0 < until }
                pieces = self.pieces(of: wanted)
            } else {
                pieces = self.pieces(
                    of: uniqueID, from: request.from, until: until, into: &outcome)
            }
            next = max(until, request.from)
        } else if request.from < until {
            (pieces, next) = self.pieces(
                from: request.from, until: until,
                passing: ReadJob.passesSegments(request.filter))
        }
        head.next = next
        outcome.reads.append(
            ReadJob(
                client: client, head: head, filter: request.filter,
                byteLimit: Int(request.byteLimit),
                hidden: Array(ledger.retention.hidden(in: request.from..<max(next, request.from))),
                showsCompacted: false, pieces: pieces))
    }

    /// All revisions of one unique_id in the range, in order.
    private func pieces(
        of uniqueID: [UInt8], from: Sequence, until: Sequence, into outcome: inout ReplicaOutcome
    ) -> [ReadJob.Piece] {
        var pieces: [ReadJob.Piece] = []
        visit(uniqueID, into: &outcome) { found in
            if found.sequence >= from, found.sequence < until { pieces.append(piece(of: found)) }
            return found.sequence >= from
        }
        return pieces.reversed()
    }

    /// The entries from the one that holds `from` on, up to a bound of bytes, and the sequence
    /// after the last of them. `passing`: segments of the archive may be passed by, so that there
    /// are several of them in one page, and those whose places are held are not read for that.
    private func pieces(
        from: Sequence, until: Sequence, passing: Bool
    ) -> (pieces: [ReadJob.Piece], next: Sequence) {
        var pieces: [ReadJob.Piece] = []
        var byteCount = 0
        var next = from
        let archive = catalogue.archive
        if from < (passing ? archive.nextSequence : catalogue.firstHeldSequence),
            let first = archive.place(holding: from)
        {
            let places = archive.segments.indices[first...]
            for place in places.prefix(passing ? ReadJob.passedSegments : 1) {
                let end = min(until, archive.segments[place].nextSequence)
                guard next < end else { continue }
                pieces.append(
                    ReadJob.Piece(
                        location: .archived(place, archive), records: .sequences(next..<end)))
                next = end
            }
            return (pieces, next)
        }
        var index = catalogue.index(holding: from)
        while let current = index, next < until, byteCount < ReadJob.entryBytes {
            guard let place = catalogue.place(of: current) else { break }
            let header = place.header
            if header.recordCount > 0 {
                let end = min(header.nextSequence, until)
                pieces.append(
                    ReadJob.Piece(
                        location: .held(place, cache[current]), records: .sequences(next..<end)))
                byteCount += header.byteCount
                next = end
            }
            index = current < catalogue.lastIndex ? current.next : nil
        }
        return (pieces, next)
    }

    private func piece(of revision: IndexedRevision) -> ReadJob.Piece {
        let sequence = revision.sequence
        let location: ReadJob.Location
        if let index = revision.place?.entry ?? catalogue.index(holding: sequence),
            let place = catalogue.place(of: index)
        {
            location = .held(place, cache[index])
        } else if let place = catalogue.archive.place(holding: sequence) {
            location = .archived(place, catalogue.archive)
        } else {
            preconditionFailure("event \(sequence) of the index is not in the log")
        }
        return ReadJob.Piece(
            location: location,
            records: .one(offset: revision.place?.offset, sequence: sequence))
    }

    /// Answers with those rows that are the newest of their unique_ids below the sequence that was
    /// asked for. Erasures count as of now.
    package mutating func settle(
        _ unsettled: UnsettledRows, into outcome: inout ReplicaOutcome
    ) {
        var rows: [UInt8] = []
        do {
            for row in unsettled.rows.named {
                guard !ledger.isClosed(row.uniqueID),
                    try newest(row.uniqueID, before: unsettled.before) == row.sequence
                else { continue }
                rows.append(contentsOf: unsettled.rows.bytes[row.range])
            }
        } catch {
            outcome.failure = .index(error.reason)
            return
        }
        outcome.send(to: .client(unsettled.client)) { bytes in
            Frame.append(.rows, to: &bytes) { payload in
                unsettled.head.append(to: &payload)
                payload.append(contentsOf: rows)
            }
        }
    }

    private func newest(
        _ uniqueID: [UInt8], before end: Sequence
    ) throws(IndexDamage) -> Sequence? {
        let key = ledger.index.key(uniqueID.span, 0..<uniqueID.count)
        var newest: Sequence?
        try ledger.index.visit(key, withOverlay: false) { found in
            guard found.sequence < end else { return true }
            newest = found.sequence
            return false
        }
        return newest
    }

    private func head(_ id: UInt64, _ result: RowsHead.Outcome, stale: UInt32) -> RowsHead {
        var head = RowsHead(id: id, outcome: result)
        head.leader = consensus.leader
        head.end = ledger.nextSequence
        head.staleMilliseconds = stale
        return head
    }

    private func elsewhere(
        _ id: UInt64, _ client: ClientID, into outcome: inout ReplicaOutcome
    ) {
        let head = head(id, .elsewhere, stale: 0)
        outcome.send(to: .client(client)) { bytes in
            Frame.append(.rows, to: &bytes) { head.append(to: &$0) }
        }
    }

    /// Milliseconds since a leader was heard, or, while this node leads, a majority.
    func heardMilliseconds(now: Instant) -> UInt32 {
        milliseconds(since: consensus.majorityHeardAt(now: now) ?? heardLeaderAt, now: now)
    }

    /// Milliseconds by which what is applied here may be behind what was committed. A leader that
    /// nobody follows any more may not know it yet.
    private func staleMilliseconds(now: Instant) -> UInt32 {
        milliseconds(since: consensus.majorityHeardAt(now: now) ?? freshness.time, now: now)
    }

    private func milliseconds(since time: Instant?, now: Instant) -> UInt32 {
        guard let time else { return .max }
        return UInt32(clamping: now.nanoseconds(since: time) / 1_000_000)
    }
}
