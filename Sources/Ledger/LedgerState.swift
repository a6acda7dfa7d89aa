package import Bytes
package import Records

// The state table (docs/reference/segment-format.md): all of the ledger but the index of
// revisions, which has files of its own. The same bytes on every replica.

/// How a state is written. Older ones are read and never written.
package enum StateFormat: UInt32, Comparable, Sendable {
    /// A directory of tokens alone.
    case tokens = 1
    /// Members are those of the genesis.
    case people = 2
    /// No mail.
    case members = 3
    case mail = 4

    package static let current = StateFormat.mail

    package static func < (left: StateFormat, right: StateFormat) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension Ledger {
    /// Writes the state after the entry that was applied last; in an older form for tests alone.
    package func appendState(to bytes: inout [UInt8], format: StateFormat = .current) {
        bytes.append(littleEndian: applied.value)
        bytes.append(littleEndian: nextSequence.value)
        bytes.append(littleEndian: lastTimestamp.microseconds)
        stateTable.append(to: &bytes)
        guard let genesis else { preconditionFailure("a state without its genesis") }
        genesis.append(to: &bytes)
        (origin ?? genesis.clusterID).append(to: &bytes)
        directory.append(to: &bytes, format: format)
        answers.append(to: &bytes)
        retention.append(to: &bytes)
        if format >= .members { membership.append(to: &bytes) }
        if format >= .mail { alerts.append(to: &bytes) }
    }

    /// Goes on from a state that `appendState` wrote, or wrote once. `archive` has tables of all
    /// revisions up to there, or further; `seed` is that of their keys.
    package init(
        state cursor: inout ByteCursor, _ bytes: Span<UInt8>, format: StateFormat = .current,
        seed: RevisionKey.Seed, archive: (any ArchivedRevisions)?
    ) throws(ByteDefect) {
        self.init(seed: seed, archive: archive)
        applied = LogIndex(try cursor.integer(bytes))
        nextSequence = Sequence(try cursor.integer(bytes))
        index = RevisionIndex(seed: seed, archive: archive, first: nextSequence)
        lastTimestamp = Timestamp(microseconds: try cursor.integer(bytes))
        stateTable = try Digest(&cursor, bytes)
        let genesis = try Genesis(&cursor, bytes)
        begin(
            genesis,
            origin: Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound))
        directory = try Directory(&cursor, bytes, format: format)
        answers = try CommandAnswers(&cursor, bytes)
        retention = try Retention(&cursor, bytes)
        if format >= .members { membership = try MemberList(&cursor, bytes) }
        if format >= .mail { alerts = try Alerts(&cursor, bytes) }
    }
}
