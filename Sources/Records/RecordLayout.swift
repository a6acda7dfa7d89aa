import Bytes

/// What a record is about.
package enum Resource: UInt8, Sendable {
    /// An audit event as a client posted it.
    case auditEvent = 1
    /// An administrative event: a token created or revoked, an erasure, a compaction.
    case administration = 2
    /// What a compaction leaves of a record.
    case stub = 3
    /// What an erasure leaves of a record.
    case erased = 4
}

/// The offsets of a stored record; docs/reference/record-format.md has the tables.
///
/// A *stored record* is what an entry holds for one event: a fixed part of 72 bytes, then the
/// *canonical record*, which the leaf entry commits to. Lengths and integers are little-endian.
enum RecordLayout {
    static let format: UInt8 = 1

    // The fixed part.
    static let lengthOffset = 0
    static let resourceOffset = 4
    static let startTimeOffset = 8
    static let stopTimeOffset = 16
    static let digestOffset = 24
    static let saltOffset = 56
    static let canonicalOffset = 72

    // Inside the canonical record.
    static let canonicalFormatOffset = 0
    static let canonicalResourceOffset = 1
    static let presenceOffset = 2
    static let revisionOffset = 4
    static let fieldsOffset = 8

    static let presentStopTime: UInt8 = 1
    static let presentNotes: UInt8 = 2
    static let presentUpdatedIn: UInt8 = 4
}

/// Bytes of a salt: 128 random bits for each record, without which its leaf says nothing of it.
package let saltByteCount = 16
