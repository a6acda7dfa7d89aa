import Bytes
import Consensus
import Ledger
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Replica
@testable import Simulation

/// What a leader of three decides by its own report and those of its peers.
struct CompactionMajorityTests {
    /// A leader whose COMPACT entry is applied, and which has made its own outputs.
    private func begin() throws -> (node: ScriptedNode, open: OpenCompaction) {
        var node = try ScriptedNode(members: 3)
        try node.lead()
        node.acknowledge()
        try node.submit(1, [.init(note: 1), .init(note: 2)])
        node.turn()
        try settle(&node)
        node.command(
            1, .compact(CompactionOrder(policy: .latest, sealsFirst: true)))
        node.turn()
        try settle(&node)
        let open = try #require(node.replica.ledger.retention.open)
        return (node, open)
    }

    /// Writes, and lets node 2 acknowledge, until nothing more happens.
    private func settle(_ node: inout ScriptedNode) throws {
        for _ in 0..<12 {
            try node.write()
            node.acknowledge()
        }
    }

    private func report(
        _ node: inout ScriptedNode, from peer: UInt32, _ report: CompactionReport
    ) {
        var payload: [UInt8] = []
        report.append(to: &payload)
        node.replica.receive(
            .compactionReport, 0..<payload.count, in: payload.span, from: NodeID(peer),
            now: node.now, into: &node.outcome)
        node.turn()
    }

    private func outputs(_ node: ScriptedNode) -> [Digest] {
        node.replica.compacting.parts.first?.outputs.map(\.digest) ?? []
    }

    @Test func `one node's digests decide nothing; a second one's the same do`() throws {
        var (node, open) = try begin()
        #expect(!outputs(node).isEmpty && !open.isDone)
        report(&node, from: 2, .init(compaction: open.index.next, stage: .made(outputs(node))))
        try settle(&node)
        #expect(node.replica.ledger.retention.open?.isDone == false)
        report(&node, from: 2, .init(compaction: open.index, stage: .made(outputs(node))))
        try settle(&node)
        #expect(node.replica.ledger.retention.open?.outputs == outputs(node))
        // Swapped here; the inputs stay until a majority has.
        #expect(node.replica.catalogue.archive.segments[0].generation == 1)
        let input = FileName.segment(LogIndex(1))
        #expect(try node.disk.list().contains(input))
        report(&node, from: 3, .init(compaction: open.index, stage: .swapped))
        try settle(&node)
        #expect(node.replica.ledger.retention.open == nil)
        #expect(node.replica.ledger.retention.lastResult?.outcome == .completed)
        #expect(try !node.disk.list().contains(input))
    }

    @Test func `three that made different things abandon it, and the inputs stay`() throws {
        var (node, open) = try begin()
        let other = Digest([UInt8](repeating: 1, count: 32))
        report(&node, from: 2, .init(compaction: open.index, stage: .made([other])))
        try settle(&node)
        #expect(node.replica.ledger.retention.open != nil)
        report(&node, from: 3, .init(compaction: open.index, stage: .withheld))
        try settle(&node)
        #expect(node.replica.ledger.retention.open == nil)
        #expect(node.replica.ledger.retention.lastResult?.outcome == .noMajority)
        #expect(node.replica.catalogue.archive.segments[0].generation == 0)
        // What was made in vain is swept away.
        let names = try node.disk.list()
        #expect(!names.contains(FileName.segment(LogIndex(1), generation: 1)))
        #expect(names.contains(FileName.segment(LogIndex(1))))
    }

    @Test func `a majority against this node's files is not its own, and it says so`() throws {
        var (node, open) = try begin()
        let other = Digest([UInt8](repeating: 1, count: 32))
        for peer: UInt32 in [2, 3] {
            report(&node, from: peer, .init(compaction: open.index, stage: .made([other])))
        }
        try settle(&node)
        #expect(node.replica.ledger.retention.open?.outputs == [other])
        #expect(node.replica.catalogue.archive.segments[0].generation == 0)
        #expect(node.replica.lacksCompaction)
        // Outputs that the log does not name are not taken, whoever has them.
        try giveManifest(&node, output: Digest([UInt8](repeating: 2, count: 32)), open)
        #expect(node.replica.transfers.isEmpty)
        try giveManifest(&node, output: other, open)
        #expect(node.replica.transfers.map(\.segment.digest) == [other])
    }

