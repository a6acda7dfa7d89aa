import Bytes
import Crypto
import EventIndex
import Ledger
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Replica
@testable import Simulation

/// Entries of a disk as if no segment had a summary: nothing is passed by.
private struct WithoutSummaries: EntrySource {
    let source: ArchiveSource<SimulatedDisk>

    func entry(at place: Place) throws(ReplicaFailure) -> Entry { try source.entry(at: place) }

    func places(
        of place: Int, in manifest: Manifest
    ) throws(ReplicaFailure) -> SegmentCatalogue { try source.places(of: place, in: manifest) }

    func summary(
        of place: Int, in manifest: Manifest
    ) throws(ReplicaFailure) -> SegmentSummary? { nil }

    func digests(
        of place: Int, in manifest: Manifest
    ) throws(ReplicaFailure) -> ChunkDigests { try source.digests(of: place, in: manifest) }

    func contents(
        of file: String, range: Range<Int>?
    ) throws(ReplicaFailure) -> [UInt8]? { try source.contents(of: file, range: range) }
}

/// Pages with a filter over an archive of many small segments.
struct ReplayFilterTests {
    private struct Event {
        var id: String
        var script = "script"
        var host = "host"
        var file = "file"
        var startedAt: Int64 = 0

        var draft: [UInt8] {
            var parameters = EventParameters()
            var values: [UInt8] = []
            func take(_ text: String) -> Range<Int> {
                let start = values.count
                values += Array(text.utf8)
                return start..<values.count
            }
            parameters.uniqueID = take(id)
            parameters.scriptName = take(script)
            parameters.hostName = take(host)
            parameters.fileName = take(file)
            parameters.startTime = take("2026-11-24T08:00:00Z")
            parameters.startedAt = Timestamp(microseconds: startedAt)
            var draft: [UInt8] = []
            RecordEncoder.append(
                parameters, values: values, application: Array("test".utf8),
                writtenBy: Array(ScriptedNode.administrator.description.utf8), hash: SHA256(),
                to: &draft)
            return draft
        }
    }

    private func post(_ events: [Event], batch: UInt64, to node: inout ScriptedNode) throws {
        var payload: [UInt8] = []
        Submit.begin(batch: batch, in: &payload)
        for event in events {
            Submit.appendItem(expected: nil, to: &payload)
            payload += event.draft
        }
        try node.replica.submit(
            0..<payload.count, in: payload.span, from: ScriptedNode.gateway, now: node.now,
            wall: Timestamp(microseconds: 0), into: &node.outcome)
        node.turn()
        try node.write()
    }

    /// All rows of a replay, and the number of its pages.
    private func replay(
        _ filter: EventFilter, byteLimit: UInt32 = .max, of node: inout ScriptedNode,
        from source: any EntrySource
    ) throws -> (lines: [String], pages: Int) {
        var lines: [String] = []
        var pages = 0
        var from = Sequence.zero
        while from < node.replica.ledger.nextSequence {
            node.query(
                1,
                .page(
                    PageRequest(
                        from: from, until: nil, filter: filter, byteLimit: byteLimit,
                        waits: false)))
            node.turn()
            let job = try #require(node.reads.first)
            node.reads = []
            var bytes: [UInt8] = []
            switch job.run(source, leaf: &node.leaf, into: &bytes) {
            case .answered: break
            case .unsettled(let rows):
                node.replica.settle(rows, into: &node.outcome)
                node.turn()
                let answer = node.sent.popLast()
                bytes = try #require(answer).bytes
            case .failed(let failed): Issue.record("\(failed.reason)")
            }
            var rows = 0..<0
            let head = try RowsHead(Frame.headerByteCount..<bytes.count, bytes.span, rows: &rows)
            let text = String(decoding: bytes[rows], as: UTF8.self)
            try #require(head.outcome == .found, "\(text)")
            try #require(head.next > from)
            lines += text.split(separator: "\n").map { String($0) }
            from = head.next
            pages += 1
        }
        return (lines, pages)
    }

    /// One event in an entry of its own after the other; those in `rare` are of another host.
    private func node(events count: Int, rare: Set<Int>) throws -> ScriptedNode {
        var node = try ScriptedNode(members: 1, segmentBytes: 2_048)
        try node.lead()
        for number in 0..<count {
            let host = rare.contains(number) ? "rare" : "host \(number % 3)"
            try post([Event(id: "id \(number)", host: host)], batch: UInt64(number + 1), to: &node)
        }
        return node
    }

    @Test func `a filter reads no byte of archived segments without a match`() throws {
        var node = try node(events: 400, rare: [57, 58, 301])
        let archive = node.replica.catalogue.archive
        let count = archive.segments.count
        #expect(count > ReadJob.passedSegments)
        var filter = EventFilter()
        filter.hostName = Array("rare".utf8)
        let disk = node.disk
        disk.readCounts = [:]
        let (lines, pages) = try replay(filter, of: &node, from: ArchiveSource(disk: disk))
        let reads = try #require(disk.readCounts)
        #expect(lines.count == 3 && lines.allSatisfy { $0.contains("\"host_name\":\"rare\"") })
        let matching = Set(
            try [57, 58, 301].map { number in
                let place = try #require(archive.place(holding: Sequence(UInt64(number))))
                return archive.segments[place].file
            })
        let archived = Set(archive.segments.map(\.file))
        #expect(Set(reads.keys.filter { archived.contains($0) }) == matching)
        // The places of each are read once, and what is passed by takes no page of its own.
        #expect(archive.segments.allSatisfy { (reads[$0.places] ?? 0) > 0 })
        #expect(pages <= count / ReadJob.passedSegments + 1 + node.replica.ledger.index.count)
        #expect(pages < count / 2)
    }

