import Crypto
import EventIndex
import Ledger
import Records
import Replica
import SegmentLog
import Testing

@testable import Maintenance
@testable import Simulation

/// What stands beside the outputs of a compaction, against a description of their bytes.
struct OutputPlacesTests {
    private let hash = SHA256()

    private func compacted(_ change: DirectoryCommand.Change) throws -> ScriptedNode {
        var node = try ScriptedNode(members: 1, segmentBytes: 2_048)
        try node.lead()
        for number in 0..<60 {
            try node.submit(
                UInt64(number + 1), [.init(id: "id-\(number % 7)", note: number)])
            node.turn()
            try node.write()
        }
        node.command(1, change)
        node.turn()
        try node.write()
        return node
    }

    /// The places and summary that are there, and those made anew from the segment alone.
    private func check(
        _ node: ScriptedNode, _ body: (SegmentSummary, SegmentSummary) -> Void
    ) throws {
        let segments = node.replica.catalogue.archive.segments
        #expect(segments.count { $0.generation > 0 } >= 5)
        for (place, segment) in segments.enumerated() where segment.generation > 0 {
            let before = place > 0 ? segments[place - 1] : nil
            let copy = SimulatedDisk(copying: node.disk)
            try segment.describe(after: before, on: copy)
            let there = try #require(
                try SegmentPlaces.load(segment, after: before, from: node.disk, hash))
            let anew = try #require(
                try SegmentPlaces.load(segment, after: before, from: copy, hash))
            #expect(there.digests == anew.digests)
            #expect(there.catalogue == anew.catalogue)
            body(
                try #require(SegmentSummary(there.summary)),
                try #require(SegmentSummary(anew.summary)))
        }
    }

    @Test func `places of outputs are those of their bytes, and summaries cover them`() throws {
        let node = try compacted(.compact(CompactionOrder(policy: .latest, sealsFirst: true)))
        try check(node) { there, anew in
            #expect(there.auditEventCount == anew.auditEventCount)
            #expect(there.compactedCount == anew.compactedCount)
            #expect(there.compactedCount > 0)
            #expect(there.administrationCount == anew.administrationCount)
            #expect(there.recordedAt == anew.recordedAt)
            #expect(there.startedAt.least <= anew.startedAt.least)
            #expect(there.startedAt.greatest >= anew.startedAt.greatest)
        }
    }

    @Test func `a summary keeps nothing of what was erased`() throws {
        let node = try compacted(.erase(uniqueID: Array("id-3".utf8), reason: "r"))
        try check(node) { there, anew in #expect(there == anew) }
    }
}
