package import Bytes
package import Records

/// What the manifest says of one archived segment.
package struct SegmentDescriptor: Equatable, Sendable {
    /// The cluster in whose time it was written: another one's where a backup was restored.
    package let clusterID: Identifier
    package let firstIndex: LogIndex
    package let firstSequence: Sequence
    /// The SEAL that ends it, as it was before any compaction: what the next segment continues.
    package let seal: EntryHeader
    /// nil while it was never compacted.
    package let compaction: CompactedHeader?
    /// Bytes of the file.
    package let byteCount: Int
    /// The root of the file's `ChunkDigests`.
    package let digest: Digest
    /// Of the state table written at its SEAL.
    package let stateTable: Digest

    package init(
        header: SegmentHeader, seal: EntryHeader, byteCount: Int, digest: Digest,
        stateTable: Digest
    ) {
        precondition(seal.kind == .seal && seal.index >= header.firstIndex, "no seal: \(seal)")
        clusterID = header.clusterID
        firstIndex = header.firstIndex
        firstSequence = header.firstSequence
        self.seal = seal
        compaction = header.compaction
        self.byteCount = byteCount
        self.digest = digest
        self.stateTable = stateTable
    }

    package var lastIndex: LogIndex { seal.index }
    package var nextSequence: Sequence { seal.nextSequence }
    package var generation: UInt32 { compaction?.generation ?? 0 }
    package var file: String { FileName.segment(firstIndex, generation: generation) }
    package var places: String { FileName.places(firstIndex, generation: generation) }

    /// The header that its file must begin with; `previous` is the segment before.
    package func header(after previous: SegmentDescriptor?) -> SegmentHeader {
        SegmentHeader(clusterID: clusterID, after: previous?.seal, compaction: compaction)
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        clusterID = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
        firstIndex = LogIndex(try cursor.integer(bytes))
        firstSequence = Sequence(try cursor.integer(bytes))
        byteCount = Int(try cursor.integer(bytes, as: UInt32.self))
        digest = try Digest(&cursor, bytes)
        stateTable = try Digest(&cursor, bytes)
        let term = Term(try cursor.integer(bytes))
        let index = LogIndex(try cursor.integer(bytes))
        let next = Sequence(try cursor.integer(bytes))
        let time = Timestamp(microseconds: try cursor.integer(bytes))
        let sealBytes = Int(try cursor.integer(bytes, as: UInt32.self))
        let bodyBytes = Int(try cursor.integer(bytes, as: UInt32.self))
        let previousChecksum = try cursor.integer(bytes, as: UInt32.self)
        let checksum = try cursor.integer(bytes, as: UInt32.self)
        seal = EntryHeader(
            kind: .seal, byteCount: sealBytes, bodyByteCount: bodyBytes, term: term, index: index,
            firstSequence: next, recordCount: 0, timestamp: time,
            previousChecksum: previousChecksum, checksum: checksum)
        compaction = try CompactedHeader(&cursor, bytes)
        guard index >= firstIndex, next >= firstSequence else { throw ByteDefect(offset: place) }
    }

    func append(to bytes: inout [UInt8]) {
        clusterID.append(to: &bytes)
        bytes.append(littleEndian: firstIndex.value)
        bytes.append(littleEndian: firstSequence.value)
        bytes.append(littleEndian: UInt32(byteCount))
        digest.append(to: &bytes)
        stateTable.append(to: &bytes)
        bytes.append(littleEndian: seal.term.value)
        bytes.append(littleEndian: seal.index.value)
        bytes.append(littleEndian: seal.firstSequence.value)
        bytes.append(littleEndian: seal.timestamp.microseconds)
        bytes.append(littleEndian: UInt32(seal.byteCount))
        bytes.append(littleEndian: UInt32(seal.bodyByteCount))
        bytes.append(littleEndian: seal.previousChecksum)
        bytes.append(littleEndian: seal.checksum)
        CompactedHeader.append(compaction, to: &bytes)
    }
}
