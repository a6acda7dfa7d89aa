import Bytes
package import Records
package import SegmentLog

/// One bit for each sequence from 0 on.
package struct SequenceBits: Equatable, Sendable {
    /// Bit `i` of word `w` stands for sequence 64 `w` + `i`.
    package private(set) var words: [UInt64]
    /// Sequences at and after this one have no bit.
    package let end: Sequence

    package init(end: Sequence) {
        self.end = end
        words = [UInt64](repeating: 0, count: Int((end.value + 63) / 64))
    }

    package subscript(sequence: Sequence) -> Bool {
        precondition(sequence < end, "no bit for sequence \(sequence)")
        return words[Int(sequence.value / 64)] >> (sequence.value % 64) & 1 == 1
    }

    mutating func insert(_ sequence: Sequence) {
        words[Int(sequence.value / 64)] |= 1 << (sequence.value % 64)
    }

    /// How many bits are set.
    package var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
}

/// Finds which events below a cut are superseded: a higher revision of their unique_id is below the
/// cut too. One pass over all tables in the order of keys, in steps; a pure function of the log up
/// to the cut.
package struct SupersededPass {
    private let cut: Sequence
    private var rows: MergedRows
    private var bits: SequenceBits
    /// The newest row so far, below the cut, of the key that the pass is at.
    private var newest: (key: RevisionKey, sequence: Sequence)?

    /// Throws `.incomplete` unless `tables` cover everything below `cut`.
    package init(_ tables: IndexTables, cut: Sequence, disk: some Disk) throws(IndexFailure) {
        guard let missing = tables.missing(through: cut).first else {
            self.cut = cut
            rows = try MergedRows(
                tables.tables.filter { $0.sequences.lowerBound < cut }, disk: disk)
            bits = SequenceBits(end: cut)
            return
        }
        throw .incomplete(missing.lowerBound)
    }

    /// Handles about `byteBudget` bytes of rows; the bits when all are handled.
    package mutating func step(
        byteBudget: Int, disk: some Disk
    ) throws(IndexFailure) -> SequenceBits? {
        var rowsLeft = max(1, byteBudget / RowLayout.byteCount)
        while !rows.isEmpty {
            guard rowsLeft > 0 else { return nil }
            rowsLeft -= 1
            if rows.sequence < cut {
                if let newest, newest.key == rows.key { bits.insert(newest.sequence) }
                newest = (rows.key, rows.sequence)
            }
            try rows.advance(disk: disk)
        }
        return bits
    }
}
