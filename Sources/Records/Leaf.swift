package import Bytes
package import Crypto

/// The Merkle leaf of one event: a commitment to it that stays valid when the event is erased.
///
/// Leaf entry, 49 bytes: format (1), sequence (8), recorded_at in microseconds (8), and
/// SHA-256(salt ‖ canonical record) (32). Leaf hash: SHA-256(0x00 ‖ leaf entry), RFC 6962 section 2.1.
package struct Leaf {
    package static let format: UInt8 = 1
    package static let entryByteCount = 49

    private let hash: SHA256
    /// The prefix 0x00 of RFC 6962, then the leaf entry.
    private var prefixed = [UInt8](repeating: 0, count: 1 + Leaf.entryByteCount)

    /// `hash` is used for every leaf.
    package init(hash: SHA256) { self.hash = hash }

    /// The leaf entry of `record`, which is in `bytes`.
    package mutating func entry(
        of record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, recordedAt: Timestamp
    ) -> [UInt8] {
        fill(record, bytes, sequence, recordedAt)
        return Array(prefixed[1...])
    }

    /// Appends the leaf entry of `record`, which is in `bytes`, to `output`.
    package mutating func appendEntry(
        of record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, recordedAt: Timestamp,
        to output: inout [UInt8]
    ) {
        fill(record, bytes, sequence, recordedAt)
        output.append(prefixed.span.extracting(1..<prefixed.count))
    }

    /// The leaf hash of `record`, which is in `bytes`.
    package mutating func hash(
        of record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, recordedAt: Timestamp
    ) -> Digest {
        fill(record, bytes, sequence, recordedAt)
        hash.begin()
        hash.update(prefixed)
        return hash.finishDigest()
    }

    /// The leaf hash of a leaf entry.
    package mutating func hash(entry: [UInt8]) -> Digest {
        precondition(entry.count == Self.entryByteCount, "a leaf of \(entry.count) bytes")
        hash.begin()
        hash.update([0] + entry)
        return hash.finishDigest()
    }

    private mutating func fill(
        _ record: RecordView, _ bytes: Span<UInt8>, _ sequence: Sequence, _ recordedAt: Timestamp
    ) {
        prefixed[1] = Self.format
        prefixed.put(littleEndian: sequence.value, at: 2)
        prefixed.put(littleEndian: recordedAt.microseconds, at: 10)
        hash.begin()
        hash.update(bytes, in: record.salt.lowerBound..<record.canonical.upperBound)
        hash.finish(into: &prefixed, at: 18)
    }
}
