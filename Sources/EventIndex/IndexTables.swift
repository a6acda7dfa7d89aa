import Bytes
package import Records
package import SegmentLog

// Invariants:
// - tables stand by sequence, do not overlap, and share one seed
// - the set answers only while it has no gap from sequence 0 to its end

/// All tables of a node's archive: a value, so that each thread has its own set of shared tables.
package struct IndexTables: Sendable {
    /// Neighbours of one level that a merge joins. A node has at most 7 tables of each level, and
    /// of 10⁹ events no more than six levels.
    package static let fanIn = 8

    package let seed: RevisionKey.Seed
    package private(set) var tables: [IndexTable]
    /// Where the tables without a gap from 0 end.
    package private(set) var nextSequence: Sequence = .zero
    private var hasGap = false

    /// The set of a node that has none.
    package init(seed: RevisionKey.Seed) {
        self.seed = seed
        tables = []
    }

    private init(seed: RevisionKey.Seed, tables: [IndexTable]) {
        self.seed = seed
        self.tables = tables
        measure()
    }

    package var rowCount: Int { tables.reduce(0) { $0 + $1.rowCount } }
    package var byteCount: Int { tables.reduce(0) { $0 + $1.byteCount } }
    /// Bytes that filters and fences need in memory: 2.12 a row.
    package var memoryByteCount: Int { tables.reduce(0) { $0 + $1.memoryByteCount } }

    /// The parts of 0..<`end` without a table.
    package func missing(through end: Sequence) -> [Range<Sequence>] {
        var missing: [Range<Sequence>] = []
        var next = Sequence.zero
        for table in tables where table.sequences.lowerBound < end {
            if next < table.sequences.lowerBound {
                missing.append(next..<table.sequences.lowerBound)
            }
            next = table.sequences.upperBound
        }
        if next < end { missing.append(next..<end) }
        return missing
    }

    // MARK: Looking up

    /// The newest row of `key`; nil when there is none.
    package func newest(
        of key: RevisionKey, disk: some Disk
    ) throws(IndexFailure) -> RevisionRow? {
        var newest: RevisionRow?
        try visit(key, disk: disk) { row in
            newest = row
            return false
        }
        return newest
    }

    /// All rows of `key`, newest first.
    package func rows(of key: RevisionKey, disk: some Disk) throws(IndexFailure) -> [RevisionRow] {
        var rows: [RevisionRow] = []
        try visit(key, disk: disk) { row in
            rows.append(row)
            return true
        }
        return rows
    }

    /// Shows the rows of `key`, newest first, to `visit` until it returns false. A key without rows
    /// costs the filters only.
    package func visit(
        _ key: RevisionKey, disk: some Disk, _ visit: (RevisionRow) -> Bool
    ) throws(IndexFailure) {
        guard !hasGap else { throw .incomplete(nextSequence) }
        var place = tables.count
        var wantsMore = true
        while place > 0, wantsMore {
            place -= 1
            try tables[place].visit(key, disk: disk) { row in
                wantsMore = visit(row)
                return wantsMore
            }
        }
    }

    // MARK: Changing the set

    /// Takes in a table; those it covers leave the set and are returned. Their files are to be
    /// removed (`remove`) once no thread's set has them.
    package mutating func adopt(_ table: IndexTable) -> [IndexTable] {
        precondition(table.header.seed == seed, "\(table.file) has another seed")
        let range = table.sequences
        let covered = tables.filter {
            range.lowerBound <= $0.sequences.lowerBound
                && $0.sequences.upperBound <= range.upperBound
        }
        tables.removeAll { table in covered.contains { $0 === table } }
        let place =
            tables.firstIndex { range.lowerBound < $0.sequences.lowerBound } ?? tables.count
        precondition(
            (place == 0 || tables[place - 1].sequences.upperBound <= range.lowerBound)
                && (place == tables.count
                    || range.upperBound <= tables[place].sequences.lowerBound),
            "\(table.file) overlaps another table")
        tables.insert(table, at: place)
        measure()
        // The same table read again keeps its file.
        return covered.filter { $0.file != table.file }
    }

    /// Takes the damaged table with this file out of the set, which has a gap then.
    package mutating func drop(_ file: String) {
        tables.removeAll { $0.file == file }
        measure()
    }

    /// Removes the files of tables that are not used any more.
    package static func remove(_ tables: [IndexTable], disk: some Disk) throws(DiskError) {
        try disk.remove(tables.map(\.file))
    }

    /// The neighbours to be merged next: eight of one level, or what is left of a level in front
    /// of a higher one, where a rebuilt gap was. Nil when there are none, or there is a gap.
    package func nextMerge() -> [IndexTable]? {
        guard !hasGap else { return nil }
        var start = 0
        while start < tables.count {
            let level = tables[start].level
            var end = start + 1
            while end < tables.count, end - start < Self.fanIn, tables[end].level == level {
                end += 1
            }
            let isEnclosed = end < tables.count && tables[end].level > level
            if end - start == Self.fanIn || (isEnclosed && end - start > 1) {
                return Array(tables[start..<end])
            }
            start = end
        }
        return nil
    }

    /// The tables that may have rows of one of `keys`, and are to be rewritten to leave them out.
    package func holding(_ keys: [RevisionKey]) -> [IndexTable] {
        tables.filter { table in keys.contains { table.mayHold($0) } }
    }

    private mutating func measure() {
        nextSequence = .zero
        hasGap = false
        for table in tables {
            guard table.sequences.lowerBound == nextSequence else {
                hasGap = true
                return
            }
            nextSequence = table.sequences.upperBound
        }
    }
}

