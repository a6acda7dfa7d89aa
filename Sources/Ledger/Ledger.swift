import BugZoo
package import Bytes
package import Records

// Invariants:
// - everything here but the index's overlay is a function of the applied entries alone
// - applied entries follow each other without gaps
// - the overlay holds what this leader proposed and is not yet applied, in log order

/// A change of the directory, as those who follow it carry it out too.
package struct AppliedChange: Equatable, Sendable {
    /// Of the directory after it.
    package let version: UInt64
    package let time: Timestamp
    package let change: DirectoryCommand.Change

    package init(version: UInt64, time: Timestamp, change: DirectoryCommand.Change) {
        self.version = version
        self.time = time
        self.change = change
    }
}

/// What the log means: revisions and duplicates, the directory, answers to commands.
package struct Ledger {
    /// Why an entry cannot be what the log says; the node stops.
    package enum Defect: Error, Equatable, Sendable {
        case gap(applied: LogIndex, entry: LogIndex)
        case sequence(LogIndex, expected: Sequence, found: Sequence)
        case revision(Sequence, expected: Revision, found: Revision)
        case overlay(Sequence)
        case malformed(LogIndex, offset: Int)
        case unknownKind(LogIndex, EntryKind)
        /// The index cannot be read.
        case index(IndexDamage)
        /// The leader's table at the SEAL before this one says something else than ours.
        case stateTable(LogIndex, expected: Digest, found: Digest)
    }

    /// What the leader decides about one event before it proposes it.
    package enum Verdict: Equatable, Sendable {
        case append(Revision)
        case duplicate(IndexedRevision)
        /// `expected_revision` does not hold; this is the current one.
        case conflict(current: Revision)
    }

    package internal(set) var index: RevisionIndex
    package internal(set) var directory = Directory()
    /// Of the directory, since they were taken last; no part of the state.
    private var changes: [AppliedChange] = []
    package internal(set) var answers = CommandAnswers()
    var alerts = Alerts()
    package private(set) var genesis: Genesis?
    /// The cluster that the first entry of the log names: another one where a backup was restored.
    package private(set) var origin: Identifier?
    package internal(set) var retention = Retention()
    /// All members; empty before the genesis.
    package internal(set) var membership = MemberList()
    /// Makes the marks of unique_ids; there when the genesis is.
    private(set) var marks: ClosedMark?
    package internal(set) var applied: LogIndex = .zero
    package internal(set) var nextSequence: Sequence = .zero
    package internal(set) var lastTimestamp: Timestamp = .absent
    /// Of the state table that was written at the SEAL applied last; zeros before the first.
    package internal(set) var stateTable = Digest.zero

    /// `seed` is that of the revision index; `archive` has the rows that are not in memory.
    package init(seed: RevisionKey.Seed, archive: (any ArchivedRevisions)? = nil) {
        index = RevisionIndex(seed: seed, archive: archive)
    }

    // MARK: Deciding, as the leader

    /// Judges the event `record` (in `bytes`) against applied state and the overlay.
    package func judge(
        _ record: RecordView, in bytes: Span<UInt8>, expected: Revision?
    ) throws(IndexDamage) -> Verdict {
        let digest = Digest(bytes, at: record.digest.lowerBound)
        var newest: IndexedRevision?
        var equal: IndexedRevision?
        let withOverlay = !PlantedBug.revisionIgnoresProposed.isPlanted
        try index.visit(index.key(bytes, record.uniqueID), withOverlay: withOverlay) { found in
            if newest == nil { newest = found }
            if found.row.digest == digest { equal = found }
            return equal == nil
        }
        guard let newest else {
            return (expected ?? .zero) == .zero ? .append(Revision(1)) : .conflict(current: .zero)
        }
        let current = newest.revision
        if let equal {
            let wantsToGoBack = equal.sequence != newest.sequence && expected == current
            return wantsToGoBack ? .append(current.next) : .duplicate(equal)
        }
        return expected == nil || expected == current
            ? .append(current.next) : .conflict(current: current)
    }

    /// Takes an event that was judged `.append(revision)` into the overlay.
    @discardableResult
    package mutating func propose(
        _ record: RecordView, in bytes: Span<UInt8>, recordOffset: Int, entry: LogIndex,
        sequence: Sequence, revision: Revision
    ) -> IndexedRevision {
        let row = RevisionRow(
            key: index.key(bytes, record.uniqueID), sequence: sequence, revision: revision,
            digest: Digest(bytes, at: record.digest.lowerBound))
        let place = RecordPlace(entry: entry, offset: recordOffset)
        index.append(row, at: place)
        return IndexedRevision(row: row, place: place)
    }

    /// Notes that a SEAL was proposed in front of the event with `sequence`.
    package mutating func proposeSeal(before sequence: Sequence) {
        index.beginPiece(at: sequence)
    }

    /// Forgets what was proposed and not applied: leadership is lost.
    package mutating func dropOverlay() {
        if PlantedBug.overlayOutlivesLeadership.isPlanted { return }
        index.dropOverlay(from: nextSequence)
    }

    /// Forgets the revisions of events before `sequence`: the archive has tables of them.
    package mutating func releaseIndex(through sequence: Sequence) {
        precondition(sequence <= nextSequence, "event \(sequence) is not applied")
        index.release(through: sequence)
    }

    // MARK: Applying, on every replica

    /// Applies the committed `entry`, which follows the one applied last.
    package mutating func apply(_ entry: Entry) throws(Defect) {
        let header = entry.header
        guard header.index == applied.next else {
            throw .gap(applied: applied, entry: header.index)
        }
        guard header.firstSequence == nextSequence else {
            throw .sequence(header.index, expected: nextSequence, found: header.firstSequence)
        }
        passAlerts(to: header.timestamp)
        switch header.kind {
        case .genesis: try applyGenesis(entry)
        case .events: try applyEvents(entry)
        case .directory: try applyDirectory(entry)
        case .noOperation: break
        case .seal:
            try checkSeal(entry)
            index.beginPiece(at: nextSequence)
            retention.sealed(header)
        case .compact, .compactDone, .compactAbandoned, .collect: try applyCompaction(entry)
        case .erase: try applyErasure(entry)
        case .membership: try applyMembership(entry)
        case .checkpoint, .upgrade:
            throw .unknownKind(header.index, header.kind)
        }
        applied = header.index
        nextSequence = header.nextSequence
        lastTimestamp = header.timestamp.advanced(byMicroseconds: max(header.recordCount - 1, 0))
    }

    /// Whose log it is. Not by observers: those do not run while a state is read.
    mutating func begin(_ genesis: Genesis, origin: Identifier) {
        self.genesis = genesis
        self.origin = origin
        marks = ClosedMark(genesis: origin)
        membership = MemberList(founding: genesis)
    }

    private mutating func applyGenesis(_ entry: Entry) throws(Defect) {
        guard let genesis = try? Genesis(entry) else {
            throw .malformed(entry.header.index, offset: EntryHeader.encodedSize)
        }
        begin(genesis, origin: genesis.clusterID)
        directory.insert(genesis.administrator)
    }

    private mutating func applyEvents(_ entry: Entry) throws(Defect) {
        let bytes = entry.bytes.span
        let header = entry.header
        var offset = header.bodyRange.lowerBound
        for ordinal in 0..<header.recordCount {
            let record = try view(entry, at: offset)
            let sequence = header.firstSequence.advanced(by: ordinal)
            let place = RecordPlace(entry: header.index, offset: offset)
            if let proposed = index.oldestOverlay {
                guard proposed.sequence == sequence, proposed.place == place,
                    proposed.revision == record.revision
                else { throw .overlay(sequence) }
            } else {
                try append(record, in: bytes, sequence, at: place)
            }
            index.commitOldest()
            if hasAlerts {
                let time = header.timestamp.advanced(byMicroseconds: ordinal)
                judgeAlerts(record, in: entry, sequence: sequence, at: time)
            }
            offset = record.range.upperBound
        }
        guard offset == header.bodyRange.upperBound else {
            throw .malformed(header.index, offset: offset)
        }
    }

    /// Takes an event of another leader into the index, when its revision is what ours says.
    private mutating func append(
        _ record: RecordView, in bytes: Span<UInt8>, _ sequence: Sequence, at place: RecordPlace
    ) throws(Defect) {
        let key = index.key(bytes, record.uniqueID)
        let newest: IndexedRevision?
        do { newest = try index.newest(of: key, withOverlay: false) } catch { throw .index(error) }
        let expected = newest?.revision.next ?? Revision(1)
        guard record.revision == expected else {
            throw .revision(sequence, expected: expected, found: record.revision)
        }
        let row = RevisionRow(
            key: key, sequence: sequence, revision: record.revision,
            digest: Digest(bytes, at: record.digest.lowerBound))
        index.append(row, at: place)
    }

    private mutating func applyDirectory(_ entry: Entry) throws(Defect) {
        let header = entry.header
        // Bookkeeping has no administrative event.
        let start =
            header.recordCount == 0
            ? header.bodyRange.lowerBound
            : try view(entry, at: header.bodyRange.lowerBound).range.upperBound
        var cursor = ByteCursor(start..<header.bodyRange.upperBound)
        guard header.recordCount <= 1,
            let command = try? DirectoryCommand(&cursor, entry.bytes.span), cursor.remaining == 0,
            command.isBookkeeping == (header.recordCount == 0), !command.change.isDerived
        else { throw .malformed(header.index, offset: start) }
        switch command.change {
        case .compact, .addHold, .removeHold: return applyRetention(command, at: header)
        case .erase: throw .malformed(header.index, offset: start)
        case .createToken, .revokeToken, .directory: break
        }
        guard directory.apply(command.change, at: header.timestamp) else {
            throw .malformed(header.index, offset: start)
        }
        changes.append(
            AppliedChange(
                version: directory.version, time: header.timestamp, change: command.change))
        if case .directory(.mail(.rules)) = command.change { alerts.keep(directory.mail.rules) }
        guard let answer = CommandAnswer(to: command.change) else { return }
        answers.remember(command.request, answer, at: header.index)
    }

    /// Carries out what follows from an entry stamped `time` for mail.
    mutating func derive(_ followers: [MailChange], at time: Timestamp) {
        for follower in followers {
            let change = DirectoryCommand.Change.directory(.mail(follower))
            guard directory.apply(change, at: time) else {
                preconditionFailure("\(follower) does not follow")
            }
            changes.append(
                AppliedChange(version: directory.version, time: time, change: change))
        }
    }

    /// The changes of the directory since this was asked last: what its followers need.
    package mutating func takeChanges() -> [AppliedChange] {
        defer { changes.removeAll() }
        return changes
    }

    private mutating func checkSeal(_ entry: Entry) throws(Defect) {
        let header = entry.header
        var cursor = ByteCursor(header.bodyRange)
        guard
            let payload = try? ControlPayload(.seal, &cursor, entry.bytes.span),
            case .seal(let seal) = payload
        else { throw .malformed(header.index, offset: cursor.offset) }
        guard let seal else { return }
        // Zeros say nothing: the leader had not applied the SEAL before this one.
        guard seal.stateTable == .zero || seal.stateTable == stateTable else {
            throw .stateTable(header.index, expected: stateTable, found: seal.stateTable)
        }
        membership.note(seal)
    }

    /// Takes note of the table that was written after the SEAL applied last.
    package mutating func wroteStateTable(_ digest: Digest) { stateTable = digest }

    func view(_ entry: Entry, at offset: Int) throws(Defect) -> RecordView {
        do {
            return try RecordView(
                decoding: entry.bytes.span, at: offset, end: entry.header.bodyRange.upperBound)
        } catch {
            throw .malformed(entry.header.index, offset: offset)
        }
    }
}
