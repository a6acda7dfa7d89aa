package import Records

/// What is wrong with the bytes of a log's directory.
package enum LogDefect: Error, Equatable, Sendable {
    /// The file is not there.
    case missing
    /// A file's name ends like a segment's and is none.
    case name
    case header(SegmentHeaderDefect)
    case entry(EntryDefect)
    /// A sound entry that does not continue the one before it.
    case discontinuity(found: LogPosition, after: LogPosition)
    /// A sound entry, but not the one that the catalogue has at this place.
    case mismatch(found: LogPosition, expected: LogPosition)
    /// A later segment exists, and this one does not end with a SEAL.
    case unsealed
    /// Not the bytes that the manifest names.
    case digest
    /// Bytes behind a SEAL.
    case bytesAfterSeal
    /// The identity file is not what `initialize` wrote.
    case identity
    /// No copy of term and vote is readable.
    case vote
    /// Neither copy of the manifest is whole, and it cannot be made from the segments alone.
    case manifest
    /// There is no manifest, but a segment that was compacted.
    case missingManifest(besides: String)
    /// No state table is whole, and history that it covers was compacted.
    case missingState(besides: String)
    /// A table of the index is damaged. It is removed, and the next start makes it again.
    case indexTable
    /// The log holds entries of a later term than the stored one: the vote is from the past.
    case voteBehindLog(stored: Term, log: Term)
    /// No persist record is readable.
    case persist
    /// Neither this place nor the persist record that would tell what it is can be read.
    case unjudgeable
    /// A persist record, or a later segment, names another entry than the good one in the log.
    case contradicted(by: LogPosition)
}

/// Why a log cannot be opened. Nothing was changed on the disk when it is not `.disk`.
package enum RecoveryFailure: Error, Equatable, Sendable {
    case disk(DiskError)
    /// The directory has no identity: `initialize` never finished here, or it is the wrong one.
    case notInitialized
    /// The directory belongs to another cluster.
    case foreign(expected: Identifier, found: Identifier)
    /// Something that was durable is damaged or missing; never skipped, never cut.
    case corrupt(file: String, offset: Int, defect: LogDefect)
    /// Entries that were durable are damaged, and other nodes may have them.
    case faulty(FaultyTail)
}

/// Why an entry cannot be read.
package enum ReadFailure: Error, Equatable, Sendable {
    case disk(DiskError)
    case corrupt(file: String, offset: Int, defect: LogDefect)
}

/// Runs `operation` and says `.disk` for what it throws.
func recovering<Value>(
    _ operation: () throws(DiskError) -> Value
) throws(RecoveryFailure) -> Value {
    do { return try operation() } catch { throw .disk(error) }
}
