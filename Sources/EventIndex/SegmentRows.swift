import Bytes
package import Records
package import SegmentLog

/// Gathers the rows of one segment, in log order, and writes them as a table of level 0.
///
/// Memory: 64 bytes a row until `write` returns.
package struct SegmentRows {
    private let seed: RevisionKey.Seed
    private let part: Range<Sequence>
    private var rows: [RevisionRow] = []

    /// Takes only events in `part`, all unless it is given.
    package init(
        seed: RevisionKey.Seed, within part: Range<Sequence> = .zero..<Sequence(.max)
    ) {
        self.seed = seed
        self.part = part
    }

    package var count: Int { rows.count }

    /// Takes a record as it was stored. Only audit events have a row.
    package mutating func append(
        _ record: RecordView, in bytes: Span<UInt8>, sequence: Sequence
    ) {
        guard record.resource == .auditEvent else { return }
        append(
            RevisionRow(
                key: RevisionKey(bytes, record.uniqueID, seed: seed), sequence: sequence,
                revision: record.revision, digest: Digest(bytes, at: record.digest.lowerBound)))
    }

    /// Takes what a compaction left of a record. What an erasure left has no row.
    package mutating func append(_ stub: RecordStub) {
        guard case .compacted(_, let digest, _, let revision, let uniqueID) = stub else { return }
        append(
            RevisionRow(
                key: RevisionKey(uniqueID.span, 0..<uniqueID.count, seed: seed),
                sequence: stub.sequence, revision: revision, digest: digest))
    }

    /// Takes a row that is already known, in log order like the others.
    package mutating func append(_ row: RevisionRow) {
        guard part.contains(row.sequence) else { return }
        precondition(
            rows.last.map { $0.sequence < row.sequence } ?? true,
            "sequence \(row.sequence) again")
        rows.append(row)
    }

    /// Takes all records and stubs of a verified entry, which stands at `start` of `bytes`.
    package mutating func append(
        recordsOf header: EntryHeader, in bytes: Span<UInt8>, at start: Int
    ) throws(EntryDefect) {
        var sequence = header.firstSequence
        var walk = StoredRecords(header, at: start)
        while let stored = try walk.next(bytes) {
            switch stored {
            case .record(let record): append(record, in: bytes, sequence: sequence)
            case .stub(let stub): append(stub)
            }
            sequence = sequence.advanced(by: 1)
        }
    }

    /// Writes the table of the segment that holds `sequences`, which are not none. Durable on
    /// return.
    package consuming func write(
        sequences: Range<Sequence>, disk: some Disk
    ) throws(IndexFailure) -> IndexTable {
        precondition(
            rows.allSatisfy { sequences.contains($0.sequence) },
            "rows outside of \(sequences.lowerBound)..<\(sequences.upperBound)")
        var rows = rows
        rows.sort { RowLayout.precedes($0.key, $0.sequence, $1.key, $1.sequence) }
        let header = TableHeader(
            sequences: sequences, level: 0, rewrite: 0, seed: seed, rowCapacity: rows.count)
        var writer = try writing { () throws(DiskError) in
            try TableWriter(header, rowCapacity: rows.count, disk: disk)
        }
        var bytes: [UInt8] = []
        for row in rows {
            bytes.removeAll(keepingCapacity: true)
            RowLayout.append(row, to: &bytes)
            let rises = try writing { () throws(DiskError) in
                try writer.append(bytes.span, at: 0, disk: disk)
            }
            precondition(rises, "two rows of sequence \(row.sequence)")
        }
        return try writer.finish(disk: disk)
    }
}
