import Bytes
import Crypto
import Ledger
import Records
import Replica
import SegmentInspection
import SegmentLog
import Simulation
import Testing

@testable import Restoration

struct RestorationTests {
    private let founding = genesis(childCluster, token: 7, at: 5_000)

    private func parent() throws -> ParentLog {
        var log = try ParentLog()
        try log.append(events: ["a", "b", "c"])
        try log.createToken(11)
        try log.seal()
        try log.append(events: ["d", "e"])
        try log.append(events: ["f", "g", "h"])
        try log.seal()
        return log
    }

    private func restore(
        _ log: ParentLog, until: UInt64? = nil, keepsTokens: Bool = false,
        onto target: SimulatedDisk = SimulatedDisk()
    ) throws -> (restored: Restored, disk: SimulatedDisk) {
        let restoration = try Restoration(
            from: log.disk, to: target, founding: founding, until: until.map { Sequence($0) },
            keepsTokens: keepsTokens)
        let restored = try restoration.run { _ in }
        try LogDirectory.initialize(
            disk: target,
            identity: DiskIdentity(
                clusterID: childCluster, nodeID: NodeID(1),
                incarnation: Identifier(high: 1, low: 1)), archive: restored.manifest)
        return (restored, target)
    }

    /// Leaf entries of all events of a directory, in order.
    private func leaves(_ disk: SimulatedDisk) throws -> [[UInt8]] {
        var leaf = Leaf(hash: SHA256())
        var leaves: [[UInt8]] = []
        for file in try SegmentFiles(disk: disk).segments {
            let bytes = disk.contents(of: file.name) ?? []
            var entries = SegmentEntries(bytes.span, file: file)
            while case .entry(let entry, let offset) = entries.next(bytes.span) {
                var place = offset + entry.bodyRange.lowerBound
                for ordinal in 0..<entry.recordCount {
                    let record = try RecordView(
                        decoding: bytes.span, at: place, end: offset + entry.byteCount)
                    leaves.append(
                        leaf.entry(
                            of: record, in: bytes.span,
                            sequence: entry.firstSequence.advanced(by: ordinal),
                            recordedAt: entry.timestamp.advanced(byMicroseconds: ordinal)))
                    place = record.range.upperBound
                }
            }
        }
        return leaves
    }

    private func ledger(_ recovered: Recovered) throws -> Ledger {
        try StateTable.decode(try #require(recovered.state), clusterID: childCluster, index: nil)
    }

    private func damage(_ disk: SimulatedDisk) throws -> [Damage] {
        var damage: [Damage] = []
        var verification = Verification(disk: disk)
        try verification.run { _ in
        } report: {
            damage += $0.damage
        }
        return damage
    }

    @Test func `a restored log opens, holds all events and one that names its parent`() throws {
        let log = try parent()
        let (restored, disk) = try restore(log)
        let recovered = try LogDirectory.recover(disk: disk, clusterID: childCluster)
        #expect(recovered.catalogue.lastIndex == LogIndex(9))
        #expect(recovered.vote.term == Term(3) && recovered.vote.votedFor == nil)
        #expect(restored.parent == parentCluster && restored.size == Sequence(9))
        let before = try leaves(log.disk)
        let after = try leaves(disk)
        #expect(before.count == 9 && after.count == 10 && Array(after.dropLast()) == before)
        #expect(try damage(disk).isEmpty)
        let ledger = try ledger(recovered)
        #expect(ledger.genesis?.clusterID == childCluster && ledger.origin == parentCluster)
        #expect(ledger.directory.tokens.map(\.id) == [TokenID(7)])
        #expect(ledger.nextSequence == Sequence(10))
    }

    @Test func `tokens stay where that is asked for`() throws {
        let (_, disk) = try restore(try parent(), keepsTokens: true)
        let ledger = try ledger(LogDirectory.recover(disk: disk, clusterID: childCluster))
        #expect(ledger.directory.tokens.map(\.id) == [TokenID(1), TokenID(7), TokenID(11)])
    }

    @Test(arguments: UInt64(0)...9)
    func `until leaves out exactly the events from there on`(until: UInt64) throws {
        let log = try parent()
        let (restored, disk) = try restore(log, until: until)
        #expect(restored.size == Sequence(until))
        let recovered = try LogDirectory.recover(disk: disk, clusterID: childCluster)
        #expect(recovered.catalogue.nextSequence == Sequence(until + 1))
        let kept = try leaves(log.disk).prefix(Int(until))
        #expect(Array(try leaves(disk).dropLast()) == Array(kept))
        #expect(try damage(disk).isEmpty)
        #expect(try ledger(recovered).directory.tokens.map(\.id) == [TokenID(7)])
    }

    @Test func `until may not be beyond the end`() throws {
        let log = try parent()
        #expect(throws: RestorationFailure.beyondEnd(Sequence(9))) {
            try restore(log, until: 10)
        }
    }

