import Bytes
package import Records
package import SegmentLog

// Invariants:
// - filter and fences are verified before the value exists; every block is, each time it is read
// - fences never fall; fence n is the upper word of the first key of block n

/// One table of revisions on disk, with what of it is in memory: the filter (2 bytes a row) and
/// the fences (8 bytes for 68 rows). It never changes, so that threads may share it.
package final class IndexTable: Sendable, Equatable {
    package let file: String
    let header: TableHeader
    private let filter: [UInt8]
    private let fences: [UInt8]
    private let tag: UInt32

    private init(file: String, header: TableHeader, filter: [UInt8], fences: [UInt8]) {
        self.file = file
        self.header = header
        self.filter = filter
        self.fences = fences
        tag = header.tag
    }

    /// The events that have their rows here, if anywhere.
    package var sequences: Range<Sequence> { header.sequences }
    package var level: Int { Int(header.level) }
    package var rowCount: Int { header.rowCount }
    package var byteCount: Int { header.fileByteCount }
    package var blockCount: Int { header.blockCount }
    /// Bytes that the table needs in memory.
    package var memoryByteCount: Int { filter.count + fences.count }

    /// Reads and verifies header, filter and fences.
    package static func load(
        _ file: String, disk: some Disk
    ) throws(IndexFailure) -> IndexTable {
        let head = try reading(file) { () throws(DiskError) in
            try disk.read(file, at: 0, count: TableHeader.byteCount)
        }
        guard let header = TableHeader(head.span) else { throw .damaged(file: file, .header) }
        guard let name = TableName(file),
            name == TableName(header.sequences, rewrite: header.rewrite)
        else { throw .damaged(file: file, .name) }
        let size = try reading(file) { () throws(DiskError) in try disk.byteCount(of: file) }
        guard size == header.fileByteCount else {
            throw .damaged(
                file: file, .byteCount(size ?? 0, expected: header.fileByteCount))
        }
        let filter = try reading(file) { () throws(DiskError) in
            try disk.read(file, at: TableHeader.byteCount, count: header.filterByteCount)
        }
        guard filter.count == header.filterByteCount,
            CRC32C.checksum(filter.span) == header.filterChecksum
        else { throw .damaged(file: file, .filter) }
        let fences = try loadFences(file, header, disk)
        return IndexTable(file: file, header: header, filter: filter, fences: fences)
    }

    private static func loadFences(
        _ file: String, _ header: TableHeader, _ disk: some Disk
    ) throws(IndexFailure) -> [UInt8] {
        let region = try reading(file) { () throws(DiskError) in
            try disk.read(
                file, at: header.fencesOffset, count: header.blocksOffset - header.fencesOffset)
        }
        guard region.count == header.blocksOffset - header.fencesOffset,
            CRC32C.checksum(region.span) == header.fencesChecksum
        else { throw .damaged(file: file, .fences) }
        // Not the whole region: behind the fences is padding.
        return region.span.copy(0..<(header.blockCount * 8))
    }

    package static func == (left: IndexTable, right: IndexTable) -> Bool {
        left.header == right.header
    }

    // MARK: Looking up

    /// False when there is surely no row of `key`; true for at most 0.3 % of the keys without one.
    package func mayHold(_ key: RevisionKey) -> Bool {
        let filter = filter
        return FilterLayout.contains(filter.span, key, lineCount: header.lineCount)
    }

    /// Shows the rows of `key`, newest first, to `visit` until it returns false.
    package func visit(
        _ key: RevisionKey, disk: some Disk, _ visit: (RevisionRow) -> Bool
    ) throws(IndexFailure) {
        guard mayHold(key), var number = lastBlock(upTo: key.high) else { return }
        while true {
            let block = try blocks(number..<(number + 1), disk: disk)
            let bytes = block.span
            var row = Self.rowCount(upTo: key, in: bytes)
            while row > 0 {
                row -= 1
                let found = RowLayout.row(bytes, at: row * RowLayout.byteCount)
                guard found.key == key, visit(found) else { return }
            }
            // All rows of the block up to the key are the key's, so the one before may have more.
            guard number > 0 else { return }
            number -= 1
        }
    }

    /// The last block whose first key has an upper word of at most `high`.
    private func lastBlock(upTo high: UInt64) -> Int? {
        let fences = fences
        let bytes = fences.span
        var (lower, upper) = (0, header.blockCount)
        while lower < upper {
            let middle = (lower + upper) / 2
            if bytes.littleEndian(UInt64.self, at: middle * 8) <= high {
                lower = middle + 1
            } else {
                upper = middle
            }
        }
        return lower == 0 ? nil : lower - 1
    }

    /// How many rows of the block are of `key` or of keys before it.
    private static func rowCount(upTo key: RevisionKey, in block: Span<UInt8>) -> Int {
        var lower = 0
        var upper = Int(block.littleEndian(UInt32.self, at: BlockLayout.countOffset))
        while lower < upper {
            let middle = (lower + upper) / 2
            if RowLayout.key(block, at: middle * RowLayout.byteCount) <= key {
                lower = middle + 1
            } else {
                upper = middle
            }
        }
        return lower
    }

    // MARK: Blocks

    /// The bytes of the blocks, verified.
    package func blocks(
        _ numbers: Range<Int>, disk: some Disk
    ) throws(IndexFailure) -> [UInt8] {
        let bytes = try reading(file) { () throws(DiskError) in
            try disk.read(
                file, at: header.blocksOffset + numbers.lowerBound * BlockLayout.byteCount,
                count: numbers.count * BlockLayout.byteCount)
        }
        guard bytes.count == numbers.count * BlockLayout.byteCount else {
            throw .damaged(file: file, .block(numbers.lowerBound))
        }
        for number in numbers {
            let offset = (number - numbers.lowerBound) * BlockLayout.byteCount
            guard BlockLayout.verify(bytes.span, at: offset, number: number, tag: tag) != nil
            else { throw .damaged(file: file, .block(number)) }
        }
        return bytes
    }
}
