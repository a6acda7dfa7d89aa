import BugZoo
import Bytes
package import Records

/// The last entry of the log as a persist record states it: it and everything before it was
/// durable when the record was written.
package struct DurableEnd: Equatable, Sendable {
    /// Zero while nothing was written.
    package let position: LogPosition
    /// Checksum of that entry; 0 while nothing was written.
    package let checksum: UInt32
    /// First index of the segment that holds it.
    package let segment: LogIndex
    /// Offset after its last byte in the segment.
    package let offset: Int
    /// A truncation ended the log here: records of entries above it are void.
    package let isTruncation: Bool

    package init(
        position: LogPosition, checksum: UInt32, segment: LogIndex, offset: Int,
        isTruncation: Bool = false
    ) {
        self.position = position
        self.checksum = checksum
        self.segment = segment
        self.offset = offset
        self.isTruncation = isTruncation
    }

    /// The end of a log without entries.
    package static let none = DurableEnd(
        position: .zero, checksum: 0, segment: .zero, offset: 0)

    init(_ place: Place) {
        self.init(
            position: place.header.position, checksum: place.header.checksum,
            segment: place.segment, offset: place.end)
    }
}

/// One record of the file `persist`: how far the log was durable (decision 0012).
///
/// A record is cumulative, so the newest is the only one that counts. Each has a slot of its own
/// and two copies in it, 4 KiB apart, written with one write: no page that is lost takes both.
struct PersistRecord: Equatable {
    static let encodedSize = 64
    static let pageSize = 4_096
    static let copies = 2
    static let slots = 2
    static let slotSize = copies * pageSize
    static let fileSize = slots * slotSize
    static let newName = FileName.persist + ".new"
    /// "DAYBKPRS"
    private static let magic: UInt64 = 0x5352_504b_4259_4144
    private static let format: UInt32 = 1

    /// How many records there were; names the slot, and the newest record is true.
    let counter: UInt64
    let end: DurableEnd

    init(counter: UInt64, end: DurableEnd) {
        self.counter = counter
        self.end = end
    }

    /// Reads one copy, a whole page; nil when any bit of it is not as it was written.
    init?(_ bytes: Span<UInt8>, at begin: Int) {
        guard bytes.count >= begin + Self.pageSize,
            bytes.littleEndian(UInt64.self, at: begin) == Self.magic,
            bytes.littleEndian(UInt32.self, at: begin + 8) == Self.format,
            bytes.littleEndian(UInt32.self, at: begin + 60)
                == CRC32C.checksum(bytes.extracting(begin..<(begin + 60))),
            isZero(bytes.extracting((begin + Self.encodedSize)..<(begin + Self.pageSize)))
        else { return nil }
        let offset: UInt64 = bytes.littleEndian(at: begin + 48)
        guard offset <= UInt64(UInt32.max) else { return nil }
        counter = bytes.littleEndian(at: begin + 16)
        end = DurableEnd(
            position: LogPosition(
                term: Term(bytes.littleEndian(at: begin + 24)),
                index: LogIndex(bytes.littleEndian(at: begin + 32))),
            checksum: bytes.littleEndian(at: begin + 56),
            segment: LogIndex(bytes.littleEndian(at: begin + 40)), offset: Int(offset),
            isTruncation: bytes.littleEndian(UInt32.self, at: begin + 12) & 1 == 1)
        guard Self.slot(of: counter) == begin / Self.slotSize else { return nil }
    }

    /// One copy.
    private var page: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.pageSize)
        bytes.put(littleEndian: Self.magic, at: 0)
        bytes.put(littleEndian: Self.format, at: 8)
        bytes.put(littleEndian: UInt32(end.isTruncation ? 1 : 0), at: 12)
        bytes.put(littleEndian: counter, at: 16)
        bytes.put(littleEndian: end.position.term.value, at: 24)
        bytes.put(littleEndian: end.position.index.value, at: 32)
        bytes.put(littleEndian: end.segment.value, at: 40)
        bytes.put(littleEndian: UInt64(end.offset), at: 48)
        bytes.put(littleEndian: end.checksum, at: 56)
        bytes.put(littleEndian: CRC32C.checksum(bytes.span.extracting(0..<60)), at: 60)
        return bytes
    }

    static func slot(of counter: UInt64) -> Int { Int(counter % UInt64(slots)) }

    /// Writes both copies. Durable on return.
    func store(
        on disk: some Disk, name: String = FileName.persist
    ) throws(DiskError) {
        let page = page
        try disk.write(
            [page, page], to: name, at: Self.slot(of: counter) * Self.slotSize)
    }
}

/// What the file `persist` says as a whole.
struct PersistFile: Equatable {
    let newest: PersistRecord
    /// No copy in the slot of the next record is readable: it may have held a newer one.
    let isDoubtful: Bool
    /// Pages that are not readable.
    let damagedCopies: Int

    /// Reads the file; nil when no record is readable.
    init?(_ bytes: Span<UInt8>) {
        var newest: PersistRecord?
        var readable = [Int](repeating: 0, count: PersistRecord.slots)
        for copy in 0..<(PersistRecord.slots * PersistRecord.copies) {
            let begin = copy * PersistRecord.pageSize
            guard let record = PersistRecord(bytes, at: begin) else { continue }
            readable[begin / PersistRecord.slotSize] += 1
            if record.counter > newest?.counter ?? 0 { newest = record }
        }
        guard let newest else { return nil }
        self.newest = newest
        isDoubtful = readable[PersistRecord.slot(of: newest.counter + 1)] == 0
        damagedCopies = PersistRecord.slots * PersistRecord.copies - readable.reduce(0, +)
    }

    /// Makes the file, with a record of an empty log in each slot. Durable on return.
    static func make(on disk: some Disk) throws(DiskError) {
        try disk.create(FileName.persist, byteCount: PersistRecord.fileSize)
        try fill(FileName.persist, after: 0, end: .none, on: disk)
    }

    /// Makes all records say that the log ends at `end`, whatever they said. Durable on return.
    static func void(after end: DurableEnd, on disk: some Disk) throws(DiskError) {
        for name in [FileName.persist, PersistRecord.newName] {
            guard let bytes = try disk.contents(of: name) else { continue }
            let counter = PersistFile(bytes.span)?.newest.counter ?? 0
            return try _ = fill(name, after: counter, end: end, on: disk)
        }
    }

    /// Writes a record of `end` into every slot, and returns the last counter. Durable on return.
    @discardableResult
    static func fill(
        _ name: String, after counter: UInt64, end: DurableEnd, on disk: some Disk
    ) throws(DiskError) -> UInt64 {
        var counter = counter
        for _ in 0..<PersistRecord.slots {
            counter += 1
            try PersistRecord(counter: counter, end: end).store(on: disk, name: name)
        }
        return counter
    }
}

/// Writes persist records, one after the other. Owned by one thread.
package struct PersistWriter<D: Disk> {
    private let disk: D
    /// Of the last record.
    package private(set) var counter: UInt64

    /// Continues where `recover` left the file.
    package init(disk: D, recovered: Recovered) {
        self.init(disk: disk, counter: recovered.persistCounter)
    }

    package init(disk: D, counter: UInt64) {
        self.disk = disk
        self.counter = counter
    }

    /// Call it when everything through `end` is durable. The record is durable on return.
    package mutating func write(_ end: DurableEnd) throws(DiskError) {
        if PlantedBug.noPersistRecord.isPlanted { return }
        counter += 1
        try PersistRecord(counter: counter, end: end).store(on: disk)
    }
}

extension PersistWriter: Sendable where D: Sendable {}
