import Bytes
import Records
import Simulation
import Testing

@testable import SegmentLog

struct DamageTests {
    private let settings = LogSettings(segmentBytes: 1_024)
    private let firstFile = "00000000000000000001.segment"

    @Test func `every flipped bit of a sealed segment is damage`() throws {
        var log = try TestLog(settings: settings)
        try log.append([30, 90, nil, 10])
        for bit in 0..<(log.catalogue.segmentSizes[0].byteCount * 8) {
            log.disk.flipBit(bit, of: firstFile)
            #expect(corruptFile(of: log.disk) == firstFile, "bit \(bit)")
            log.disk.flipBit(bit, of: firstFile)
        }
        #expect(failure(of: log.disk) == nil)
    }

    @Test func `every flipped bit is found by the reader`() throws {
        var log = try TestLog(settings: settings)
        try log.append([30, 90])
        let reader = LogReader(disk: log.disk)
        for index in UInt64(1)...2 {
            let place = try #require(log.catalogue.place(of: LogIndex(index)))
            for bit in (place.offset * 8)..<(place.end * 8) {
                log.disk.flipBit(bit, of: firstFile)
                let entry = try? reader.read(place)
                #expect(entry == nil, "bit \(bit)")
                log.disk.flipBit(bit, of: firstFile)
            }
        }
    }

    @Test func `a last segment of any length keeps exactly its whole entries`() throws {
        var log = try TestLog(settings: settings)
        try log.append([30, nil])
        let sealed = log.catalogue.end()
        try log.appendEach([90, 0, 200])
        // Nothing of the last segment was acknowledged.
        try PersistFile.fill(FileName.persist, after: 100, end: sealed, on: log.disk)
        let file = "00000000000000000003.segment"
        let whole = try #require(log.disk.contents(of: file))
        let ends = try (3...5).map { index in
            try #require(log.catalogue.place(of: LogIndex(UInt64(index)))).end
        }
        for length in 0...whole.count {
            let disk = SimulatedDisk(copying: log.disk)
            disk.replace(file, with: Array(whole[..<length]))
            let found = try TestLog(recovering: disk, settings: settings)
            let kept = 2 + ends.count { $0 <= length }
            let isKept = found.entries == Array(log.entries[..<kept])
            #expect(isKept, "length \(length)")
            let size = disk.contents(of: file)?.count
            #expect(size == (kept > 2 ? settings.segmentBytes : nil), "length \(length)")
        }
    }

    @Test func `a sealed segment of any other length is damage`() throws {
        var log = try TestLog(settings: settings)
        try log.append([30, 90, nil, 10])
        let whole = try #require(log.disk.contents(of: firstFile))
        for length in 0..<whole.count {
            log.disk.replace(firstFile, with: Array(whole[..<length]))
            #expect(corruptFile(of: log.disk) == firstFile, "length \(length)")
        }
        log.disk.replace(firstFile, with: whole + [0])
        #expect(
            failure(of: log.disk)
                == .corrupt(file: firstFile, offset: whole.count, defect: .bytesAfterSeal))
    }

    @Test func `a zeroed sector in the middle of the log is damage, not its end`() throws {
        var log = try TestLog()
        try log.appendEach([700, 700, 700])
        for sector in 0..<3 {
            let disk = SimulatedDisk(copying: log.disk)
            disk.zeroSector(sector, of: firstFile)
            #expect(corruptFile(of: disk) == firstFile, "sector \(sector)")
        }
    }

    @Test func `a missing segment is named`() throws {
        var log = try TestLog()
        try log.append([10, nil, 20, nil, 30])
        for name in ["00000000000000000001.segment", "00000000000000000003.segment"] {
            let disk = SimulatedDisk(copying: log.disk)
            try disk.remove(name)
            guard case .faulty(let faulty) = failure(of: disk) else {
                Issue.record("\(String(describing: failure(of: disk)))")
                return
            }
            #expect(faulty.file == name && faulty.defect == .missing)
        }
    }

    @Test func `a segment of another log is refused`() throws {
        var log = try TestLog()
        try log.append([10])
        var bytes = SegmentHeader(
            clusterID: Identifier(high: 9, low: 9), after: nil
        ).encoded
        let whole = try #require(log.disk.contents(of: firstFile))
        bytes += whole[64...]
        log.disk.replace(firstFile, with: bytes)
        guard case .faulty(let faulty) = failure(of: log.disk),
            case .header(.mismatch) = faulty.defect
        else {
            Issue.record("\(String(describing: failure(of: log.disk)))")
            return
        }
        #expect(faulty.file == firstFile && faulty.offset == 0)
    }

    @Test func `a sound entry that does not continue the log is damage even at its end`() throws {
        var log = try TestLog()
        try log.store(DurableVote(term: Term(4), votedFor: nil))
        try log.append([10])
        let last = try #require(log.catalogue.lastHeader)
        var otherIndex = last
        otherIndex.index = LogIndex(7)
        var otherChecksum = last
        otherChecksum.checksum += 1
        var otherSequence = last
        otherSequence.recordCount += 1
        let end = log.catalogue.activeSegmentByteCount
        for (previous, term) in [
            (last, Term(4)), (last, Term(3)), (otherIndex, Term(4)), (otherChecksum, Term(4)),
            (otherSequence, Term(4)),
        ] {
            let entry = Entry(
                kind: .events, term: term, after: previous,
                timestamp: Timestamp(microseconds: 0), body: [1, 2, 3])
            let disk = SimulatedDisk(copying: log.disk)
            try disk.write([entry.bytes], to: firstFile, at: end)
            let continues = previous == last && term == Term(4)
            let expected = RecoveryFailure.corrupt(
                file: firstFile, offset: end,
                defect: .discontinuity(found: entry.header.position, after: last.position))
            #expect(failure(of: disk) == (continues ? nil : expected))
        }
    }

    @Test func `a whole entry of an unknown kind is not cut`() throws {
        var log = try TestLog()
        try log.append([10])
        var bytes = Entry(
            kind: .events, term: .zero, after: log.catalogue.lastHeader,
            timestamp: Timestamp(microseconds: 0)
        ).bytes
        bytes[1] = 99
        bytes.put(littleEndian: CRC32C.checksum(Array(bytes[..<52]).span), at: 52)
        let end = log.catalogue.activeSegmentByteCount
        try log.disk.write([bytes], to: firstFile, at: end)
        #expect(
            failure(of: log.disk)
                == .corrupt(file: firstFile, offset: end, defect: .entry(.kind(99))))
    }

    @Test func `damage leaves every file as it was`() throws {
        var log = try TestLog()
        try log.writer.prepareNext()
        try log.appendEach([100, 100, 100])
        log.disk.flipBit(100 * 8, of: firstFile)
        let before = log.disk.durableFingerprint
        #expect(throws: RecoveryFailure.self) { try LogDirectory.recover(disk: log.disk) }
        #expect(log.disk.durableFingerprint == before)
    }

    @Test func `a file that only looks like a segment is named`() throws {
        let log = try TestLog()
        log.disk.replace("1.segment", with: [])
        #expect(failure(of: log.disk) == .corrupt(file: "1.segment", offset: 0, defect: .name))
    }
}
