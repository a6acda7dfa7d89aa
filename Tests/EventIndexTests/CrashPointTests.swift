import Bytes
import Records
import SegmentLog
import Simulation
import Testing

@testable import EventIndex

/// A directory before some work on its index, and what it must answer after.
private struct Work {
    let disk: SimulatedDisk
    let tables: IndexTables
    let model: Model
    /// The rows and the range of the segment that the work adds.
    let added: [RevisionRow]
    static let first: UInt64 = 16 * 30

    init(seed: UInt64) throws {
        disk = SimulatedDisk()
        var model = Model(seed: seed, idCount: 80)
        var tables = IndexTables(seed: testSeed)
        for segment in UInt64(0)..<16 {
            let rows = model.append(30, from: segment * 30)
            _ = tables.adopt(
                try writeTable(rows, (segment * 30)..<(segment * 30 + 30), on: disk))
        }
        added = model.append(30, from: Self.first)
        self.tables = tables
        self.model = model
    }

    /// Adds a segment's table, runs the merges that are due, and a rewrite that drops nothing.
    func run(on disk: SimulatedDisk) throws {
        var tables = tables
        _ = tables.adopt(try writeTable(added, Self.first..<(Self.first + 30), on: disk))
        try mergeAll(&tables, on: disk)
        var merge = try TableMerge(rewriting: tables.tables[0], leavingOut: [], disk: disk)
        try finish(&merge, &tables, on: disk)
    }
}

struct CrashPointTests {
    @Test func `an index cut inside any operation is the old one or the new one`() throws {
        var states: Set<UInt64> = []
        var crashesInOpen = 0
        for seed in UInt64(0)..<4 {
            let work = try Work(seed: seed)
            var operation = 0
            while try isCut(work, at: operation, &states, &crashesInOpen) { operation += 1 }
            #expect(operation > 20)
        }
        print("index crash points: \(states.count) distinct states, \(crashesInOpen) in open")
        #expect(states.count >= 300)
        #expect(crashesInOpen >= 200)
    }

    /// False when the work ends before that operation.
    private func isCut(
        _ work: Work, at operation: Int, _ states: inout Set<UInt64>, _ crashesInOpen: inout Int
    ) throws -> Bool {
        let disk = SimulatedDisk(copying: work.disk)
        disk.plan(.crash, at: operation)
        do {
            try work.run(on: disk)
            return false
        } catch {
            #expect(disk.hasCrashed, "\(error)")
        }
        for variant in 0..<12 {
            var random = RandomSource(seed: UInt64(operation) << 8 | UInt64(variant))
            let copy = SimulatedDisk(copying: disk)
            if variant == 0 { copy.restart() } else { copy.restartAfterPowerLoss(&random) }
            guard states.insert(copy.durableFingerprint).inserted else { continue }
            for second in 0... {
                let torn = SimulatedDisk(copying: copy)
                torn.plan(.crash, at: second)
                _ = try? IndexTables.open(disk: torn, through: Sequence(510), seed: testSeed)
                guard torn.hasCrashed else { break }
                crashesInOpen += 1
                torn.restartAfterPowerLoss(&random)
                try check(torn, work)
            }
            try check(copy, work)
        }
        return true
    }

    private func check(_ disk: SimulatedDisk, _ work: Work) throws {
        let opened = try IndexTables.open(disk: disk, through: Sequence(510), seed: testSeed)
        #expect(opened.damaged.isEmpty, "\(opened.damaged) from \(disk.interrupted)")
        var tables = opened.tables
        if opened.missing != [] {
            #expect(opened.missing == [Sequence(Work.first)..<Sequence(Work.first + 30)])
            _ = tables.adopt(
                try writeTable(work.added, Work.first..<(Work.first + 30), on: disk))
        }
        #expect(try disk.list() == tables.tables.map(\.file))
        try work.model.check(tables, on: disk)
    }

    @Test func `a merge that finds the disk full leaves everything as it was`() throws {
        let work = try Work(seed: 9)
        let before = try work.disk.list()
        for operation in 0..<6 {
            let disk = SimulatedDisk(copying: work.disk)
            disk.plan(.noSpace, at: operation)
            let inputs = try #require(work.tables.nextMerge())
            let failed = failure { () throws(IndexFailure) in
                var merge = try TableMerge(joining: inputs, disk: disk)
                _ = try merge.step(byteBudget: .max, disk: disk)
            }
            guard case .disk(let error) = failed else {
                Issue.record("\(String(describing: failed)) at \(operation)")
                return
            }
            #expect(error.code == 28)
            let opened = try IndexTables.open(
                disk: disk, through: Sequence(Work.first), seed: testSeed)
            #expect(opened.missing.isEmpty && opened.damaged.isEmpty)
            #expect(try disk.list() == before)
        }
    }

    @Test func `an abandoned merge leaves no file`() throws {
        let work = try Work(seed: 9)
        let before = try work.disk.list()
        let inputs = try #require(work.tables.nextMerge())
        var merge = try TableMerge(joining: inputs, disk: work.disk)
        #expect(try merge.step(byteBudget: 600, disk: work.disk) == nil)
        #expect(try work.disk.list() != before)
        try merge.abandon(disk: work.disk)
        #expect(try work.disk.list() == before)
    }
}
