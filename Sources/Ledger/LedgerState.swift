package import Bytes
package import Records

// The state table (docs/reference/segment-format.md): all of the ledger but the index of
// revisions, which has files of its own. The same bytes on every replica.

extension Ledger {
    /// Writes the state after the entry that was applied last.
    package func appendState(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: applied.value)
        bytes.append(littleEndian: nextSequence.value)
        bytes.append(littleEndian: lastTimestamp.microseconds)
        stateTable.append(to: &bytes)
        guard let genesis else { preconditionFailure("a state without its genesis") }
        genesis.append(to: &bytes)
        (origin ?? genesis.clusterID).append(to: &bytes)
        directory.append(to: &bytes)
        answers.append(to: &bytes)
        retention.append(to: &bytes)
        membership.append(to: &bytes)
    }

    /// Goes on from a state that `appendState` wrote. `archive` has tables of all revisions up to
    /// there, or further; `seed` is that of their keys. Without `hasMembers` the state is of a time
    /// when members were those of the genesis.
    package init(
        state cursor: inout ByteCursor, _ bytes: Span<UInt8>, directory format: Directory.Format,
        seed: RevisionKey.Seed, archive: (any ArchivedRevisions)?, hasMembers: Bool = true
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
        if hasMembers { membership = try MemberList(&cursor, bytes) }
    }
}
