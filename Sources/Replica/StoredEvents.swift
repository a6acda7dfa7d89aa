import Bytes
import PeerWire
import Records

// Entries of the archive may have been compacted: where a record was, a stub may be, and what
// follows has moved.

extension Replica {
    /// What to tell of an event of `entry`, from its record or from what a compaction left of it.
    /// `offset`: where the record is, when that is known.
    mutating func receipt(
        _ verdict: Receipt.Verdict, _ revision: Revision, of sequence: Sequence, in entry: Entry,
        at offset: Int?
    ) throws(EntryDefect) -> Receipt {
        let bytes = entry.bytes.span
        let end = entry.header.bodyRange.upperBound
        let ordinal = Int(sequence.value - entry.header.firstSequence.value)
        var receipt = Receipt(verdict: verdict, revision: revision)
        receipt.sequence = sequence
        receipt.recordedAt = entry.header.timestamp.advanced(byMicroseconds: ordinal)
        let place: Int
        if let offset {
            place = offset
        } else {
            place = try self.offset(of: sequence, in: entry)
            let stored = try StoredHead(decoding: bytes, at: place, end: end)
            if stored.resource == .stub || stored.resource == .erased {
                let stub = try RecordStub(decoding: bytes, in: stored.range)
                guard case .compacted(let leafEntry, _, let salt, _, _) = stub else {
                    throw .record(offset: place)
                }
                receipt.salt = Identifier(salt.span, at: 0)
                receipt.leafHash = leaf.hash(entry: leafEntry)
                return receipt
            }
        }
        let record = try RecordView(decoding: bytes, at: place, end: end)
        receipt.salt = Identifier(bytes, at: record.salt.lowerBound)
        receipt.leafHash = leaf.hash(
            of: record, in: bytes, sequence: sequence, recordedAt: receipt.recordedAt)
        return receipt
    }
}
