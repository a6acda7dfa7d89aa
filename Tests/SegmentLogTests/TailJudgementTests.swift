import Bytes
import Records
import Simulation
import Testing

@testable import SegmentLog

struct TailJudgementTests {
    /// The table of docs/reference/segment-format.md, written down a second time: rows are places,
    /// columns the claims of `TailClaim` in their order.
    private static let alone: [TailPlace: [TailDecision]] = [
        .nothing: [.accept, .faulty, .stop, .accept, .stop],
        .bad: [.cut, .faulty, .stop, .stop, .stop],
        .stray: [.stop, .faulty, .stop, .stop, .stop],
        .unknown: [.stop, .stop, .stop, .stop, .stop],
    ]
    private static let followed: [TailPlace: [TailDecision]] = [
        .nothing: [.faulty, .faulty, .stop, .faulty, .faulty],
        .bad: [.faulty, .faulty, .stop, .faulty, .faulty],
        .stray: [.faulty, .faulty, .stop, .faulty, .faulty],
        .unknown: [.stop, .stop, .stop, .stop, .stop],
    ]

    @Test func `every combination is decided as the table says`() {
        var count = 0
        for place in TailPlace.allCases {
            for (column, claim) in TailClaim.allCases.enumerated() {
                for (sequel, table) in [(TailSequel.none, Self.alone), (.later, Self.followed)] {
                    let decision = TailJudgement.decide(place, claim, sequel)
                    #expect(
                        decision == table[place]?[column], "\(place), \(claim), \(sequel)")
                    count += 1
                }
            }
        }
        #expect(count == 40)
    }

    @Test func `nothing is cut that a record, or anything later, proves to have been durable`() {
        for place in TailPlace.allCases {
            for claim in TailClaim.allCases {
                for sequel in TailSequel.allCases
                where TailJudgement.decide(place, claim, sequel) == .cut {
                    #expect(place == .bad && claim == .covered && sequel == .none)
                }
            }
        }
    }

    // MARK: The same on a disk

    private let file = "00000000000000000001.segment"
    private let second = "00000000000000000005.segment"

    /// Entries 1 to 4 with a SEAL, then 5 to 7, all acknowledged; `newest` reaches as far as told.
    private func log() throws -> TestLog {
        var log = try TestLog()
        try log.append([100, 200, 300, nil])
        try log.append([50, 60, 70])
        return log
    }

    private func end(_ log: TestLog, _ index: UInt64) throws -> DurableEnd {
        DurableEnd(try #require(log.catalogue.place(of: LogIndex(index))))
    }

    /// Both slots say that the log was durable through the entry.
    private func record(_ log: TestLog, through index: UInt64) throws {
        try PersistFile.fill(
            FileName.persist, after: 100, end: try end(log, index), on: log.disk)
    }

    private func flip(_ log: TestLog, _ index: UInt64) throws {
        let place = try #require(log.catalogue.place(of: LogIndex(index)))
        log.disk.flipBit((place.offset + 58) * 8, of: place.file)
    }

    @Test func `a bad last entry is cut without a record, and faulty with one`() throws {
        let log = try log()
        try flip(log, 7)
        let last = try #require(log.catalogue.header(at: LogIndex(7)))
        let faulty = try #require(try LogDirectory.inspect(disk: log.disk).faulty)
        #expect(faulty.firstIndex == LogIndex(7))
        #expect(faulty.lastPosition == last.position)
        #expect(faulty.lastChecksum == last.checksum)
        let before = log.disk.durableFingerprint
        #expect(throws: RecoveryFailure.faulty(faulty)) {
            try LogDirectory.recover(disk: log.disk, settings: testSettings)
        }
        #expect(log.disk.durableFingerprint == before)

        try record(log, through: 6)
        let found = try TestLog(recovering: log.disk)
        #expect(found.entries == Array(log.entries[..<6]))
        let bytes = try #require(log.disk.contents(of: second))
        #expect(bytes[found.catalogue.end().offset...].allSatisfy { $0 == 0 })
    }

    @Test func `any part of a group without a record is cut, from its first bad entry on`() throws {
        let log = try log()
        try record(log, through: 4)
        try flip(log, 6)
        #expect(try TestLog(recovering: log.disk).entries == Array(log.entries[..<5]))
    }

    @Test func `what an earlier segment lacks is faulty though no record covers it`() throws {
        let log = try log()
        try record(log, through: 2)
        let seal = try #require(log.catalogue.header(at: LogIndex(4)))
        try flip(log, 3)
        var faulty = try #require(try LogDirectory.inspect(disk: log.disk).faulty)
        #expect(faulty.firstIndex == LogIndex(3))
        #expect(faulty.lastPosition == seal.position && faulty.lastChecksum == seal.checksum)
        try log.disk.remove(file)
        faulty = try #require(try LogDirectory.inspect(disk: log.disk).faulty)
        #expect(faulty.firstIndex == LogIndex(1) && faulty.defect == .missing)
    }

    @Test func `a bad header before a good entry is faulty, before zeros it is torn`() throws {
        let log = try log()
        try record(log, through: 4)
        log.disk.flipBit(20 * 8, of: second)
        #expect(try LogDirectory.inspect(disk: log.disk).faulty?.file == second)
        let zeros = [UInt8](repeating: 0, count: 4_032)
        try log.disk.write([zeros], to: second, at: 64)
        #expect(try TestLog(recovering: log.disk).entries == Array(log.entries[..<4]))
        #expect(log.disk.contents(of: second) == nil)
    }

    @Test func `entry and record unreadable stop the node, a record alone does not`() throws {
        let log = try log()
        let pages = [UInt8](repeating: 0, count: PersistRecord.slotSize)
        for slot in 0..<PersistRecord.slots {
            let disk = SimulatedDisk(copying: log.disk)
            try disk.write([pages], to: FileName.persist, at: slot * PersistRecord.slotSize)
            let found = try LogDirectory.inspect(disk: disk)
            #expect(found.catalogue == log.catalogue && found.damagedCopies == 2)
            let place = try #require(log.catalogue.place(of: LogIndex(7)))
            disk.flipBit((place.offset + 58) * 8, of: place.file)
            #expect(
                failure(of: disk)
                    == .corrupt(file: second, offset: place.offset, defect: .unjudgeable))
        }
        log.disk.replace(FileName.persist, with: pages + pages)
        #expect(failure(of: log.disk) == .corrupt(file: "persist", offset: 0, defect: .persist))
    }

    @Test func `a record of another entry than the one in the log stops the node`() throws {
        let log = try log()
        let last = try end(log, 7)
        let other = DurableEnd(
            position: last.position, checksum: last.checksum ^ 1, segment: last.segment,
            offset: last.offset)
        try PersistFile.fill(FileName.persist, after: 100, end: other, on: log.disk)
        #expect(
            failure(of: log.disk)
                == .corrupt(
                    file: second, offset: last.offset, defect: .contradicted(by: last.position)))
    }

    @Test func `a truncation voids the records of what it removes before it removes it`() throws {
        var log = try log()
        let plan = log.catalogue.truncate(from: LogIndex(6))
        let step = try log.writer.advance([.truncate(plan)], from: 0)
        #expect(step.isBarrier && step.end?.isTruncation == true)
        try log.persist.write(try #require(step.end))
        // What was to go is still there, and may be bad now.
        let found = try TestLog(recovering: SimulatedDisk(copying: log.disk))
        let place = try #require(found.catalogue.place(of: LogIndex(7)))
        log.disk.flipBit((place.offset + 58) * 8, of: second)
        #expect(try TestLog(recovering: log.disk).entries == Array(log.entries[..<6]))
    }

    // MARK: Records

    @Test func `recovery heals a damaged copy, and says so`() throws {
        var log = try log()
        log.disk.flipBit(4_096 * 8 + 3, of: FileName.persist)
        let found = try LogDirectory.recover(disk: log.disk, settings: testSettings)
        #expect(found.damagedCopies == 1)
        #expect(try LogDirectory.inspect(disk: log.disk).damagedCopies == 0)
        log = try TestLog(found, on: log.disk, settings: testSettings)
        try log.append([10])
        #expect(try log.reopened().entries == log.entries)
    }

    @Test func `format 1 of a persist record is these bytes`() throws {
        let end = DurableEnd(
            position: LogPosition(term: Term(2), index: LogIndex(3)), checksum: 0x362b_5fa3,
            segment: LogIndex(1), offset: 248, isTruncation: true)
        let disk = SimulatedDisk()
        try PersistFile.make(on: disk)
        try PersistRecord(counter: 5, end: end).store(on: disk)
        let bytes = try #require(disk.contents(of: FileName.persist))
        #expect(bytes.count == 16_384)
        #expect(bytes[8_192..<12_288] == bytes[12_288...])
        #expect(
            Hex.encode(Array(bytes[8_192..<8_256]))
                == "444159424b5052530100000001000000050000000000000002000000000000000300"
                + "0000000000000100000000000000f800000000000000a35f2b36c3ee3327")
        #expect(PersistFile(bytes.span)?.newest == PersistRecord(counter: 5, end: end))
    }
}
