import Bytes
import Records
import SegmentLog

/// The rows of one table, one after the other.
struct RowStream {
    /// Blocks in one read.
    static let blocksPerRead = 64

    let table: IndexTable
    /// Blocks that were read and verified.
    private(set) var buffer: [UInt8] = []
    /// Where the present row is in `buffer`.
    private(set) var offset = 0
    private(set) var key = RevisionKey(high: 0, low: 0)
    private(set) var sequence = Sequence.zero
    private var blockStart = 0
    private var rowsLeft = 0
    private var nextBlock = 0

    init(_ table: IndexTable) { self.table = table }

    /// Goes to the next row, the first at the beginning; false behind the last.
    mutating func advance(disk: some Disk) throws(IndexFailure) -> Bool {
        if rowsLeft > 1 {
            rowsLeft -= 1
            offset += RowLayout.byteCount
        } else {
            guard try enterBlock(disk) else { return false }
        }
        let (key, sequence) = RowLayout.order(buffer.span, at: offset)
        self.key = key
        self.sequence = sequence
        return true
    }

    private mutating func enterBlock(_ disk: some Disk) throws(IndexFailure) -> Bool {
        blockStart += BlockLayout.byteCount
        if blockStart >= buffer.count {
            let end = min(nextBlock + Self.blocksPerRead, table.header.blockCount)
            guard nextBlock < end else { return false }
            buffer = try table.blocks(nextBlock..<end, disk: disk)
            nextBlock = end
            blockStart = 0
        }
        offset = blockStart
        rowsLeft = Int(
            buffer.span.littleEndian(UInt32.self, at: blockStart + BlockLayout.countOffset))
        return true
    }
}

/// The rows of several tables in one order: by key, then by sequence. A heap of the tables' next
/// rows; memory is one read a table.
struct MergedRows {
    private struct Head {
        var key: RevisionKey
        var sequence: Sequence
        let stream: Int

        func precedes(_ other: Head) -> Bool {
            RowLayout.precedes(key, sequence, other.key, other.sequence)
        }
    }

    private var streams: [RowStream]
    /// Each head stands before the heads at twice its place plus 1 and plus 2.
    private var heads: [Head] = []

    init(_ tables: [IndexTable], disk: some Disk) throws(IndexFailure) {
        streams = tables.map { RowStream($0) }
        for place in streams.indices where try streams[place].advance(disk: disk) {
            heads.append(head(of: place))
        }
        for place in heads.indices.reversed() { sift(from: place) }
    }

    var isEmpty: Bool { heads.isEmpty }
    var key: RevisionKey { heads[0].key }
    var sequence: Sequence { heads[0].sequence }

    /// Appends the present row to `writer`.
    func append(to writer: inout TableWriter, disk: some Disk) throws(IndexFailure) {
        let stream = streams[heads[0].stream]
        let buffer = stream.buffer
        let rises = try writing { () throws(DiskError) in
            try writer.append(buffer.span, at: stream.offset, disk: disk)
        }
        guard rises else { throw .damaged(file: stream.table.file, .order) }
    }

    /// Goes to the next row.
    mutating func advance(disk: some Disk) throws(IndexFailure) {
        let stream = heads[0].stream
        if try streams[stream].advance(disk: disk) {
            heads[0] = head(of: stream)
        } else {
            let last = heads.removeLast()
            guard !heads.isEmpty else { return }
            if last.stream != stream { heads[0] = last }
        }
        sift(from: 0)
    }

    private func head(of stream: Int) -> Head {
        Head(key: streams[stream].key, sequence: streams[stream].sequence, stream: stream)
    }

    /// Moves the head at `start` down to where it belongs.
    private mutating func sift(from start: Int) {
        let moved = heads[start]
        var place = start
        while true {
            var least = 2 * place + 1
            guard least < heads.count else { break }
            if least + 1 < heads.count, heads[least + 1].precedes(heads[least]) { least += 1 }
            guard heads[least].precedes(moved) else { break }
            heads[place] = heads[least]
            place = least
        }
        heads[place] = moved
    }
}