    @Test func `every member makes the same log`() throws {
        let log = try parent()
        for until in [nil, UInt64(7)] {
            let (first, second) = (try restore(log, until: until), try restore(log, until: until))
            #expect(first.restored == second.restored)
            for file in try first.disk.list() {
                #expect(
                    first.disk.contents(of: file) == second.disk.contents(of: file), "\(file)")
            }
        }
    }

    @Test func `an erased id stays closed, and is known by the mark of the first cluster`() throws {
        var log = try parent()
        try log.erase("e")
        try log.append(events: ["z"])
        try log.seal()
        for until in [nil, UInt64(5), UInt64(9)] {
            let (_, disk) = try restore(log, until: until)
            let recovered = try LogDirectory.recover(disk: disk, clusterID: childCluster)
            let ledger = try ledger(recovered)
            #expect(ledger.isClosed(Array("e".utf8)) && !ledger.isClosed(Array("d".utf8)))
            let end = recovered.catalogue.nextSequence
            #expect(
                ledger.retention.erased.allSatisfy { $0.index <= recovered.catalogue.lastIndex })
            #expect(ledger.retention.erased.flatMap(\.sequences).allSatisfy { $0 < end })
        }
    }

    @Test func `a restored cluster can be backed up and restored again`() throws {
        let (_, disk) = try restore(try parent())
        let next = genesis(Identifier(high: 31, low: 32), token: 8, at: 9_000)
        let target = SimulatedDisk()
        let restored = try Restoration(
            from: disk, to: target, founding: next, until: nil, keepsTokens: false
        ).run { _ in }
        #expect(restored.parent == childCluster && restored.size == Sequence(10))
        #expect(try leaves(target).count == 11)
    }

    @Test func `damage of the backup is named, and nothing that starts is left`() throws {
        let log = try parent()
        for file in log.manifest.segments.map(\.file) {
            let count = try #require(log.disk.contents(of: file)).count
            for byte in stride(from: 0, to: count, by: 7) {
                let damaged = log
                let copy = SimulatedDisk(copying: damaged.disk)
                copy.flipBit(byte * 8 + 3, of: file)
                let target = SimulatedDisk()
                let restoration = try Restoration(
                    from: copy, to: target, founding: founding, until: nil, keepsTokens: false)
                do {
                    _ = try restoration.run { _ in }
                    Issue.record("\(file) at \(byte)")
                } catch {
                    guard case .damaged(let named, let offset, _) = error else {
                        Issue.record("\(file) at \(byte): \(error)")
                        continue
                    }
                    #expect(named == file && offset <= byte)
                }
                #expect(try target.byteCount(of: FileName.identity) == nil)
            }
        }
    }

    @Test func `a full disk and a missing state are said`() throws {
        let log = try parent()
        #expect(throws: RestorationFailure.self) {
            try restore(log, onto: SimulatedDisk(capacity: 1_500))
        }
        try log.disk.remove(FileName.state(log.manifest.lastIndex))
        #expect(
            throws: RestorationFailure.noState(file: FileName.state(log.manifest.lastIndex))
        ) { try restore(log) }
    }
}
