import Bytes
import Records
import SegmentLog
import Simulation
import Testing

@testable import EventIndex

struct TableTests {
    @Test func `a table answers for each of its ids and for no other`() throws {
        let disk = SimulatedDisk()
        var model = Model(seed: 1, idCount: 700)
        let rows = model.append(2_000, from: 100)
        let written = try writeTable(rows, 100..<2_100, on: disk)
        #expect(written.file == "00000000000000000100-00000000000000002100.index")
        #expect(written.rowCount == rows.count)
        let table = try IndexTable.load(written.file, disk: disk)
        #expect(table.header == written.header)
        for number in 0..<900 {
            let key = testKey("id-\(number)")
            var found: [RevisionRow] = []
            try table.visit(key, disk: disk) { row in
                found.append(row)
                return true
            }
            #expect(found == (model.byKey[key] ?? []).reversed())
        }
        #expect(disk.contents(of: written.file)?.count == table.byteCount)
        #expect(try disk.list() == [written.file])
    }

    @Test func `a table of events without rows has none and is whole`() throws {
        let disk = SimulatedDisk()
        let table = try writeTable([], 5..<9, on: disk)
        #expect(table.rowCount == 0 && table.blockCount == 0)
        #expect(!table.mayHold(testKey("a")))
        let opened = try IndexTables.open(disk: disk, through: Sequence(9), seed: testSeed)
        #expect(opened.missing == [.zero..<Sequence(5)])
        #expect(opened.tables.tables.count == 1)
    }

    @Test func `one id may have the rows of many blocks`() throws {
        let disk = SimulatedDisk()
        var random = RandomSource(seed: 3)
        let ids = ["before", "many", "after", "more"]
        let rows = (0..<1_000).map { number in
            let id = number % 50 == 0 ? ids[number / 50 % 4] : "many"
            return RevisionRow(
                key: testKey(id), sequence: Sequence(UInt64(number)),
                revision: Revision(UInt32(number + 1)), digest: testDigest(&random))
        }
        let table = try writeTable(rows, 0..<1_000, on: disk)
        for id in ids {
            let expected = rows.filter { $0.key == testKey(id) }
            var found: [RevisionRow] = []
            try table.visit(testKey(id), disk: disk) { row in
                found.append(row)
                return true
            }
            #expect(found == expected.reversed())
            var count = 0
            try table.visit(testKey(id), disk: disk) { _ in
                count += 1
                return count < 2
            }
            #expect(count == 2, "stops when it was told to")
        }
    }

    @Test func `keys that share their upper word are told apart, over blocks too`() throws {
        let disk = SimulatedDisk()
        var random = RandomSource(seed: 4)
        var rows: [RevisionRow] = []
        for number in 0..<600 {
            let key = RevisionKey(
                high: UInt64(number % 3) << 62, low: UInt64(random.below(40)) << 40)
            rows.append(
                RevisionRow(
                    key: key, sequence: Sequence(UInt64(number)), revision: Revision(1),
                    digest: testDigest(&random)))
        }
        let table = try writeTable(rows, 0..<600, on: disk)
        #expect(table.blockCount > 6)
        for high in UInt64(0)..<4 {
            for low in UInt64(0)..<41 {
                let key = RevisionKey(high: high << 62, low: low << 40)
                var found: [RevisionRow] = []
                try table.visit(key, disk: disk) { row in
                    found.append(row)
                    return true
                }
                #expect(found == rows.filter { $0.key == key }.reversed())
            }
        }
    }

    @Test func `a segment's entries give their audit events, and stubs of them, a row`() throws {
        let disk = SimulatedDisk()
        let segment = try TestSegment()
        var rows = SegmentRows(seed: testSeed)
        for entry in segment.entries {
            let bytes = [1, 2, 3] + entry.bytes
            try rows.append(recordsOf: entry.header, in: bytes.span, at: 3)
        }
        let table = try rows.write(sequences: segment.sequences, disk: disk)
        #expect(table.rowCount == segment.rows.count)
        for row in segment.rows {
            var found: [RevisionRow] = []
            try table.visit(row.key, disk: disk) { row in
                found.append(row)
                return true
            }
            #expect(found == [row])
        }
    }

