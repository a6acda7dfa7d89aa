import Bytes
import Compaction
import EventIndex
import Ledger
import Maintenance
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Replica
@testable import Simulation

/// One node whose segments are small, so that most of what it has is in the archive.
struct ArchiveIndexTests {
    private func node(events count: Int) throws -> ScriptedNode {
        var node = try ScriptedNode(members: 1, segmentBytes: 2_048)
        try node.lead()
        try append(0..<count, to: &node, batch: 1)
        return node
    }

    /// Posts one event after the other, each in an entry of its own; every third id comes again
    /// with another content.
    private func append(_ numbers: Range<Int>, to node: inout ScriptedNode, batch: UInt64) throws {
        for number in numbers {
            try node.submit(batch + UInt64(number), [event(number)])
            node.turn()
            try node.write()
        }
    }

    private func event(_ number: Int) -> ScriptedNode.Event {
        ScriptedNode.Event(id: "id \(number / 3 * 2 + number % 3 % 2)", note: number)
    }

    /// Whether everything is recognised, with the first answer, and read.
    private func check(_ node: inout ScriptedNode, events count: Int, first: [Receipt]) throws {
        var again: [Receipt] = []
        for number in 0..<count {
            try node.submit(10_000 + UInt64(number), [event(number)])
            node.turn()
            try node.write()
            again += try node.answers().flatMap(\.receipts)
        }
        try #require(again.count == count)
        for (answer, first) in zip(again, first) {
            #expect(answer.verdict == .duplicate)
            #expect(answer.sequence == first.sequence && answer.revision == first.revision)
            #expect(answer.salt == first.salt && answer.leafHash == first.leafHash)
            #expect(answer.recordedAt == first.recordedAt)
        }
        for number in 0..<count {
            node.query(
                UInt64(number),
                .event(
                    uniqueID: Array(event(number).id.utf8), revision: nil, history: true))
            node.turn()
            let answer = try #require(try node.rows().first)
            let expected = (0..<count).filter { event($0).id == event(number).id }
            #expect(answer.rows.map { Int($0.sequence.value) } == expected)
        }
    }

    @Test func `archived events are recognised and read, before and after a restart`() throws {
        var node = try node(events: 120)
        let first = try node.answers().flatMap(\.receipts)
        #expect(first.count == 120 && first.allSatisfy { $0.verdict == .appended })
        let index = node.replica.ledger.index
        #expect(node.replica.catalogue.archive.segments.count >= 12)
        #expect(index.count < 20, "only the tail is in memory")
        #expect(index.firstSequence == node.replica.catalogue.archive.nextSequence)
        try check(&node, events: 120, first: first)

        var again = try ScriptedNode(
            on: SimulatedDisk(copying: node.disk), settings: node.settings)
        #expect(again.replica.ledger.index.count == 0)
        try again.lead()
        try check(&again, events: 120, first: first)
    }

    @Test func `tables are merged and their inputs removed while the node goes on`() throws {
        let node = try node(events: 120)
        let tables = try node.disk.list().filter { $0.hasSuffix(".index") }
        let opened = try IndexTables.open(
            disk: SimulatedDisk(copying: node.disk),
            through: node.replica.catalogue.archive.nextSequence, seed: RevisionKey.Seed(1))
        #expect(opened.missing.isEmpty && opened.damaged.isEmpty)
        #expect(opened.tables.tables.map(\.file) == tables)
        #expect(opened.tables.tables.contains { $0.level > 0 })
        #expect(opened.tables.nextMerge() == nil)
    }

    @Test func `missing and damaged tables are made again from the segments`() throws {
        var node = try node(events: 120)
        let first = try node.answers().flatMap(\.receipts)
        let disk = SimulatedDisk(copying: node.disk)
        let tables = try disk.list().filter { $0.hasSuffix(".index") }
        #expect(tables.count > 2)
        disk.flipBit(8 * 40, of: tables[0])
        try disk.remove(tables[tables.count - 1])
        var again = try ScriptedNode(on: disk, settings: node.settings)
        try again.lead()
        try check(&again, events: 120, first: first)
    }

    @Test func `a bad block stops the node, which removes the table and starts without it`() throws
    {
        var node = try node(events: 120)
        let first = try node.answers().flatMap(\.receipts)
        let table = try #require(try node.disk.list().first { $0.hasSuffix(".index") })
        let byteCount = node.disk.contents(of: table)?.count ?? 0
        for block in stride(from: 8_192, to: byteCount, by: 4_096) {
            node.disk.flipBit(8 * (block + 8), of: table)
        }
        node.query(
            1, .event(uniqueID: Array(event(0).id.utf8), revision: nil, history: true))
        node.replica.endTurn(
            now: node.now, wall: Timestamp(microseconds: 0), into: &node.outcome)
        guard case .index(let reason) = node.outcome.failure else {
            Issue.record("\(String(describing: node.outcome.failure))")
            return
        }
        #expect(reason.contains(table))
        var again = try ScriptedNode(
            on: SimulatedDisk(copying: node.disk), settings: node.settings)
        try again.lead()
        try check(&again, events: 120, first: first)
    }

    /// One round of the log writer and of the maintainer; what the maintainer reported.
    private func round(_ node: inout ScriptedNode) throws -> [MaintenanceReport] {
        let work = node.tasks
        node.tasks = []
        try node.writer.perform(work, marking: &node.persist)
        if !work.isEmpty { node.replica.written(work.count, now: node.now, into: &node.outcome) }
        node.turn()
        let tasks = node.maintenance
        node.maintenance = []
        var reports: [MaintenanceReport] = []
        for task in tasks {
            let report = try node.maintainer.perform(task)
            reports.append(report)
            node.replica.maintained(report, into: &node.outcome)
        }
        node.turn()
        return reports
    }