    /// Answers the question for a manifest with one in which the first segment is that output.
    private func giveManifest(
        _ node: inout ScriptedNode, output: Digest, _ open: OpenCompaction
    ) throws {
        let asked = try #require(
            try fetches(&node).first { $0.fetch.item == .manifest }, "no manifest is asked for")
        var manifest = node.replica.catalogue.archive
        let input = manifest.segments[0]
        manifest.replace(
            with: [
                SegmentDescriptor(
                    header: SegmentHeader(
                        clusterID: input.clusterID, after: nil,
                        compaction: CompactedHeader(
                            generation: 1, cut: .zero, compaction: open.index,
                            sealChecksum: input.seal.checksum)),
                    seal: input.seal, byteCount: input.byteCount, digest: output,
                    stateTable: input.stateTable)
            ], through: open.index)
        var answer: [UInt8] = []
        Fetched(id: asked.fetch.id, outcome: .found, bytes: manifest.encoded(node.hash))
            .append(to: &answer)
        node.replica.receive(
            .fetched, 0..<answer.count, in: answer.span, from: asked.to, now: node.now,
            into: &node.outcome)
        node.turn()
    }

    /// What peers were asked for since the last time.
    private func fetches(
        _ node: inout ScriptedNode
    ) throws -> [(to: NodeID, fetch: Fetch)] {
        node.pass(50)
        node.acknowledge()
        let frames = node.sent
        node.sent.removeAll()
        return try frames.compactMap { frame in
            guard case .peer(let peer) = frame.to, frame.bytes[4] == FrameKind.fetch.rawValue
            else { return nil }
            return (
                peer, try Fetch(Frame.headerByteCount..<frame.bytes.count, frame.bytes.span)
            )
        }
    }

    @Test func `outputs that peers have replaced since are asked for anew, by their manifest`()
        throws
    {
        var (node, open) = try begin()
        let other = Digest([UInt8](repeating: 1, count: 32))
        for peer: UInt32 in [2, 3] {
            report(&node, from: peer, .init(compaction: open.index, stage: .made([other])))
        }
        try settle(&node)
        try giveManifest(&node, output: other, open)
        for _ in 0..<2 {
            let asked = try #require(try fetches(&node).first, "no peer is asked for the output")
            guard case .chunkDigests = asked.fetch.item else {
                Issue.record("asks for \(asked.fetch.item)")
                return
            }
            var answer: [UInt8] = []
            Fetched.absent(asked.fetch, term: .zero).append(to: &answer)
            node.replica.receive(
                .fetched, 0..<answer.count, in: answer.span, from: asked.to, now: node.now,
                into: &node.outcome)
            node.turn()
        }
        node.pass(2_000)
        let next = try fetches(&node).map(\.fetch.item)
        #expect(next == [.manifest] && node.replica.transfers.isEmpty)
    }

    @Test func `a leader that waits too long abandons it`() throws {
        var (node, _) = try begin()
        node.now = node.now.advanced(byNanoseconds: node.settings.compactionNanoseconds)
        node.acknowledge()
        try settle(&node)
        #expect(node.replica.ledger.retention.lastResult?.outcome == .noMajority)
    }

    @Test func `an open compaction keeps no node awake without pause`() throws {
        var (node, _) = try begin()
        node.turn()
        #expect(node.replica.nextDeadline() > node.now)
        node.stepDown()
        #expect(node.replica.nextDeadline() > node.now)
    }

    @Test func `reports are made to a new leader again`() throws {
        var (node, open) = try begin()
        node.stepDown()
        let reports = try node.sent.filter { $0.to == .peer(NodeID(3)) }.compactMap { frame in
            frame.bytes[4] == FrameKind.compactionReport.rawValue
                ? try CompactionReport(
                    Frame.headerByteCount..<frame.bytes.count, frame.bytes.span) : nil
        }
        #expect(
            reports == [CompactionReport(compaction: open.index, stage: .made(outputs(node)))])
    }
}