// MARK: Opening

extension IndexTables {
    /// What a directory held.
    package struct Opened: Sendable {
        package let tables: IndexTables
        /// Parts without a sound table, to be rebuilt from their segments.
        package let missing: [Range<Sequence>]
        /// What was wrong with the tables that were removed.
        package let damaged: [IndexFailure]
    }

    /// Chooses the tables that cover 0..<`end`, the widest first, and removes the others: those
    /// that a merge replaced, those beyond `end`, damaged ones and unfinished ones. `seed` is for
    /// a directory without sound tables; otherwise it is theirs.
    package static func open(
        disk: some Disk, through end: Sequence, seed: RevisionKey.Seed
    ) throws(DiskError) -> Opened {
        var candidates: [TableName] = []
        for name in try disk.list() {
            if name.hasSuffix(TableName.newSuffix) {
                try disk.remove(name)
            } else if let table = TableName(name) {
                candidates.append(table)
            }
        }
        candidates.sort(by: isTriedBefore)
        var chosen: [IndexTable] = []
        var damaged: [IndexFailure] = []
        // Of this range and rewrite a table was damaged: an earlier rewrite has rows too many.
        var spoiled: TableName?
        for candidate in candidates {
            let begin = chosen.last?.sequences.upperBound ?? .zero
            guard candidate.sequences.lowerBound >= begin, candidate.sequences.upperBound <= end,
                candidate.sequences != spoiled?.sequences
            else {
                try disk.remove(candidate.text)
                continue
            }
            do throws(IndexFailure) {
                let table = try IndexTable.load(candidate.text, disk: disk)
                guard chosen.isEmpty || chosen[0].header.seed == table.header.seed else {
                    throw .damaged(file: candidate.text, .seed)
                }
                chosen.append(table)
            } catch {
                damaged.append(error)
                spoiled = candidate
                try disk.remove(candidate.text)
            }
        }
        let tables = IndexTables(seed: chosen.first?.header.seed ?? seed, tables: chosen)
        return Opened(tables: tables, missing: tables.missing(through: end), damaged: damaged)
    }

    /// The order of trying: by first sequence, wider before narrower, later rewrites first.
    private static func isTriedBefore(_ left: TableName, _ right: TableName) -> Bool {
        let (first, second) = (left.sequences, right.sequences)
        if first.lowerBound != second.lowerBound { return first.lowerBound < second.lowerBound }
        if first.upperBound != second.upperBound { return first.upperBound > second.upperBound }
        return left.rewrite > right.rewrite
    }
}