    @Test func `while a compaction reads the index, segments are archived and tables merged`()
        throws
    {
        let order = DirectoryCommand.Change.compact(
            CompactionOrder(policy: .latest, sealsFirst: true))
        var atOnce = try node(events: 120)
        atOnce.command(1, order)
        atOnce.turn()
        try atOnce.write()

        var node = try node(events: 120)
        node.maintainer.supersededStepBytes = 60
        node.command(1, order)
        node.turn()
        var steps = 0
        var archived = 0
        var merged = 0
        var next = 120
        while node.replica.ledger.retention.lastResult == nil {
            for report in try round(&node) {
                switch report {
                case .compaction(.preparing): steps += 1
                case .archived where steps > 0: archived += 1
                case .merged(.some) where steps > 0: merged += 1
                default: break
                }
            }
            if steps > 0, steps < 120 {
                try node.submit(1_000 + UInt64(next), [event(next)])
                node.turn()
                next += 1
            }
            try #require(next < 400)
        }
        // One row a step; the last step has made the first outputs too.
        #expect(steps >= 119)
        #expect(archived >= 10 && merged >= 1)
        let outputs = node.replica.catalogue.archive.segments.filter { $0.generation > 0 }
        let expected = atOnce.replica.catalogue.archive.segments.filter { $0.generation > 0 }
        #expect(outputs.count >= 8 && outputs.count == expected.count)
        // Later compactions of the run stand elsewhere in the log, and say so in their files.
        let count = node.settings.compactionSegments
        #expect(outputs.prefix(count).map(\.digest) == expected.prefix(count).map(\.digest))
        try node.write()
        let opened = try IndexTables.open(
            disk: SimulatedDisk(copying: node.disk),
            through: node.replica.catalogue.archive.nextSequence, seed: RevisionKey.Seed(1))
        #expect(
            try node.disk.list().filter { $0.hasSuffix(".index") }
                == opened.tables.tables.map(\.file))
    }

    @Test func `an estimate reads the index in steps, and counts what the archive alone shows`()
        throws
    {
        var node = try node(events: 120)
        node.maintainer.supersededStepBytes = 60 * 7
        let archived = Int(node.replica.catalogue.archive.nextSequence.value)
        #expect(archived < 120, "the tail has events too")
        let order = CompactionOrder(policy: .latest, sealsFirst: true)
        node.ask(7, .estimate(order, from: 0))
        node.turn()
        var steps = 0
        while !node.maintenance.isEmpty {
            for report in try round(&node) where report == .compaction(.planning) { steps += 1 }
        }
        #expect(steps >= archived / 7)
        guard case .estimate(let page)? = try node.clusterReplies().first?.outcome else {
            Issue.record("no estimate")
            return
        }
        let seen = Int(
            node.replica.catalogue.archive.segments[page.rows.count - 1].nextSequence.value)
        let superseded = (0..<seen).filter { number in
            (number + 1..<archived).contains { event($0).id == event(number).id }
        }
        #expect(page.rows.reduce(0) { $0 + $1.figures.compacted } == UInt64(superseded.count))
        #expect(superseded.count > 10)
    }

    @Test(arguments: [false, true])
    func `tables that a pass reads are removed behind it`(isGivenUp: Bool) throws {
        var node = try node(events: 120)
        let archive = node.replica.catalogue.archive
        let table = try #require(try node.disk.list().first { $0.hasSuffix(".index") })
        let task = MaintenanceTask.compaction(
            .make(
                [CompactionInput(archive.segments[0], after: nil)],
                rules: CompactionRules(
                    compaction: LogIndex(1), generation: 1, policy: .latest,
                    cut: archive.nextSequence, timeBound: Timestamp(microseconds: .max),
                    held: HeldIDs([]), erased: ErasedEvents([]))))
        let preparing = MaintenanceReport.compaction(.preparing(compaction: LogIndex(1)))
        node.maintainer.supersededStepBytes = 60
        #expect(try node.maintainer.perform(task) == preparing)
        #expect(try node.maintainer.perform(.removeTables([table])) == .done)
        #expect(try node.disk.byteCount(of: table) != nil)
        if isGivenUp {
            #expect(
                try node.maintainer.perform(.compaction(.sweep(fetched: false)))
                    == .compaction(.swept))
        } else {
            node.maintainer.supersededStepBytes = .max
            guard case .compaction(.made) = try node.maintainer.perform(task) else {
                Issue.record("nothing was made")
                return
            }
        }
        #expect(try node.disk.byteCount(of: table) == nil)
    }

    @Test func `a full disk delays a merge and nothing else`() throws {
        let disk = SimulatedDisk()
        var tables = IndexTables(seed: RevisionKey.Seed(1))
        for place in UInt64(0)..<8 {
            let range = Sequence(place * 10)..<Sequence(place * 10 + 10)
            _ = tables.adopt(try SegmentRows(seed: tables.seed).write(sequences: range, disk: disk))
        }
        let before = try disk.list()
        var maintainer = Maintainer(
            disk: disk, manifest: Manifest(clusterID: ScriptedNode.cluster), tables: tables)
        for operation in 0..<5 {
            disk.plan(.noSpace, at: disk.operationCount + operation)
            #expect(try maintainer.perform(.mergeIndex) == .merged(nil))
            #expect(try disk.list() == before)
        }
        guard case .merged(let table?) = try maintainer.perform(.mergeIndex) else {
            Issue.record("nothing was merged when there was room")
            return
        }
        let inputs = tables.adopt(table).map(\.file)
        #expect(inputs == before)
        #expect(try maintainer.perform(.removeTables(inputs)) == .done)
        #expect(try disk.list() == [table.file])
        #expect(try maintainer.perform(.mergeIndex) == .merged(nil))
    }
}
