import Bytes
package import Records

/// Why 64 bytes are no segment header, or not the one that the log demands here.
package enum SegmentHeaderDefect: Error, Equatable, Sendable {
    case truncated(have: Int)
    case zeroed
    case magic
    case format(UInt32)
    case checksum(found: UInt32, expected: UInt32)
    /// Sound, but of another cluster or another place in the log.
    case mismatch(found: SegmentHeader, expected: SegmentHeader)
}

/// The first bytes of a segment: only what follows from the log, so that sealed segments are
/// the same on every replica. docs/reference/segment-format.md has the layout.
package struct SegmentHeader: Equatable, Sendable {
    /// Bytes of the header of a segment that was never compacted.
    package static let encodedSize = 64
    /// Bytes of the header of a compacted one.
    package static let compactedSize = 128
    package static let format: UInt32 = 1
    package static let compactedFormat: UInt32 = 2
    /// "DAYBKSEG"
    static let magic: UInt64 = 0x4745_534b_4259_4144

    package let clusterID: Identifier
    package let firstIndex: LogIndex
    /// Term of the entry before the first; zero in front of the log.
    package let previousTerm: Term
    /// Checksum of the entry before the first; 0 in front of the log.
    package let previousChecksum: UInt32
    package let firstSequence: Sequence
    /// nil in a segment that was never compacted.
    package let compaction: CompactedHeader?

    /// Bytes of the encoded header, where the first entry begins.
    package var byteCount: Int { compaction == nil ? Self.encodedSize : Self.compactedSize }

    /// The header of the segment that follows `previous` (nil: the log's first).
    package init(
        clusterID: Identifier, after previous: EntryHeader?, compaction: CompactedHeader? = nil
    ) {
        self.clusterID = clusterID
        self.compaction = compaction
        firstIndex = previous?.index.next ?? LogIndex(1)
        previousTerm = previous?.term ?? .zero
        previousChecksum = previous?.checksum ?? 0
        firstSequence = previous?.nextSequence ?? .zero
    }

    /// Reads and verifies the first bytes of a segment.
    package init(verifying bytes: Span<UInt8>) throws(SegmentHeaderDefect) {
        guard bytes.count >= Self.encodedSize else { throw .truncated(have: bytes.count) }
        guard bytes.littleEndian(UInt64.self, at: 0) == Self.magic else {
            throw isZero(bytes.extracting(0..<Self.encodedSize)) ? .zeroed : .magic
        }
        let format: UInt32 = bytes.littleEndian(at: 8)
        let size = format == Self.compactedFormat ? Self.compactedSize : Self.encodedSize
        guard bytes.count >= size else { throw .truncated(have: bytes.count) }
        let found: UInt32 = bytes.littleEndian(at: size - 4)
        let expected = CRC32C.checksum(bytes.extracting(0..<(size - 4)))
        guard found == expected else { throw .checksum(found: found, expected: expected) }
        guard format == Self.format || format == Self.compactedFormat else {
            throw .format(format)
        }
        var cursor = ByteCursor(56..<size)
        compaction =
            format == Self.compactedFormat ? try? CompactedHeader(&cursor, bytes) : nil
        previousChecksum = bytes.littleEndian(at: 12)
        clusterID = Identifier(bytes, at: 16)
        firstIndex = LogIndex(bytes.littleEndian(at: 32))
        previousTerm = Term(bytes.littleEndian(at: 40))
        firstSequence = Sequence(bytes.littleEndian(at: 48))
    }

    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.encodedSize)
        bytes.append(littleEndian: Self.magic)
        bytes.append(littleEndian: compaction == nil ? Self.format : Self.compactedFormat)
        bytes.append(littleEndian: previousChecksum)
        clusterID.append(to: &bytes)
        bytes.append(littleEndian: firstIndex.value)
        bytes.append(littleEndian: previousTerm.value)
        bytes.append(littleEndian: firstSequence.value)
        if let compaction { CompactedHeader.append(compaction, to: &bytes) }
        while bytes.count < byteCount - 4 { bytes.append(0) }
        bytes.append(littleEndian: CRC32C.checksum(bytes.span))
        return bytes
    }
}

/// What the header of a compacted segment says beyond a segment's.
package struct CompactedHeader: Equatable, Sendable {
    /// How often it was compacted, from 1.
    package let generation: UInt32
    /// Events from this sequence on did not count when the policy was judged.
    package let cut: Sequence
    /// The entry that commanded it.
    package let compaction: LogIndex
    /// The checksum of the SEAL before any compaction, which the next segment refers to.
    package let sealChecksum: UInt32

    package init(
        generation: UInt32, cut: Sequence, compaction: LogIndex, sealChecksum: UInt32
    ) {
        precondition(generation > 0, "generation 0 was not compacted")
        self.generation = generation
        self.cut = cut
        self.compaction = compaction
        self.sealChecksum = sealChecksum
    }

    /// Reads what `append` writes: nil for generation 0.
    init?(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        generation = try cursor.integer(bytes)
        sealChecksum = try cursor.integer(bytes)
        cut = Sequence(try cursor.integer(bytes))
        compaction = LogIndex(try cursor.integer(bytes))
        guard generation > 0 else { return nil }
    }

    static func append(_ header: CompactedHeader?, to bytes: inout [UInt8]) {
        bytes.append(littleEndian: header?.generation ?? 0)
        bytes.append(littleEndian: header?.sealChecksum ?? 0)
        bytes.append(littleEndian: header?.cut.value ?? 0)
        bytes.append(littleEndian: header?.compaction.value ?? 0)
    }
}

/// Whether every byte is zero.
func isZero(_ bytes: Span<UInt8>) -> Bool {
    var offset = 0
    while offset + 8 <= bytes.count {
        if bytes.littleEndian(UInt64.self, at: offset) != 0 { return false }
        offset += 8
    }
    while offset < bytes.count {
        if bytes[offset] != 0 { return false }
        offset += 1
    }
    return true
}
