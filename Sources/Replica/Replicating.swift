import Consensus
import PeerWire
import Records
import SegmentLog

// Carrying out what the consensus core decided: cut, append, store the vote, send.

extension Replica {
    /// Carries out and clears the core's outcome. `received` are the entries of the append that
    /// was its input.
    mutating func carryOut(
        _ received: [Entry] = [], now: Instant, into outcome: inout ReplicaOutcome
    ) {
        // The term goes first: a log whose entries are of a later term than the stored one is what
        // a vote file from the past looks like, and does not start.
        if let vote = core.voteToStore {
            outcome.tasks.append(.storeVote(vote))
            owed.append(.vote(vote))
        }
        if let index = core.truncateFrom { truncate(from: index, into: &outcome) }
        if let range = core.acceptedEntries {
            for entry in received[range] { append(entry, into: &outcome) }
        }
        if let standing = core.standing { follow(standing, into: &outcome) }
        for node in core.installs { outcome.events.append(.followerNeedsInstall(node)) }
        if let hint = core.needsInstall, installation == nil {
            outcome.events.append(.needsInstall(hint))
            install(from: hint.from, base: hint.base)
        }
        if let node = core.transferAbandoned { abandonTransfer(to: node, into: &outcome) }
        for envelope in core.messages { send(envelope, into: &outcome) }
        for read in core.confirmedReads { confirm(read) }
        for ticket in core.failedReads { failRead(ticket, into: &outcome) }
        let position = core.noOperation
        core.clear()
        if let position { proposeNoOperation(position, now: now, into: &outcome) }
    }

    /// Appends an entry of a leader's to log and cache.
    private mutating func append(_ entry: Entry, into outcome: inout ReplicaOutcome) {
        guard outcome.failure == nil else { return }
        let last = catalogue.lastHeader
        guard entry.header.previousChecksum == last?.checksum ?? 0,
            entry.header.firstSequence == catalogue.nextSequence
        else {
            outcome.failure = .chain(entry.header.position)
            return
        }
        write(entry, into: &outcome)
    }

    /// Places the entry at the log's end and hands it to the log writer.
    private mutating func write(_ entry: Entry, into outcome: inout ReplicaOutcome) {
        let place = catalogue.append(entry.header)
        cache.append(entry)
        noteMembers(entry)
        outcome.tasks.append(.append(entry.bytes, at: place))
        owed.append(.log(LogMark(position: entry.header.position, epoch: consensus.logMark.epoch)))
    }

    private mutating func truncate(from index: LogIndex, into outcome: inout ReplicaOutcome) {
        outcome.tasks.append(.truncate(catalogue.truncate(from: index)))
        owed.append(.nothing)
        cache.truncate(from: index)
        forgetMembers(from: index)
        lastRead = nil
        outcome.events.append(.truncated(from: index))
    }

    /// Takes note of a change of role, term or leader.
    private mutating func follow(_ standing: Standing, into outcome: inout ReplicaOutcome) {
        outcome.events.append(.standing(standing))
        statusDeadline = .zero
        if let leadership, standing.role != .leader || standing.term != leadership {
            stopServing(into: &outcome)
        }
    }

    private mutating func proposeNoOperation(
        _ position: LogPosition, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        leadership = position.term
        let previous = catalogue.lastHeader
        let entry = Entry(
            kind: .noOperation, term: position.term, after: previous,
            timestamp: timestamp(after: previous, wall: .absent))
        propose(entry, now: now, into: &outcome)
    }

    /// Makes `entry` the log's next, as its leader.
    mutating func propose(_ entry: Entry, now: Instant, into outcome: inout ReplicaOutcome) {
        precondition(entry.header.term == consensus.term, "an entry of another term")
        write(entry, into: &outcome)
        guard let descriptor = try? EntryDescriptor(entry) else {
            preconditionFailure("the own entry \(entry.header.index) is malformed")
        }
        consensus.propose(descriptor, now: now, into: &core)
        carryOut(now: now, into: &outcome)
    }

    private mutating func send(_ envelope: Outcome.Envelope, into outcome: inout ReplicaOutcome) {
        var entries: [Entry] = []
        if case .appendRequest(let request) = envelope.message {
            entries.reserveCapacity(request.entries.count)
            for descriptor in request.entries {
                guard let entry = entry(at: descriptor.position.index, into: &outcome) else {
                    return
                }
                entries.append(entry)
            }
        }
        outcome.send(to: .peer(envelope.to)) { bytes in
            ConsensusFrames.append(envelope.message, entries: entries, to: &bytes)
        }
    }

    /// The entry at `index`, from memory or disk; nil when it cannot be read: it is being repaired,
    /// or everything is opened anew for it, or a failure is set.
    mutating func entry(at index: LogIndex, into outcome: inout ReplicaOutcome) -> Entry? {
        if let entry = cache[index] { return entry }
        if let lastRead, lastRead.header.index == index { return lastRead }
        guard !isUnderRepair(index) else { return nil }
        do {
            let entry =
                if let place = catalogue.place(of: index) {
                    try source.entry(at: place)
                } else {
                    try source.archivedEntry(at: index, in: catalogue.archive)
                }
            lastRead = entry
            bytesReadInTurn += entry.header.byteCount
            return entry
        } catch {
            noteUnreadable(index, error, into: &outcome)
            return nil
        }
    }

    /// The entry with the event, from memory or disk; nil when it cannot be read, as of `entry(at:)`.
    mutating func entry(holding sequence: Sequence, into outcome: inout ReplicaOutcome) -> Entry? {
        if let lastRead, lastRead.header.firstSequence <= sequence,
            sequence < lastRead.header.nextSequence
        {
            return lastRead
        }
        if let index = catalogue.index(holding: sequence) {
            return entry(at: index, into: &outcome)
        }
        guard let place = catalogue.archive.place(holding: sequence) else {
            preconditionFailure("event \(sequence) of the index is not in the log")
        }
        let first = catalogue.archive.segments[place].firstIndex
        guard !isUnderRepair(first) else { return nil }
        do {
            let places = try source.places(of: place, in: catalogue.archive)
            return entry(at: places.index(holding: sequence), into: &outcome)
        } catch {
            noteUnreadable(first, error, into: &outcome)
            return nil
        }
    }

    /// Where the stored record of an event begins in its entry. Goes on from the record that was
    /// looked for last when that is in front of it.
    mutating func offset(of sequence: Sequence, in entry: Entry) throws(EntryDefect) -> Int {
        let header = entry.header
        precondition(
            header.firstSequence <= sequence && sequence < header.nextSequence,
            "event \(sequence) is not in entry \(header.index)")
        let bytes = entry.bytes.span
        var (next, offset) = (header.firstSequence, header.bodyRange.lowerBound)
        if let lastRecord, lastRecord.entry == header.index, lastRecord.sequence <= sequence {
            (next, offset) = (lastRecord.sequence, lastRecord.offset)
        }
        while next < sequence {
            offset += try RecordView.byteCount(
                bytes, at: offset, end: header.bodyRange.upperBound)
            next = next.advanced(by: 1)
        }
        lastRecord = (header.index, sequence, offset)
        return offset
    }

    /// The time of the entry after `previous`: the wall clock's, but always later than the log.
    func timestamp(after previous: EntryHeader?, wall: Timestamp) -> Timestamp {
        guard let previous else { return wall }
        let last = previous.timestamp.advanced(byMicroseconds: max(previous.recordCount - 1, 0))
        return max(last.advanced(byMicroseconds: 1), wall)
    }
}