    @Test func `without places nothing is passed by, and nothing is missing`() throws {
        var node = try node(events: 60, rare: [7, 40])
        var filter = EventFilter()
        filter.hostName = Array("rare".utf8)
        for segment in node.replica.catalogue.archive.segments {
            try node.disk.remove(segment.places)
        }
        let (lines, _) = try replay(filter, of: &node, from: ArchiveSource(disk: node.disk))
        #expect(lines.count == 2)
    }

    @Test func `an erased event of the archive is shown to a filter by its unique_id`() throws {
        var node = try node(events: 60, rare: [])
        node.command(1, .erase(uniqueID: Array("id 5".utf8), reason: "asked for"))
        node.turn()
        try node.write()
        var filter = EventFilter()
        filter.uniqueID = Array("id 5".utf8)
        let (lines, _) = try replay(filter, of: &node, from: ArchiveSource(disk: node.disk))
        #expect(lines.count == 1 && lines.allSatisfy { $0.contains("\"erased\":true") })
    }

    @Test(arguments: UInt64(0)..<3)
    func `a filter misses nothing, whatever was posted, erased and compacted`(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var node = try ScriptedNode(members: 1, segmentBytes: 3_072)
        try node.lead()
        var events: [Event] = []
        for batch in UInt64(1)...60 {
            var posted: [Event] = []
            for _ in 0...random.below(4) {
                // Values move on with the log, so that some segments lack them.
                let around = Int(batch) / 6
                posted.append(
                    Event(
                        id: "id \(random.below(60))",
                        script: "script \(around + random.below(3))",
                        host: "host \(around / 2 + random.below(2))",
                        file: "file \(random.below(200))",
                        startedAt: Int64(around * 10 + random.below(15))))
            }
            try post(posted, batch: batch, to: &node)
            events += posted
        }
        #expect(node.replica.catalogue.archive.segments.count >= 6)
        let posted = try check(&node, events, &random)
        #expect(posted >= 40)

        for number in UInt64(0)..<3 {
            let id = Array("id \(random.below(60))".utf8)
            node.command(10 + number, .erase(uniqueID: id, reason: "asked for"))
            node.turn()
            try node.write()
            _ = try check(&node, events, &random)
        }
        node.command(
            20, .compact(CompactionOrder(policy: .latest, sealsFirst: true)))
        node.turn()
        try node.write()
        #expect(node.replica.catalogue.archive.segments.contains { $0.generation > 0 })
        _ = try check(&node, events, &random)
        var again = try ScriptedNode(
            on: SimulatedDisk(copying: node.disk), settings: node.settings)
        try again.lead()
        _ = try check(&again, events, &random)
    }

    /// Replays with random filters, and the same without passing anything by; how many rows came.
    private func check(
        _ node: inout ScriptedNode, _ events: [Event], _ random: inout RandomSource
    ) throws -> Int {
        var count = 0
        for _ in 0..<40 {
            let filter = filter(events, &random)
            let byteLimit: UInt32 = [1, 700, .max][random.below(3)]
            let source = ArchiveSource(disk: node.disk)
            let (lines, _) = try replay(filter, byteLimit: byteLimit, of: &node, from: source)
            let (expected, _) = try replay(
                filter, of: &node, from: WithoutSummaries(source: source))
            #expect(lines == expected, "\(filter)")
            count += lines.count
        }
        return count
    }

    /// A filter for one of the events that were posted; now and then for a value of another one, or
    /// of none.
    private func filter(_ events: [Event], _ random: inout RandomSource) -> EventFilter {
        var filter = EventFilter()
        filter.resources = [.auditEvents, .auditEvents, .administration, .all][random.below(4)]
        let wanted = events[random.below(events.count)]
        func value(_ field: KeyPath<Event, String>, oneIn bound: Int) -> [UInt8]? {
            guard random.below(bound) == 0 else { return nil }
            switch random.below(8) {
            case 0: return Array("no \(field)".utf8)
            case 1: return Array(events[random.below(events.count)][keyPath: field].utf8)
            default: return Array(wanted[keyPath: field].utf8)
            }
        }
        filter.scriptName = value(\.script, oneIn: 3)
        filter.hostName = value(\.host, oneIn: 3)
        filter.fileName = value(\.file, oneIn: 3)
        filter.uniqueID = value(\.id, oneIn: 8)
        if random.below(4) == 0 {
            filter.since = Timestamp(microseconds: wanted.startedAt - random.below(5))
        }
        if random.below(4) == 0 {
            filter.untilTime = Timestamp(microseconds: wanted.startedAt + random.below(5))
        }
        return filter
    }
}