    @Test func `the bytes of format 1`() throws {
        let disk = SimulatedDisk()
        let digest = Digest(Array(UInt8(0)..<32))
        let rows = (UInt64(1)...2).map {
            RevisionRow(
                key: RevisionKey(high: $0 << 60, low: 0x1122_3344_5566_7788),
                sequence: Sequence(6 + $0), revision: Revision(UInt32($0)), digest: digest)
        }
        let table = try writeTable(rows, 7..<10, on: disk)
        let bytes = try #require(disk.contents(of: table.file))
        #expect(bytes.count == 12_288)
        let shown = Array(bytes[..<104] + bytes[8_192..<8_252] + bytes[12_272...])

        let expected = [
            "444159424b4944580100000000000000efcdab89674523011032547698badcfe",
            "07000000000000000a0000000000000000000000000000000000000000000000",
            "0200000000000000010000000000000000200000000000000100000000000000",
            "dd9db007c06682ad000000000000001088776655443322110700000000000000",
            "01000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b",
            "1c1d1e1f0200000000000000262adb50cb78fcbd",
        ]
        #expect(Hex.encode(shown) == expected.joined())
        #expect(CRC32C.checksum(bytes.span) == 489_081_004)
    }

    @Test func `names are read back as they are written, and others are none`() {
        for (first, next, rewrite) in [(0, 1, 0), (7, 900, 3), (1 << 60, 1 << 61, 12)] {
            let name = TableName(
                Sequence(UInt64(first))..<Sequence(UInt64(next)), rewrite: UInt32(rewrite))
            #expect(TableName(name.text) == name)
        }
        let zeros = "00000000000000000000"
        let one = "00000000000000000001"
        for text in [
            ".index", "\(zeros)-\(one)", "\(zeros)-\(zeros).index", "\(one)-\(zeros).index",
            "0-1.index", "\(zeros)-\(one).0.index", "\(zeros)-\(one).01.index",
            "\(zeros)-\(one).1.2.index", "\(zeros)-\(one)..index", "+\(zeros)-\(one).index",
            "\(zeros)-\(one).index.new", "-\(one).index",
        ] {
            #expect(TableName(text) == nil, "\(text)")
        }
    }
}

struct FilterTests {
    @Test func `a filter lets at most 3 of 1,000 unknown ids through, and all known ones`() throws {
        let disk = SimulatedDisk()
        var random = RandomSource(seed: 11)
        let rows = (0..<20_000).map { number in
            RevisionRow(
                key: testKey("known \(number)"), sequence: Sequence(UInt64(number)),
                revision: Revision(1), digest: testDigest(&random))
        }
        let table = try writeTable(rows, 0..<20_000, on: disk)
        #expect(rows.allSatisfy { table.mayHold($0.key) })
        let passed = (0..<100_000).count { table.mayHold(testKey("unknown \($0)")) }
        print("false positives: \(passed) of 100,000")
        #expect(passed <= 300)
        #expect(passed > 0, "a filter that never errs is not looked at")
    }

    @Test func `ten million rows need at most 24 MiB of memory and 62.5 bytes each on disk`() {
        let rows = 10_000_000
        let header = TableHeader(
            sequences: .zero..<Sequence(UInt64(rows)), level: 3, rewrite: 0, seed: testSeed,
            rowCapacity: rows)
        let blocks = (rows + BlockLayout.rows - 1) / BlockLayout.rows
        #expect(header.filterByteCount + blocks * 8 <= 24 * 1_024 * 1_024)
        let fileByteCount = header.blocksOffset + blocks * BlockLayout.byteCount
        #expect(Double(fileByteCount) / Double(rows) <= 62.5)
    }
}
