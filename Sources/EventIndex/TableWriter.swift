import BugZoo
import Bytes
import Records
import SegmentLog

// Invariants:
// - rows come in rising order of (key, sequence), at most as many as were announced
// - buffers hold about 1 MiB each, whatever the size of the table
// - the name of a table exists only when all of its bytes are durable

/// Writes one table from rows in order, under a name of its own until it is whole.
struct TableWriter {
    private var header: TableHeader
    private let name: TableName
    private let rowCapacity: Int
    private var filter: RegionWriter
    private var fences: RegionWriter
    private var blocks: RegionWriter
    /// The line that the last 64 bytes of the filter's buffer are.
    private var line = 0
    private var rowsInBlock = 0
    private let tag: UInt32
    private var last: (key: RevisionKey, sequence: Sequence)?

    /// Begins the file.
    init(_ header: TableHeader, rowCapacity: Int, disk: some Disk) throws(DiskError) {
        self.header = header
        self.rowCapacity = rowCapacity
        name = TableName(header.sequences, rewrite: header.rewrite)
        tag = header.tag
        filter = RegionWriter(offset: TableHeader.byteCount)
        filter.buffer = [UInt8](repeating: 0, count: FilterLayout.lineByteCount)
        fences = RegionWriter(offset: header.fencesOffset)
        blocks = RegionWriter(offset: header.blocksOffset)
        if try disk.byteCount(of: newName) != nil { try disk.remove(newName) }
        try disk.create(newName, byteCount: 0)
    }

    private var newName: String { name.text + ".new" }

    /// Appends the row at `offset` of `bytes`. False, and nothing is done, when it does not rise.
    mutating func append(
        _ bytes: Span<UInt8>, at offset: Int, disk: some Disk
    ) throws(DiskError) -> Bool {
        let key = RowLayout.key(bytes, at: offset)
        let sequence = RowLayout.sequence(bytes, at: offset)
        if let last, !RowLayout.precedes(last.key, last.sequence, key, sequence) { return false }
        precondition(header.rowCount < rowCapacity, "more than \(rowCapacity) rows")
        last = (key, sequence)
        if !PlantedBug.filterLies.isPlanted || key.high % 4 != 0 { mark(key) }
        if rowsInBlock == 0 { fences.buffer.append(littleEndian: key.high) }
        blocks.buffer.append(bytes.extracting(offset..<(offset + RowLayout.byteCount)))
        rowsInBlock += 1
        header.rowCount += 1
        if rowsInBlock == BlockLayout.rows {
            closeBlock()
            try flush(from: RegionWriter.flushByteCount, disk: disk)
        }
        return true
    }

    /// Writes what is left, gives the file its name and reads the table back. Durable on return.
    mutating func finish(disk: some Disk) throws(IndexFailure) -> IndexTable {
        do throws(DiskError) {
            try complete(disk)
        } catch {
            throw .disk(error)
        }
        return try IndexTable.load(name.text, disk: disk)
    }

    private mutating func complete(_ disk: some Disk) throws(DiskError) {
        if rowsInBlock > 0 { closeBlock() }
        advance(to: header.lineCount - 1)
        let fencesEnd = header.blocksOffset
        while fences.end < fencesEnd { fences.buffer.append(0) }
        try flush(from: 1, disk: disk)
        try filter.flush(filter.buffer.count, to: newName, disk: disk)
        header.filterChecksum = filter.checksum
        header.fencesChecksum = fences.checksum
        try disk.write([header.encoded], to: newName, at: 0)
        try disk.rename(newName, to: name.text)
    }

    /// Removes the unfinished file.
    func abandon(disk: some Disk) throws(DiskError) { try disk.remove(newName) }

    private mutating func mark(_ key: RevisionKey) {
        advance(to: FilterLayout.line(of: key, count: header.lineCount))
        FilterLayout.insert(
            key, lineAt: filter.buffer.count - FilterLayout.lineByteCount, in: &filter.buffer)
    }

    private mutating func advance(to next: Int) {
        precondition(next >= line, "line \(next) of the filter after \(line)")
        guard next > line else { return }
        filter.buffer.append(
            contentsOf: repeatElement(0, count: (next - line) * FilterLayout.lineByteCount))
        line = next
    }

    private mutating func closeBlock() {
        let start = blocks.buffer.count - rowsInBlock * RowLayout.byteCount
        blocks.buffer.append(
            contentsOf: repeatElement(
                0, count: (BlockLayout.rows - rowsInBlock) * RowLayout.byteCount))
        blocks.buffer.append(littleEndian: UInt32(rowsInBlock))
        blocks.buffer.append(littleEndian: UInt32(header.blockCount))
        blocks.buffer.append(littleEndian: tag)
        let end = blocks.buffer.count
        blocks.buffer.append(
            littleEndian: CRC32C.checksum(blocks.buffer.span.extracting(start..<end)))
        header.blockCount += 1
        rowsInBlock = 0
    }

    /// Writes the buffers that have `byteCount` bytes or more; of the filter all but its last line.
    private mutating func flush(from byteCount: Int, disk: some Disk) throws(DiskError) {
        let lines = filter.buffer.count - FilterLayout.lineByteCount
        if lines >= byteCount { try filter.flush(lines, to: newName, disk: disk) }
        if fences.buffer.count >= byteCount {
            try fences.flush(fences.buffer.count, to: newName, disk: disk)
        }
        if blocks.buffer.count >= byteCount {
            try blocks.flush(blocks.buffer.count, to: newName, disk: disk)
        }
    }
}

/// Bytes that go one after the other into one part of a file.
private struct RegionWriter {
    /// Bytes in one write, at least, but for the last.
    static let flushByteCount = 1_024 * 1_024

    /// Where the buffer's first byte goes.
    private(set) var offset: Int
    var buffer: [UInt8] = []
    /// Of everything that was written.
    private(set) var checksum: UInt32 = 0

    init(offset: Int) { self.offset = offset }

    var end: Int { offset + buffer.count }

    mutating func flush(_ count: Int, to file: String, disk: some Disk) throws(DiskError) {
        let rest = Array(buffer[count...])
        buffer.removeLast(rest.count)
        checksum = CRC32C.checksum(buffer.span, continuing: checksum)
        try disk.write([buffer], to: file, at: offset)
        offset += count
        buffer.removeAll(keepingCapacity: true)
        buffer.append(contentsOf: rest)
    }
}
