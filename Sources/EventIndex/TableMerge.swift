package import Records
package import SegmentLog

/// Several adjacent tables made into one, or one written again without some rows, in steps.
///
/// Nothing changes for a reader until the last step; then the caller adopts the new table and,
/// when nobody uses them any more, removes the inputs. Memory: 256 KiB an input, 3 MiB for the
/// output, whatever the size.
package struct TableMerge {
    package let inputs: [IndexTable]
    private var rows: MergedRows
    private var writer: TableWriter
    /// Rising; those before the present row's key are dropped as the merge goes on.
    private var leftOut: ArraySlice<RevisionKey>
    /// Rows of these events are dropped; rising.
    private let dropped: [Sequence]

    /// Joins `tables`, which follow each other without gaps, into one of a higher level.
    package init(joining tables: [IndexTable], disk: some Disk) throws(IndexFailure) {
        let level = tables.map(\.header.level).max() ?? 0
        try self.init(tables, level: level + 1, rewrite: 0, leavingOut: [], disk: disk)
    }

    /// Writes `table` again without the rows of `keys`.
    package init(
        rewriting table: IndexTable, leavingOut keys: [RevisionKey], disk: some Disk
    ) throws(IndexFailure) {
        try self.init(
            [table], level: table.header.level, rewrite: table.header.rewrite + 1,
            leavingOut: keys, disk: disk)
    }

    /// Writes `table` again without the rows of the events `sequences`, which rise.
    package init(
        rewriting table: IndexTable, leavingOutEvents sequences: [Sequence], disk: some Disk
    ) throws(IndexFailure) {
        try self.init(
            [table], level: table.header.level, rewrite: table.header.rewrite + 1,
            leavingOut: [], dropping: sequences, disk: disk)
    }

    private init(
        _ tables: [IndexTable], level: UInt32, rewrite: UInt32, leavingOut keys: [RevisionKey],
        dropping sequences: [Sequence] = [], disk: some Disk
    ) throws(IndexFailure) {
        guard let first = tables.first, let last = tables.last else {
            preconditionFailure("a merge of nothing")
        }
        for (left, right) in zip(tables, tables.dropFirst()) {
            precondition(
                left.sequences.upperBound == right.sequences.lowerBound,
                "\(left.file) and \(right.file) are no neighbours")
        }
        inputs = tables
        leftOut = keys.sorted()[...]
        dropped = sequences
        let capacity = tables.reduce(0) { $0 + $1.rowCount }
        let header = TableHeader(
            sequences: first.sequences.lowerBound..<last.sequences.upperBound, level: level,
            rewrite: rewrite, seed: first.header.seed, rowCapacity: capacity)
        rows = try MergedRows(tables, disk: disk)
        writer = try writing { () throws(DiskError) in
            try TableWriter(header, rowCapacity: capacity, disk: disk)
        }
    }

    /// Handles about `byteBudget` bytes of rows; the new table when it is whole and durable.
    package mutating func step(
        byteBudget: Int, disk: some Disk
    ) throws(IndexFailure) -> IndexTable? {
        var rowsLeft = max(1, byteBudget / RowLayout.byteCount)
        while !rows.isEmpty {
            guard rowsLeft > 0 else { return nil }
            rowsLeft -= 1
            if !isLeftOut(rows.key), !isDropped(rows.sequence) {
                try rows.append(to: &writer, disk: disk)
            }
            try rows.advance(disk: disk)
        }
        return try writer.finish(disk: disk)
    }

    /// Removes what was written so far, when the merge is not to be finished.
    package func abandon(disk: some Disk) throws(DiskError) { try writer.abandon(disk: disk) }

    private func isDropped(_ sequence: Sequence) -> Bool {
        var low = 0
        var high = dropped.count
        while low < high {
            let middle = (low + high) / 2
            if dropped[middle] < sequence { low = middle + 1 } else { high = middle }
        }
        return low < dropped.count && dropped[low] == sequence
    }

    private mutating func isLeftOut(_ key: RevisionKey) -> Bool {
        while let first = leftOut.first, first < key { leftOut.removeFirst() }
        return leftOut.first == key
    }
}
