import Bytes
package import Crypto

/// The Merkle leaf of one event: a commitment to it that stays valid when the event is erased.
///
/// Leaf entry, 49 bytes: format (1), sequence (8), recorded_at in microseconds (8), and
/// SHA-256(salt ‖ canonical record) (32). Leaf hash: SHA-256(0x00 ‖ leaf entry), RFC 6962 section 2.1.
package enum Leaf {
    package static let format: UInt8 = 1
    package static let entryByteCount = 49

    /// Writes the leaf entry of `record`, which is in `bytes`, over `entry` (49 bytes).
    package static func makeEntry(
        of record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, recordedAt: Timestamp,
        hash: SHA256, into entry: inout [UInt8]
    ) {
        entry[0] = format
        entry.put(littleEndian: sequence.value, at: 1)
        entry.put(littleEndian: recordedAt.microseconds, at: 9)
        hash.begin()
        hash.update(bytes, in: record.salt.lowerBound..<record.canonical.upperBound)
        hash.finish(into: &entry, at: 17)
    }

    /// The leaf hash of `record`, which is in `bytes`: 32 bytes.
    package static func hash(
        of record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, recordedAt: Timestamp,
        hash: SHA256
    ) -> [UInt8] {
        var entry = [UInt8](repeating: 0, count: entryByteCount)
        makeEntry(
            of: record, in: bytes, sequence: sequence, recordedAt: recordedAt, hash: hash,
            into: &entry)
        hash.begin()
        hash.update(leafPrefix)
        hash.update(entry)
        return hash.finish()
    }

    private static let leafPrefix: [UInt8] = [0x00]
}
