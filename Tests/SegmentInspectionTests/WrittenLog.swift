import Bytes
import Crypto
import Records
import SegmentLog
import Simulation
import Testing

let testCluster = Identifier(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)

/// A node's directory that is written file by file, as a node and its maintenance leave it.
struct WrittenLog {
    let disk = SimulatedDisk()
    private(set) var last: EntryHeader?
    private(set) var manifest = Manifest(clusterID: testCluster)
    private(set) var manifestBeforeCompaction: [UInt8] = []
    private var header: SegmentHeader
    private var bytes: [UInt8]
    private var catalogue: SegmentCatalogue

    init() throws {
        try LogDirectory.initialize(
            disk: disk,
            identity: DiskIdentity(
                clusterID: testCluster, nodeID: NodeID(3),
                incarnation: Identifier(high: 21, low: 22)))
        header = SegmentHeader(clusterID: testCluster, after: nil)
        bytes = header.encoded
        catalogue = SegmentCatalogue(header: header)
    }

    /// The open segment's file.
    var file: String { FileName.segment(header.firstIndex) }
    func contents(_ name: String) -> [UInt8]? { disk.contents(of: name) }
    /// Behind the last entry of the open segment.
    var end: Int { bytes.count }

    /// Appends an entry to the open segment.
    @discardableResult
    mutating func append(
        _ kind: EntryKind, records: Int = 0, _ body: [UInt8] = []
    ) -> EntryHeader {
        let entry = Entry(
            kind: kind, term: Term(1), after: last, recordCount: records,
            timestamp: Timestamp(microseconds: 1_000 + Int64(last?.index.value ?? 0)), body: body)
        bytes += entry.bytes
        catalogue.append(entry.header)
        last = entry.header
        return entry.header
    }

    /// Appends one entry with an event of each of these ids.
    mutating func append(events ids: [String], notes: Int = 20) {
        append(.events, records: ids.count, ids.flatMap { TestEvent.record($0, notes: notes) })
    }

    /// Writes the open segment as a node does: zeros up to 8 KiB behind its entries.
    func store() {
        let zeros = [UInt8](repeating: 0, count: max(0, 8_192 - bytes.count))
        disk.replace(file, with: bytes + zeros)
    }

    /// Ends the segment with a SEAL; in the archive when `isArchived`.
    mutating func seal(isArchived: Bool = true) throws {
        let seal = append(.seal)
        disk.replace(file, with: bytes)
        if isArchived { try archive(bytes, catalogue, seal) }
        header = SegmentHeader(clusterID: testCluster, after: seal)
        bytes = header.encoded
        catalogue = SegmentCatalogue(header: header)
    }

    private mutating func archive(
        _ bytes: [UInt8], _ catalogue: SegmentCatalogue, _ seal: EntryHeader
    ) throws {
        let hash = SHA256()
        var hasher = ChunkHasher()
        hasher.update(bytes.span, in: 0..<bytes.count)
        let places = SegmentPlaces(
            digests: hasher.finish(), catalogue: catalogue, summary: [])
        let state = StateTableFile(seal: seal.index, bytes: Array("state \(seal.index)".utf8))
        try state.store(on: disk)
        let descriptor = SegmentDescriptor(
            header: catalogue.header, seal: seal, byteCount: bytes.count,
            digest: places.digests.root(hash),
            stateTable: StateTableFile.digest(of: state.bytes, hash))
        disk.replace(descriptor.places, with: places.encoded)
        manifest.append(
            descriptor, runs: [.init(firstIndex: catalogue.firstIndex, term: Term(1))])
        try manifest.store(on: disk, hash)
    }

    /// Puts a compacted segment in the place of the first one, whose events become stubs where
    /// `ids` holds their unique_id.
    mutating func compactFirst(dropping ids: Set<String>, cut: Sequence) throws {
        let hash = SHA256()
        let old = manifest.segments[0]
        let source = try #require(contents(old.file))
        let compacted = CompactedHeader(
            generation: 1, cut: cut, compaction: LogIndex(99), sealChecksum: old.seal.checksum)
        let header = SegmentHeader(clusterID: testCluster, after: nil, compaction: compacted)
        var bytes = header.encoded
        var previous: EntryHeader?
        var offset = SegmentHeader.encodedSize
        while offset < source.count {
            let entry = try EntryHeader(verifying: source.span, at: offset)
            let copy = Entry(
                kind: entry.kind, term: entry.term, after: previous,
                recordCount: entry.recordCount, timestamp: entry.timestamp,
                body: try TestEvent.body(entry, at: offset, of: source, dropping: ids))
            bytes += copy.bytes
            previous = copy.header
            offset += entry.byteCount
        }
        var hasher = ChunkHasher()
        hasher.update(bytes.span, in: 0..<bytes.count)
        let output = SegmentDescriptor(
            header: header, seal: old.seal, byteCount: bytes.count,
            digest: hasher.finish().root(hash), stateTable: old.stateTable)
        disk.replace(output.file, with: bytes)
        manifestBeforeCompaction = manifest.encoded(hash)
        manifest.replace(with: [output], through: LogIndex(99))
        try manifest.store(on: disk, hash)
    }
}

/// Records of audit events.
enum TestEvent {
    static func record(_ uniqueID: String, notes: Int) -> [UInt8] {
        var values: [UInt8] = []
        let append = { (text: String) in
            let start = values.count
            values.append(contentsOf: text.utf8)
            return start..<values.count
        }
        var parameters = EventParameters()
        parameters.uniqueID = append(uniqueID)
        parameters.scriptName = append("script")
        parameters.hostName = append("host")
        parameters.fileName = append("file")
        parameters.startTime = append("a time")
        parameters.startedAt = Timestamp(microseconds: 5)
        parameters.notes = append("\"" + String(repeating: "n", count: notes) + "\"")
        parameters.canonicalNotes = parameters.notes
        var record: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: Array("planox2".utf8),
            writtenBy: Array("00112233445566aa".utf8), hash: SHA256(), to: &record)
        return record
    }

    /// The body of an entry with stubs in the place of the events of `ids`.
    static func body(
        _ entry: EntryHeader, at offset: Int, of bytes: [UInt8], dropping ids: Set<String>
    ) throws -> [UInt8] {
        let end = offset + entry.bodyRange.upperBound
        var body: [UInt8] = []
        var place = offset + entry.bodyRange.lowerBound
        for ordinal in 0..<entry.recordCount {
            let record = try RecordView(decoding: bytes.span, at: place, end: end)
            let id = String(decoding: bytes[record.uniqueID], as: UTF8.self)
            if ids.contains(id) {
                var leaf: [UInt8] = [Leaf.format]
                leaf.append(littleEndian: entry.firstSequence.value + UInt64(ordinal))
                leaf.append(contentsOf: [UInt8](repeating: 7, count: 40))
                RecordStub.compacted(
                    leafEntry: leaf, contentDigest: .zero, salt: Array(repeating: 1, count: 16),
                    revision: Revision(1), uniqueID: Array(id.utf8)
                ).append(to: &body)
            } else {
                body += bytes[record.range]
            }
            place = record.range.upperBound
        }
        return body + bytes[place..<end]
    }
}
