import Records
import SegmentLog
import Simulation
import Testing

@testable import SegmentInspection

struct VerificationTests {
    private func reports(_ disk: SimulatedDisk) throws -> [FileReport] {
        var reports: [FileReport] = []
        var verification = Verification(disk: disk)
        try verification.run { _ in
        } report: {
            reports.append($0)
        }
        return reports
    }

    private func damage(_ disk: SimulatedDisk) throws -> [(file: String, range: Range<Int>)] {
        try reports(disk).flatMap { report in report.damage.map { (report.file, $0.range) } }
    }

    private func written() throws -> WrittenLog {
        var log = try WrittenLog()
        log.append(.noOperation)
        log.append(events: ["one", "two"])
        try log.seal()
        log.append(events: ["three"])
        try log.seal()
        log.append(events: ["one"])
        try log.seal(isArchived: false)
        log.append(events: ["four", "five"])
        log.store()
        return log
    }

    @Test func `a good directory has no damage and every file is reported once`() throws {
        let log = try written()
        let reports = try reports(log.disk)
        #expect(reports.allSatisfy { $0.damage.isEmpty })
        let names = try log.disk.list()
        #expect(reports.map(\.file).sorted() == names)
    }

    @Test func `a flipped bit is found in whatever file it is, and the file and place are named`()
        throws
    {
        let log = try written()
        for file in try log.disk.list() {
            let bytes = try #require(log.contents(file))
            // Zeros behind an open segment's entries, or behind a copy of the vote, mean nothing.
            let used = bytes.lastIndex { $0 != 0 } ?? 0
            for place in [0, 9, used / 2, used - 1] where place < used && bytes[place] != 0 {
                let copy = SimulatedDisk(copying: log.disk)
                copy.flipBit(place * 8, of: file)
                let found = try damage(copy)
                let isCopied =
                    [FileName.vote, FileName.persist].contains(file)
                    || file == log.file && place >= SegmentHeader.encodedSize
                if isCopied { continue }
                #expect(
                    found.contains { $0.file == file && $0.range.contains(place) },
                    "\(file) at \(place): \(found)")
            }
        }
    }

    @Test func `damage in an archived segment is named to its chunk where no entry says more`()
        throws
    {
        var log = try WrittenLog()
        log.append(events: (0..<600).map { "id-\($0)" }, notes: 300)
        let file = log.file
        try log.seal()
        // A header's reserved bytes are in no entry: the chunk's digest alone speaks.
        log.disk.flipBit(57 * 8, of: file)
        let found = try damage(log.disk)
        #expect(found.contains { $0.file == file && $0.range.contains(57) }, "\(found)")
        #expect(found.allSatisfy { $0.range.count <= 64 * 1_024 }, "\(found)")
    }

    @Test func `a segment that is missing is named with its length`() throws {
        for (index, isArchived) in [(1, true), (6, false)] {
            let log = try written()
            let file = FileName.segment(LogIndex(UInt64(index)))
            try log.disk.remove(file)
            let found = try damage(log.disk)
            try #require(found.contains { $0.file == file }, "\(file): \(found)")
            #expect(isArchived == found.contains { $0.file == file && !$0.range.isEmpty })
        }
    }

    @Test func `entries that were durable and are gone are missed`() throws {
        var log = try TestWriter()
        try log.append(5)
        #expect(try damage(log.disk).isEmpty)
        let file = FileName.segment(LogIndex(1))
        let last = try #require(log.places.last)
        log.disk.flipBit((last.offset + 20) * 8, of: file)
        let found = try damage(log.disk)
        #expect(found.count == 1 && found.first?.file == file)
        #expect(found.first?.range == last.offset..<last.end)
    }

    @Test func `a node that replaces files meanwhile leaves nothing damaged`() throws {
        var log = try written()
        try log.compactFirst(dropping: ["two"], cut: Sequence(3))
        let disk = ReplacingDisk(log)
        var reports: [FileReport] = []
        var verification = Verification(disk: disk)
        try verification.run { _ in
        } report: {
            reports.append($0)
        }
        #expect(disk.hasReplaced)
        #expect(reports.flatMap(\.damage) == [])
        #expect(reports.contains { $0.file == FileName.segment(LogIndex(1), generation: 1) })
        let listing = try SegmentListing(disk: ReplacingDisk(log), seed: .init(1)) { _ in }
        #expect(listing.rows.map(\.file.generation) == [1, 0, 0, 0])
    }
}

/// Shows the manifest from before a compaction until its input is asked for, which is gone then.
private final class ReplacingDisk: Disk {
    private let disk: SimulatedDisk
    private let old: [UInt8]
    private let input = FileName.segment(LogIndex(1))
    private(set) var hasReplaced = false

    init(_ log: WrittenLog) {
        disk = SimulatedDisk(copying: log.disk)
        old = log.manifestBeforeCompaction
    }

    func list() throws(DiskError) -> [String] {
        try disk.list().filter { !hasReplaced || $0 != input }
    }

    func byteCount(of name: String) throws(DiskError) -> Int? {
        if name == input {
            hasReplaced = true
            return nil
        }
        return isOld(name) ? old.count : try disk.byteCount(of: name)
    }

    func read(_ name: String, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        guard isOld(name) else { return try disk.read(name, at: offset, count: count) }
        return Array(old[offset..<min(old.count, offset + count)])
    }

    private func isOld(_ name: String) -> Bool {
        !hasReplaced && (name == FileName.manifest(0) || name == FileName.manifest(1))
    }

    func create(_ name: String, byteCount: Int) throws(DiskError) { throw refused(name) }
    func write(_ parts: [[UInt8]], to name: String, at offset: Int) throws(DiskError) {
        throw refused(name)
    }
    func resize(_ name: String, byteCount: Int) throws(DiskError) { throw refused(name) }
    func rename(_ name: String, to newName: String) throws(DiskError) { throw refused(name) }
    func remove(_ names: [String]) throws(DiskError) { throw refused("\(names)") }

    private func refused(_ name: String) -> DiskError {
        DiskError(operation: "change", file: name, code: 30)
    }
}

/// A log as the log writer and its persist records leave it.
private struct TestWriter {
    let disk = SimulatedDisk()
    private var catalogue: Catalogue
    private var writer: LogWriter<SimulatedDisk>
    private var persist: PersistWriter<SimulatedDisk>
    private(set) var places: [Place] = []

    init() throws {
        try LogDirectory.initialize(
            disk: disk,
            identity: DiskIdentity(
                clusterID: testCluster, nodeID: NodeID(1),
                incarnation: Identifier(high: 1, low: 2)))
        let settings = LogSettings(segmentBytes: 4_096)
        let recovered = try LogDirectory.recover(disk: disk, settings: settings)
        catalogue = recovered.catalogue
        writer = LogWriter(disk: disk, settings: settings, recovered: recovered)
        persist = PersistWriter(disk: disk, recovered: recovered)
    }

    mutating func append(_ count: Int) throws {
        for _ in 0..<count {
            let entry = Entry(
                kind: .noOperation, term: Term(1), after: catalogue.lastHeader,
                timestamp: Timestamp(microseconds: 1))
            let place = catalogue.append(entry.header)
            try writer.perform([.append(entry.bytes, at: place)], marking: &persist)
            places.append(place)
        }
    }
}
