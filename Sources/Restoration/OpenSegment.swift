import Bytes
import Crypto
import Records
import SegmentLog

/// The last segment of a restored log while it is made.
struct OpenSegment {
    private let header: SegmentHeader
    /// The entry before the segment; nil in front of the log.
    let before: EntryHeader?
    private(set) var last: EntryHeader?
    private(set) var runs: [Manifest.TermRun] = []
    private var entries: [UInt8] = []

    init(header: SegmentHeader, before: EntryHeader?) {
        self.header = header
        self.before = before
    }

    var term: Term { (last ?? before)?.term ?? .zero }
    var nextSequence: Sequence { (last ?? before)?.nextSequence ?? header.firstSequence }
    /// Behind the time of the last record.
    var nextTimestamp: Timestamp {
        guard let end = last ?? before else { return Timestamp(microseconds: 0) }
        return end.timestamp.advanced(byMicroseconds: max(end.recordCount, 1))
    }

    mutating func append(_ entry: EntryHeader, _ bytes: [UInt8]) {
        precondition(
            entry.index == (last ?? before)?.index.next ?? LogIndex(1), "entry \(entry.index)")
        if runs.last?.term != entry.term {
            runs.append(.init(firstIndex: entry.index, term: entry.term))
        }
        entries += bytes
        last = entry
    }

    mutating func append(_ entry: Entry) { append(entry.header, entry.bytes) }

    mutating func seal(term: Term) {
        append(
            Entry(kind: .seal, term: term, after: last ?? before, timestamp: nextTimestamp))
    }

    /// The file, sealed. In a compacted one the SEAL is another than it was.
    var encoded: [UInt8] { sealedHeader.encoded + entries }

    private var sealedHeader: SegmentHeader {
        guard let compaction = header.compaction, let last else { return header }
        return SegmentHeader(
            clusterID: header.clusterID, after: before,
            compaction: CompactedHeader(
                generation: compaction.generation, cut: compaction.cut,
                compaction: compaction.compaction, sealChecksum: last.checksum))
    }

    func descriptor(state: StateTableFile, _ hash: SHA256) -> SegmentDescriptor {
        guard let last else { preconditionFailure("a segment without entries") }
        let bytes = encoded
        var hasher = ChunkHasher(hash)
        hasher.update(bytes.span, in: 0..<bytes.count)
        return SegmentDescriptor(
            header: sealedHeader, seal: last, byteCount: bytes.count,
            digest: hasher.finish().root(hash),
            stateTable: StateTableFile.digest(of: state.bytes, hash))
    }
}
