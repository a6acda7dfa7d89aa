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

/// The first 64 bytes of a segment: only what follows from the log, so that sealed segments are
/// the same on every replica. docs/reference/segment-format.md has the layout.
package struct SegmentHeader: Equatable, Sendable {
    package static let encodedSize = 64
    package static let format: UInt32 = 1
    /// "DAYBKSEG"
    static let magic: UInt64 = 0x4745_534b_4259_4144

    package let clusterID: Identifier
    package let firstIndex: LogIndex
    /// Term of the entry before the first; zero in front of the log.
    package let previousTerm: Term
    /// Checksum of the entry before the first; 0 in front of the log.
    package let previousChecksum: UInt32
    package let firstSequence: Sequence

    /// The header of the segment that follows `previous` (nil: the log's first).
    package init(clusterID: Identifier, after previous: EntryHeader?) {
        self.clusterID = clusterID
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
        let found: UInt32 = bytes.littleEndian(at: 60)
        let expected = CRC32C.checksum(bytes.extracting(0..<60))
        guard found == expected else { throw .checksum(found: found, expected: expected) }
        let format: UInt32 = bytes.littleEndian(at: 8)
        guard format == Self.format else { throw .format(format) }
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
        bytes.append(littleEndian: Self.format)
        bytes.append(littleEndian: previousChecksum)
        clusterID.append(to: &bytes)
        bytes.append(littleEndian: firstIndex.value)
        bytes.append(littleEndian: previousTerm.value)
        bytes.append(littleEndian: firstSequence.value)
        bytes.append(littleEndian: UInt32(0))
        bytes.append(littleEndian: CRC32C.checksum(bytes.span))
        return bytes
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
