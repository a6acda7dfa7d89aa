import Bytes
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Replica
@testable import Simulation

/// A node whose archived segments are damaged, and peers that have copies of them.
struct ArchiveRepairTests {
    private let file = FileName.segment(LogIndex(1))

    /// A leader of three with several archived segments, none of whose entries are in memory.
    private func leader() throws -> ScriptedNode {
        var founded = try ScriptedNode(members: 3, segmentBytes: 4_096)
        try founded.lead()
        founded.acknowledge()
        for number in 0..<60 {
            try founded.submit(UInt64(number + 1), [.init(id: "e\(number)", note: number)])
            founded.turn()
            try founded.write()
            founded.acknowledge()
        }
        try settle(&founded)
        var settings = founded.settings
        settings.scrubPeriodNanoseconds = 1_000_000_000
        settings.log.heldSegments = 0
        var node = try ScriptedNode(on: founded.disk, settings: settings)
        try node.lead()
        node.acknowledge()
        try settle(&node)
        try #require(node.replica.catalogue.archive.segments.count >= 3)
        node.sent = []
        return node
    }

    private func settle(_ node: inout ScriptedNode) throws {
        for _ in 0..<8 {
            try node.write()
            node.acknowledge()
        }
    }

    /// Lets peers answer what was asked of them, from their disks, until nothing more is asked.
    private func serve(
        _ node: inout ScriptedNode, from peers: [UInt32: SimulatedDisk]
    ) throws {
        for _ in 0..<40 {
            try node.write()
            let frames = node.sent
            node.sent.removeAll { frame in
                if case .peer = frame.to { true } else { false }
            }
            for frame in frames {
                guard case .peer(let peer) = frame.to, let disk = peers[peer.value],
                    frame.bytes[4] == FrameKind.fetch.rawValue
                else { continue }
                let fetch = try Fetch(
                    Frame.headerByteCount..<frame.bytes.count, frame.bytes.span)
                let job = FetchJob(
                    destination: .peer(NodeID(1)), fetch: fetch, catalogue: node.replica.catalogue,
                    committed: node.replica.catalogue.lastIndex, term: Term(1))
                var answer: [UInt8] = []
                job.run(ArchiveSource(disk: disk), into: &answer)
                node.replica.receive(
                    .fetched, Frame.headerByteCount..<answer.count, in: answer.span, from: peer,
                    now: node.now, into: &node.outcome)
                node.turn()
            }
            node.pass(50)
            node.turn()
        }
    }

    private func ask(_ node: inout ScriptedNode, _ id: String) {
        node.query(900, .event(uniqueID: Array(id.utf8), revision: nil, history: false))
        node.turn()
        node.acknowledge()
    }

    @Test func `a read that meets damage waits until a peer gave what was lost`() throws {
        var node = try leader()
        let good = SimulatedDisk(copying: node.disk)
        let bytes = try #require(node.disk.contents(of: file))
        node.disk.flipBit(8 * (bytes.count / 2), of: file)
        var lines = 0
        for number in 0..<5 {
            ask(&node, "e\(number)")
            let answers = try node.texts()
            lines += answers.count
            #expect(answers.allSatisfy { $0.outcome == .found })
        }
        ask(&node, "e20")
        lines += try node.texts().count
        // Whatever met the damage has no answer yet.
        for number in 5..<20 { ask(&node, "e\(number)") }
        _ = try node.texts()
        #expect(!node.replica.repairs.parked.isEmpty)
        try serve(&node, from: [2: good, 3: good])
        #expect(node.disk.contents(of: file) == bytes)
        #expect(node.replica.repairs.parked.isEmpty && node.replica.repairs.segments.isEmpty)
        #expect(node.replica.repairs.chunks == 1)
        let rest = try node.texts()
        #expect(!rest.isEmpty && rest.allSatisfy { $0.outcome == .found })
    }

    @Test func `a file that is gone comes back whole`() throws {
        var node = try leader()
        let good = SimulatedDisk(copying: node.disk)
        let bytes = try #require(node.disk.contents(of: file))
        try node.disk.remove(file)
        ask(&node, "e1")
        #expect(try node.texts().isEmpty)
        try serve(&node, from: [2: good, 3: good])
        #expect(node.disk.contents(of: file) == bytes)
        #expect(try node.texts().map(\.outcome) == [.found])
    }

    @Test func `bytes that are not what the manifest names are never stored`() throws {
        var node = try leader()
        let good = SimulatedDisk(copying: node.disk)
        let bytes = try #require(node.disk.contents(of: file))
        let bad = SimulatedDisk(copying: node.disk)
        bad.flipBit(8 * (bytes.count - 20), of: file)
        try node.disk.remove(file)
        ask(&node, "e1")
        #expect(try node.texts().isEmpty)
        try serve(&node, from: [2: bad])
        #expect(node.disk.contents(of: file) == nil)
        try serve(&node, from: [2: bad, 3: good])
        #expect(node.disk.contents(of: file) == bytes)
    }

    @Test func `what nobody has any more is named, and the rest is readable`() throws {
        var node = try leader()
        try node.disk.remove(file)
        ask(&node, "e1")
        #expect(try node.texts().isEmpty)
        for _ in 0..<40 {
            node.pass(100)
            node.acknowledge()
        }
        let payload = try #require(node.take(.rows).first)
        var range = 0..<0
        let head = try RowsHead(0..<payload.count, payload.span, rows: &range)
        #expect(head.outcome == .damaged)
        let segment = node.replica.catalogue.archive.segments[0]
        let text = String(decoding: payload[range], as: UTF8.self)
        #expect(text.hasPrefix("entries 1 to \(segment.lastIndex), events from 0"))
        #expect(
            node.replica.status(now: node.now).storage.care.damaged
                == [LogIndex(1)...segment.lastIndex])
        // The others answer, and the next that meets it need not wait.
        ask(&node, "e59")
        #expect(try node.texts().map(\.outcome) == [.found])
        ask(&node, "e1")
        #expect(try node.texts().map(\.outcome) == [.damaged])
    }

    @Test func `scrubbing finds and mends what nobody reads`() throws {
        var node = try leader()
        let good = SimulatedDisk(copying: node.disk)
        let second = node.replica.catalogue.archive.segments[1]
        let bytes = try #require(node.disk.contents(of: second.file))
        node.disk.flipBit(8 * 700, of: second.file)
        try node.disk.remove(second.places)
        for _ in 0..<10 { try serve(&node, from: [2: good, 3: good]) }
        #expect(node.disk.contents(of: second.file) == bytes)
        #expect(node.disk.contents(of: second.places) == good.contents(of: second.places))
        #expect(node.replica.scrub.passes >= 2)
        #expect(node.replica.scrub.bytes >= 2 * UInt64(node.replica.catalogue.archive.byteCount))
        let archived = node.replica.catalogue.archive.segments
        for segment in archived {
            #expect(node.disk.contents(of: segment.file) == good.contents(of: segment.file))
        }
        let deadline = node.replica.nextDeadline()
        #expect(deadline > node.now)
    }
}
