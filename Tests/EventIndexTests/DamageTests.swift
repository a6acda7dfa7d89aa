import Records
import SegmentLog
import Simulation
import Testing

@testable import EventIndex

struct DamageTests {
    private let disk = SimulatedDisk()
    private let rows: [RevisionRow]
    private let table: IndexTable

    /// A table of 16 KiB: header, filter and fences in the first two pages, then two blocks.
    init() throws {
        var model = Model(seed: 21, idCount: 40)
        rows = model.append(110, from: 0)
        table = try writeTable(rows, 0..<110, on: disk)
        #expect(table.byteCount == 16_384)
    }

    @Test func `no flipped bit of a table gives a wrong answer`() throws {
        var loads = 0
        var answers = 0
        for bit in 0..<(table.byteCount * 8) {
            disk.flipBit(bit, of: table.file)
            if bit / 8 < table.header.blocksOffset {
                loads +=
                    failure { () throws(IndexFailure) in
                        try IndexTable.load(table.file, disk: disk)
                    }?.file == table.file ? 1 : 0
            } else {
                let block = bit / 8 / BlockLayout.byteCount - 2
                answers +=
                    failure { () throws(IndexFailure) in
                        try table.blocks(block..<(block + 1), disk: disk)
                    } == .damaged(file: table.file, .block(block)) ? 1 : 0
            }
            disk.flipBit(bit, of: table.file)
        }
        #expect(loads == 8_192 * 8)
        #expect(answers == 8_192 * 8)
        #expect(try IndexTable.load(table.file, disk: disk).header == table.header)
    }

    @Test func `a lookup in a damaged block is an error that names the file`() throws {
        disk.flipBit((8_192 + 700) * 8, of: table.file)
        let first = try #require(rows.min { $0.key < $1.key })
        var tables = IndexTables(seed: testSeed)
        _ = tables.adopt(table)
        let failed = failure { () throws(IndexFailure) in
            try tables.newest(of: first.key, disk: disk)
        }
        #expect(failed == .damaged(file: table.file, .block(0)))
        let last = try #require(rows.max { ($0.key, $0.sequence) < ($1.key, $1.sequence) })
        #expect(try tables.newest(of: last.key, disk: disk) == last)
    }

    @Test func `no length but the right one is a table`() throws {
        for byteCount in stride(from: 0, to: table.byteCount + 600, by: 1)
        where byteCount % 97 == 0 || abs(byteCount - table.byteCount) < 3 {
            let copy = SimulatedDisk(copying: disk)
            try copy.resize(table.file, byteCount: byteCount)
            let failed = failure { () throws(IndexFailure) in
                try IndexTable.load(table.file, disk: copy)
            }
            #expect((failed == nil) == (byteCount == table.byteCount), "\(byteCount) bytes")
        }
    }

    @Test func `blocks in each other's place, or of another table, are damage`() throws {
        let bytes = try #require(disk.contents(of: table.file))
        disk.replace(
            table.file, with: Array(bytes[..<8_192] + bytes[12_288...] + bytes[8_192..<12_288]))
        for block in 0..<2 {
            let failed = failure { () throws(IndexFailure) in
                try table.blocks(block..<(block + 1), disk: disk)
            }
            #expect(failed == .damaged(file: table.file, .block(block)))
        }
        let other = try writeTable(rows, 0..<111, on: disk)
        let otherBytes = try #require(disk.contents(of: other.file))
        disk.replace(table.file, with: Array(bytes[..<8_192] + otherBytes[8_192...]))
        let failed = failure { () throws(IndexFailure) in
            try table.blocks(0..<1, disk: disk)
        }
        #expect(failed == .damaged(file: table.file, .block(0)))
    }

    @Test func `a table under another's name is damage`() throws {
        let name = TableName(Sequence(0)..<Sequence(200), rewrite: 0).text
        try disk.rename(table.file, to: name)
        let failed = failure { () throws(IndexFailure) in try IndexTable.load(name, disk: disk) }
        #expect(failed == .damaged(file: name, .name))
    }

    @Test func `a file that cannot be read is damage`() throws {
        disk.unreadableFile = table.file
        let opened = try IndexTables.open(disk: disk, through: Sequence(110), seed: testSeed)
        #expect(opened.missing == [.zero..<Sequence(110)])
        #expect(opened.damaged.map(\.file) == [table.file])
    }
}
