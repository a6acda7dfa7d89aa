import Bytes
import Crypto
import Records
import Simulation
import Testing

@testable import SegmentLog

struct TakeoverTests {
    private let file = "00000000000000000001.segment"
    private let hash = SHA256()

    /// A peer's log of three entries, all archived.
    private func archived() throws -> (manifest: Manifest, segment: [UInt8]) {
        var log = try TestLog()
        try log.store(DurableVote(term: Term(2), votedFor: nil))
        try log.append([50, 60, nil])
        let seal = try #require(log.catalogue.lastHeader)
        let bytes = try #require(log.disk.contents(of: file))
        var manifest = Manifest(clusterID: testCluster)
        manifest.append(
            SegmentDescriptor(
                header: SegmentHeader(clusterID: testCluster, after: nil), seal: seal,
                byteCount: bytes.count, digest: .zero, stateTable: .zero),
            runs: [.init(firstIndex: LogIndex(1), term: Term(2))])
        return (manifest, bytes)
    }

    @Test func `a takeover cut anywhere after its manifest ends with the archive and no tail`()
        throws
    {
        let (peer, segment) = try archived()
        var log = try TestLog()
        try log.store(DurableVote(term: Term(3), votedFor: nil))
        // Segments 1, 3 and 5: in the place of the peer's, inside it, and behind it.
        try log.append([10, nil, 20, nil, 30, 40])
        log.disk.replace(file + ".verified", with: segment)
        var manifest = peer
        manifest.beginTakeover(from: log.catalogue.archive)
        try manifest.store(on: log.disk, hash)

        #expect(try LogDirectory.inspect(disk: log.disk).catalogue.lastIndex == LogIndex(3))
        var operation = 0
        while true {
            let disk = SimulatedDisk(copying: log.disk)
            disk.plan(.crash, at: operation)
            let first = try? LogDirectory.recover(disk: disk, settings: testSettings)
            disk.plan(.crash, at: -1)
            var random = RandomSource(seed: UInt64(operation))
            disk.restartAfterPowerLoss(&random)
            let found = try LogDirectory.recover(disk: disk, settings: testSettings)
            #expect(found.catalogue.lastIndex == LogIndex(3) && found.cut == nil)
            #expect(!found.catalogue.archive.voidsTail && found.missing.isEmpty)
            #expect(try disk.list().filter { $0.contains(".segment") } == [file])
            #expect(disk.contents(of: file) == segment)
            operation += 1
            if first != nil { break }
        }
        #expect(operation > 12)
    }

    @Test func `nothing of the own log is given up before the manifest`() throws {
        let (_, segment) = try archived()
        var log = try TestLog()
        try log.append([10, nil, 20])
        log.disk.replace(file + ".verified", with: segment)
        #expect(try log.reopened().entries == log.entries)
    }
}
