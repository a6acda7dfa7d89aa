import Bytes
import Records
import SegmentLog
import Simulation
import Testing

struct LogWriterTests {
    @Test func `what was appended is read back byte for byte, also by another process`() throws {
        var log = try TestLog()
        try log.append([0, 1, 700, 8])
        try log.append([3_000, nil, 5])
        try log.append([9_000])
        let found = try ScriptedLog.readAll(log.catalogue, from: log.disk)
        #expect(found == log.entries)
        let reopened = try log.reopened()
        #expect(reopened.entries == log.entries)
        #expect(reopened.catalogue == log.catalogue)
    }

    @Test func `entries that wait together are one write, and one persist record after it`() throws
    {
        var log = try TestLog()
        try log.append([10])
        let single = log.disk.operationCount
        try log.append([10])
        #expect(log.disk.operationCount - single == 2)
        let group = log.disk.operationCount
        try log.append([10, 10, 10, 10])
        #expect(log.disk.operationCount - group == 2)
        // Four entries a group: nine are two groups of four, and one alone.
        let groups = log.disk.operationCount
        try log.append([Int?](repeating: 10, count: 9))
        #expect(log.disk.operationCount - groups == 6)
    }

    @Test func `a group ends before it is too long in bytes`() throws {
        var log = try TestLog(
            settings: LogSettings(segmentBytes: 4_096, groupEntries: 100, groupBytes: 1_000))
        try log.append([10])
        let before = log.disk.operationCount
        try log.append([600, 600, 5_000, 10, 10])
        // Two alone, one longer than any group alone, two together; a record after each.
        #expect(log.disk.operationCount - before == 8)
    }

    @Test func `a seal cuts its file to length, and the next entry begins another file`() throws {
        var log = try TestLog()
        try log.append([10, nil, 10])
        let first = try #require(log.disk.contents(of: "00000000000000000001.segment"))
        #expect(first.count == log.catalogue.segmentSizes[0].byteCount)
        let second = try #require(log.disk.contents(of: "00000000000000000003.segment"))
        #expect(second.count == testSettings.segmentBytes)
        #expect(log.catalogue.segmentCount == 2)
    }

    @Test func `a prepared file is taken for the next segment`() throws {
        var log = try TestLog()
        try log.writer.prepareNext()
        let before = log.disk.operationCount
        try log.writer.prepareNext()
        #expect(log.disk.operationCount == before)
        #expect(try log.disk.list().contains("spare.segment"))
        try log.append([10])
        #expect(try !log.disk.list().contains("spare.segment"))
        #expect(try log.reopened().entries == log.entries)
    }

    @Test func `sealed segments are the same bytes whatever the groups and sizes were`() throws {
        let sizes: [Int?] = [10, 300, 5_000, nil, 7, 8, nil]
        var one = try TestLog()
        try one.appendEach(sizes)
        var other = try TestLog(settings: LogSettings(segmentBytes: 1_024))
        try other.writer.prepareNext()
        try other.append(sizes)
        for name in ["00000000000000000001.segment", "00000000000000000005.segment"] {
            #expect(one.disk.contents(of: name) == other.disk.contents(of: name))
        }
    }

    @Test func `truncation leaves zeros behind the cut`() throws {
        var log = try TestLog()
        try log.append([100, 200, 300, 400])
        try log.truncate(from: 3)
        let bytes = try #require(log.disk.contents(of: "00000000000000000001.segment"))
        #expect(bytes.count == testSettings.segmentBytes)
        #expect(bytes[log.catalogue.activeSegmentByteCount...].allSatisfy { $0 == 0 })
        try log.append([50])
        #expect(try log.reopened().entries == log.entries)
    }

    @Test func `truncation across seals opens the earlier segment again`() throws {
        var log = try TestLog()
        try log.append([10, 20, nil, 30, nil, 40])
        #expect(log.catalogue.segmentCount == 3)
        try log.truncate(from: 2)
        #expect(try log.disk.list().filter { $0.hasSuffix(".segment") }.count == 1)
        try log.append([60, nil, 70])
        #expect(try log.reopened().entries == log.entries)
    }

    @Test func `truncation of whole segments leaves the seal before them`() throws {
        var log = try TestLog()
        try log.append([10, nil, 30, nil, 40])
        try log.truncate(from: 3)
        #expect(log.catalogue.activeSegmentByteCount == 0)
        #expect(try log.reopened().entries == log.entries)
        try log.append([60])
        #expect(try log.reopened().entries == log.entries)
    }

