import Bytes
import Records
import SegmentLog
import Simulation
import Testing

@testable import EventIndex

struct IndexTablesTests {
    @Test func `the index answers like a dictionary through many merges and reopenings`() throws {
        for seed in UInt64(0)..<6 {
            let disk = SimulatedDisk()
            var model = Model(seed: seed, idCount: 300)
            var random = RandomSource(seed: seed ^ 0xff)
            var tables = IndexTables(seed: testSeed)
            var next: UInt64 = 0
            for segment in 0..<80 {
                let count = 1 + random.below(60)
                let rows = model.append(count, from: next)
                let range = next..<(next + UInt64(count))
                #expect(tables.adopt(try writeTable(rows, range, on: disk)).isEmpty)
                next = range.upperBound
                if random.below(4) > 0 { try mergeAll(&tables, on: disk) }
                if segment % 16 == 15 {
                    try model.check(tables, on: disk)
                    let other = RevisionKey.Seed(high: 5, low: 6)
                    let opened = try IndexTables.open(
                        disk: disk, through: Sequence(next), seed: other)
                    #expect(opened.missing.isEmpty && opened.damaged.isEmpty)
                    #expect(opened.tables.seed == testSeed)
                    #expect(opened.tables.tables.map(\.file) == tables.tables.map(\.file))
                    tables = opened.tables
                    try model.check(tables, on: disk)
                }
            }
            try mergeAll(&tables, on: disk)
            try model.check(tables, on: disk)
            #expect(tables.rowCount == model.rows.count)
            #expect(tables.tables.map(\.level) == [2, 1, 1])
            #expect(try disk.list() == tables.tables.map(\.file))
        }
    }