    @Test(arguments: [SimulatedDisk.Fault.inputOutputError, .noSpace])
    func `every operation that fails is reported, and the log opens again`(
        fault: SimulatedDisk.Fault
    ) throws {
        var operation = 0
        while true {
            var log = try TestLog()
            try log.append([10])
            log.disk.plan(fault, at: log.disk.operationCount + operation)
            let code: Int32 = fault == .noSpace ? 28 : 5
            var error: DiskError?
            do {
                try log.append([100, 200, nil, 5])
                try log.writer.prepareNext()
                try log.append([5_000, nil, 6, 7])
                try log.truncate(from: 8)
                try log.truncate(from: 3)
                try log.store(DurableVote(term: Term(1), votedFor: NodeID(1)))
            } catch let thrown as DiskError { error = thrown }
            guard log.disk.interrupted != "" else {
                #expect(error == nil)
                break
            }
            // On a full disk a segment begins without its zeros.
            let goesOn = fault == .noSpace && log.disk.interrupted.hasPrefix("create of 0")
            #expect(error?.code == (goesOn ? nil : code), "operation \(operation)")
            let acknowledged = log.entries
            let reopened = try TestLog(recovering: log.disk)
            let kept = min(acknowledged.count, reopened.entries.count, 2)
            let isKept = reopened.entries.prefix(kept) == acknowledged.prefix(kept)
            #expect(isKept && kept >= 1, "operation \(operation)")
            var random = RandomSource(seed: UInt64(operation))
            log.disk.restartAfterPowerLoss(&random)
            let isDurable = try TestLog(recovering: log.disk).entries == reopened.entries
            #expect(isDurable, "operation \(operation)")
            operation += 1
        }
        #expect(operation >= 20)
    }

    @Test func `the reader names the file and the offset of damage`() throws {
        var log = try TestLog()
        try log.append([100, 200])
        let place = try #require(log.catalogue.place(of: LogIndex(2)))
        log.disk.flipBit((place.offset + 70) * 8, of: place.file)
        let reader = LogReader(disk: log.disk)
        let failure = #expect(throws: ReadFailure.self) { try reader.read(place) }
        guard case .corrupt(let file, let offset, .entry(.checksum)) = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
        #expect(file == place.file)
        #expect(offset == place.offset)
    }

    @Test func `the reader refuses a sound entry that is not the one of the catalogue`() throws {
        var log = try TestLog()
        try log.append([100, 100])
        let old = try #require(log.catalogue.place(of: LogIndex(2)))
        try log.truncate(from: 2)
        try log.store(DurableVote(term: Term(4), votedFor: nil))
        try log.append([100])
        let failure = #expect(throws: ReadFailure.self) {
            try LogReader(disk: log.disk).read(old)
        }
        #expect(
            failure
                == .corrupt(
                    file: old.file, offset: old.offset,
                    defect: .mismatch(
                        found: LogPosition(term: Term(4), index: LogIndex(2)),
                        expected: LogPosition(term: .zero, index: LogIndex(2)))))
    }

    @Test func `a read that fails says so`() throws {
        var log = try TestLog()
        try log.append([100])
        let place = try #require(log.catalogue.place(of: LogIndex(1)))
        try log.disk.remove(place.file)
        #expect(
            throws: ReadFailure.disk(DiskError(operation: "read", file: place.file, code: 2))
        ) { try LogReader(disk: log.disk).read(place) }
    }

    @Test func `a writer that failed once refuses everything`() async {
        await #expect(processExitsWith: .failure) {
            var log = try TestLog()
            log.disk.failNext(.inputOutputError)
            try? log.append([10])
            try log.perform([.storeVote(log.vote)])
        }
        await #expect(processExitsWith: .failure) {
            var log = try TestLog()
            log.disk.failNext(.noSpace)
            try? log.writer.prepareNext()
            try log.writer.prepareNext()
        }
    }

    @Test func `a term never falls, and the first entry is never cut`() async {
        await #expect(processExitsWith: .failure) {
            var log = try TestLog()
            try log.store(DurableVote(term: Term(2), votedFor: nil))
            try log.store(DurableVote(term: Term(1), votedFor: nil))
        }
        await #expect(processExitsWith: .failure) {
            var log = try TestLog()
            try log.append([10, 10])
            try log.truncate(from: 1)
        }
    }
}