    @Test func `a rewrite leaves out the rows of its keys and nothing else`() throws {
        let disk = SimulatedDisk()
        var model = Model(seed: 8, idCount: 60)
        var tables = IndexTables(seed: testSeed)
        for segment in UInt64(0)..<9 {
            let rows = model.append(100, from: segment * 100)
            _ = tables.adopt(
                try writeTable(rows, (segment * 100)..<(segment * 100 + 100), on: disk))
        }
        try mergeAll(&tables, on: disk)
        let keys = ["id-0", "id-7", "id-59", "never there"].map { testKey($0) }
        for table in tables.holding(keys) {
            var merge = try TableMerge(rewriting: table, leavingOut: keys, disk: disk)
            try finish(&merge, &tables, on: disk)
        }
        for key in keys { model.remove(key) }
        try model.check(tables, on: disk)
        #expect(
            tables.tables.map(\.file) == [
                "00000000000000000000-00000000000000000800.1.index",
                "00000000000000000800-00000000000000000900.1.index",
            ])
        #expect(try disk.list() == tables.tables.map(\.file))
        let opened = try IndexTables.open(disk: disk, through: Sequence(900), seed: testSeed)
        try model.check(opened.tables, on: disk)
    }

    @Test func `a table that a rewrite replaced is never used again`() throws {
        let disk = SimulatedDisk()
        var model = Model(seed: 8, idCount: 6)
        let table = try writeTable(model.append(100, from: 0), 0..<100, on: disk)
        var merge = try TableMerge(rewriting: table, leavingOut: [testKey("id-0")], disk: disk)
        let rewritten = try #require(try merge.step(byteBudget: .max, disk: disk))
        let both = SimulatedDisk(copying: disk)
        let opened = try IndexTables.open(disk: both, through: Sequence(100), seed: testSeed)
        #expect(opened.tables.tables.map(\.file) == [rewritten.file])
        #expect(try both.list() == [rewritten.file])
        disk.flipBit(100, of: rewritten.file)
        let damaged = try IndexTables.open(disk: disk, through: Sequence(100), seed: testSeed)
        #expect(damaged.missing == [.zero..<Sequence(100)])
        #expect(try disk.list() == [])
    }

    @Test func `opening takes the widest tables and removes what they cover`() throws {
        let disk = SimulatedDisk()
        var model = Model(seed: 9, idCount: 50)
        var tables = IndexTables(seed: testSeed)
        for segment in UInt64(0)..<10 {
            let rows = model.append(20, from: segment * 20)
            _ = tables.adopt(
                try writeTable(rows, (segment * 20)..<(segment * 20 + 20), on: disk))
        }
        var merge = try TableMerge(joining: Array(tables.tables[..<8]), disk: disk)
        let merged = try #require(try merge.step(byteBudget: .max, disk: disk))
        let before = SimulatedDisk(copying: disk)

        let opened = try IndexTables.open(disk: disk, through: Sequence(200), seed: testSeed)
        #expect(opened.tables.tables.map(\.level) == [1, 0, 0])
        #expect(try disk.list().count == 3)
        try model.check(opened.tables, on: disk)

        before.flipBit(8 * 5_000, of: merged.file)
        let fallen = try IndexTables.open(disk: before, through: Sequence(200), seed: testSeed)
        #expect(fallen.damaged.map(\.file) == [merged.file])
        #expect(fallen.missing.isEmpty, "the inputs are still there")
        try model.check(fallen.tables, on: before)
        #expect(try before.list().count == 10)
    }

    @Test func `gaps and tables beyond the archive are found, and a gap answers nothing`() throws {
        let disk = SimulatedDisk()
        var model = Model(seed: 10, idCount: 50)
        var files: [IndexTable] = []
        for segment in UInt64(0)..<6 {
            let rows = model.append(20, from: segment * 20)
            files.append(try writeTable(rows, (segment * 20)..<(segment * 20 + 20), on: disk))
        }
        try disk.remove(files[2].file)
        disk.flipBit(8 * 33, of: files[4].file)
        try disk.create("00000000000000000000-00000000000000000040.index.new", byteCount: 9)
        try disk.create("other", byteCount: 9)
        let opened = try IndexTables.open(disk: disk, through: Sequence(100), seed: testSeed)
        #expect(
            opened.missing == [Sequence(40)..<Sequence(60), Sequence(80)..<Sequence(100)])
        #expect(try disk.list() == [0, 1, 3].map { files[$0].file } + ["other"])
        var tables = opened.tables
        #expect(tables.nextSequence == Sequence(40))
        let failed = failure { () throws(IndexFailure) in
            try tables.newest(of: testKey("id-1"), disk: disk)
        }
        #expect(failed == .incomplete(Sequence(40)))

        for segment in [4, 2] {
            let range = UInt64(segment * 20)..<UInt64(segment * 20 + 20)
            let rows = model.rows.filter { range.contains($0.sequence.value) }
            #expect(tables.adopt(try writeTable(rows, range, on: disk)).isEmpty)
        }
        let last = model.rows.filter { $0.sequence.value >= 100 }
        #expect(tables.missing(through: Sequence(120)) == [Sequence(100)..<Sequence(120)])
        _ = tables.adopt(try writeTable(last, 100..<120, on: disk))
        try model.check(tables, on: disk)
        tables.drop(files[3].file)
        #expect(tables.missing(through: Sequence(120)) == [Sequence(60)..<Sequence(80)])
    }

    @Test func `what a rebuilt gap leaves in front of higher levels is merged too`() throws {
        let disk = SimulatedDisk()
        var model = Model(seed: 12, idCount: 50)
        var tables = IndexTables(seed: testSeed)
        let tablesOf = { (range: Range<UInt64>) in
            try writeTable(
                model.rows.filter { range.contains($0.sequence.value) }, range, on: disk)
        }
        _ = model.append(240, from: 0)
        for segment in UInt64(0)..<24 {
            _ = tables.adopt(try tablesOf((segment * 10)..<(segment * 10 + 10)))
        }
        try mergeAll(&tables, on: disk)
        #expect(tables.tables.map(\.level) == [1, 1, 1])
        let middle = tables.tables[1]
        tables.drop(middle.file)
        try disk.remove(middle.file)
        for first in stride(from: UInt64(80), to: 160, by: 40) {
            _ = tables.adopt(try tablesOf(first..<(first + 40)))
        }
        #expect(tables.nextMerge()?.count == 2)
        try mergeAll(&tables, on: disk)
        #expect(tables.tables.map(\.level) == [1, 1, 1])
        try model.check(tables, on: disk)
    }

    @Test func `tables of another seed are rebuilt`() throws {
        let disk = SimulatedDisk()
        try writeTable([], 0..<10, on: disk)
        try writeTable([], 10..<20, on: disk, seed: RevisionKey.Seed(9))
        let opened = try IndexTables.open(disk: disk, through: Sequence(20), seed: testSeed)
        #expect(opened.missing == [Sequence(10)..<Sequence(20)])
    }
}

struct SupersededPassTests {
    @Test func `the bits below a cut are those of a model`() throws {
        for seed in UInt64(0)..<10 {
            let disk = SimulatedDisk()
            var random = RandomSource(seed: seed)
            var model = Model(seed: seed, idCount: 100)
            var tables = IndexTables(seed: testSeed)
            for segment in UInt64(0)..<11 {
                let rows = model.append(100, from: segment * 100)
                _ = tables.adopt(
                    try writeTable(rows, (segment * 100)..<(segment * 100 + 100), on: disk))
            }
            try mergeAll(&tables, on: disk)
            for cut in [0, 1, 100, 1_100, random.below(1_100), random.below(1_100)] {
                let cut = Sequence(UInt64(cut))
                var pass = try SupersededPass(tables, cut: cut, disk: disk)
                var bits: SequenceBits?
                while bits == nil { bits = try pass.step(byteBudget: 5_000, disk: disk) }
                var expected = SequenceBits(end: cut)
                for rows in model.byKey.values {
                    for row in rows.filter({ $0.sequence < cut }).dropLast() {
                        expected.insert(row.sequence)
                    }
                }
                #expect(bits == expected)
                #expect(cut < Sequence(100) || expected.count > 0)
            }
            let failed = failure { () throws(IndexFailure) in
                try SupersededPass(tables, cut: Sequence(1_101), disk: disk)
            }
            #expect(failed == .incomplete(Sequence(1_100)))
        }
    }
}
