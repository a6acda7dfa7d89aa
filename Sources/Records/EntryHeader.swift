import Bytes

/// What an entry holds. All kinds are in the format from its first version, those that no command
/// writes yet included, so that older nodes can name what they do not understand.
package enum EntryKind: UInt8, CaseIterable, Sendable {
    /// The first entry of every log: who the cluster is. The same bytes on every founding node.
    case genesis = 1
    /// A batch of audit events.
    case events = 2
    /// What a new leader commits first (Raft paper section 8).
    case noOperation = 3
    /// The last entry of a segment.
    case seal = 4
    /// A change of the members.
    case membership = 5
    /// A change of the directory, with its administrative event.
    case directory = 6
    case compact = 7
    case compactDone = 8
    case compactAbandoned = 9
    /// Inputs of a compaction may be unlinked.
    case collect = 10
    case erase = 11
    case checkpoint = 12
    /// The apply rules are raised to a new version.
    case upgrade = 13
}

/// Why bytes are no entry. Offsets count from the entry's first byte.
package enum EntryDefect: Error, Equatable, Sendable {
    case truncated(have: Int, need: Int)
    case zeroed
    case format(UInt8)
    case kind(UInt8)
    case length(UInt32)
    case checksum(found: UInt32, expected: UInt32)
    /// A record of the entry is malformed at this offset.
    case record(offset: Int)
}

/// The fixed part in front of every log entry; docs/reference/record-format.md has the layout.
///
/// An entry is one batch as its leader wrote it, replicated verbatim, padding included.
package struct EntryHeader: Equatable, Sendable {
    /// Bytes of the encoded header.
    package static let encodedSize = 56
    package static let format: UInt8 = 1
    /// Entries begin and end at multiples of this many bytes.
    package static let alignment = 8

    package var kind: EntryKind
    /// Bytes of the whole entry: header, body and padding.
    package var byteCount: Int
    /// Bytes of the body alone.
    package var bodyByteCount: Int
    package var term: Term
    package var index: LogIndex
    /// The sequence of the first record, or the next one to be given out when there is none.
    package var firstSequence: Sequence
    /// Records in the body; each has one sequence.
    package var recordCount: Int
    /// The leader's time; record `i` counts as `i` microseconds later.
    package var timestamp: Timestamp
    /// The checksum of the entry before this one; 0 in front of the first.
    package var previousChecksum: UInt32
    /// CRC-32C of all other bytes of the entry.
    package var checksum: UInt32

    package var position: LogPosition { LogPosition(term: term, index: index) }
    package var nextSequence: Sequence { firstSequence.advanced(by: recordCount) }
    package var bodyRange: Range<Int> {
        Self.encodedSize..<(Self.encodedSize + bodyByteCount)
    }

    package init(
        kind: EntryKind, byteCount: Int, bodyByteCount: Int, term: Term, index: LogIndex,
        firstSequence: Sequence, recordCount: Int, timestamp: Timestamp, previousChecksum: UInt32,
        checksum: UInt32
    ) {
        self.kind = kind
        self.byteCount = byteCount
        self.bodyByteCount = bodyByteCount
        self.term = term
        self.index = index
        self.firstSequence = firstSequence
        self.recordCount = recordCount
        self.timestamp = timestamp
        self.previousChecksum = previousChecksum
        self.checksum = checksum
    }

    /// Reads the header at `offset`, checking its form and that `byteCount` bytes are there, but
    /// not the checksum.
    package init(decoding bytes: Span<UInt8>, at offset: Int) throws(EntryDefect) {
        let available = bytes.count - offset
        guard available >= Self.encodedSize else {
            throw .truncated(have: available, need: Self.encodedSize)
        }
        let format = bytes[offset]
        guard format == Self.format else {
            throw format == 0 ? .zeroed : .format(format)
        }
        guard let kind = EntryKind(rawValue: bytes[offset + 1]) else {
            throw .kind(bytes[offset + 1])
        }
        let length: UInt32 = bytes.littleEndian(at: offset + 4)
        let bodyLength: UInt32 = bytes.littleEndian(at: offset + 48)
        guard length <= Limits.entryBytes, bodyLength <= length,
            Int(length) == Self.paddedSize(bodyByteCount: Int(bodyLength))
        else { throw .length(length) }
        guard available >= Int(length) else {
            throw .truncated(have: available, need: Int(length))
        }
        self.kind = kind
        byteCount = Int(length)
        bodyByteCount = Int(bodyLength)
        term = Term(bytes.littleEndian(at: offset + 8))
        index = LogIndex(bytes.littleEndian(at: offset + 16))
        firstSequence = Sequence(bytes.littleEndian(at: offset + 24))
        recordCount = Int(bytes.littleEndian(UInt32.self, at: offset + 32))
        previousChecksum = bytes.littleEndian(at: offset + 36)
        timestamp = Timestamp(microseconds: bytes.littleEndian(at: offset + 40))
        checksum = bytes.littleEndian(at: offset + 52)
        // What no log reaches, and what arithmetic must not meet.
        let bound: UInt64 = 1 << 62
        guard term.value < bound, index.value < bound, firstSequence.value < bound,
            timestamp.microseconds.magnitude < bound,
            recordCount <= Limits.entryRecords
        else { throw .record(offset: 0) }
    }

    /// Reads the header at `offset` and verifies the checksum of the whole entry.
    package init(verifying bytes: Span<UInt8>, at offset: Int) throws(EntryDefect) {
        try self.init(decoding: bytes, at: offset)
        let expected = Self.checksum(of: bytes, at: offset, byteCount: byteCount)
        guard checksum == expected else {
            throw .checksum(found: checksum, expected: expected)
        }
    }

    /// Bytes of an entry whose body has `bodyByteCount` bytes.
    package static func paddedSize(bodyByteCount: Int) -> Int {
        (encodedSize + bodyByteCount + alignment - 1) / alignment * alignment
    }

    /// CRC-32C over the entry at `offset`, the checksum's own four bytes left out.
    static func checksum(of bytes: Span<UInt8>, at offset: Int, byteCount: Int) -> UInt32 {
        let head = CRC32C.checksum(bytes.extracting(offset..<(offset + 52)))
        return CRC32C.checksum(
            bytes.extracting((offset + encodedSize)..<(offset + byteCount)), continuing: head)
    }

    /// Writes the header over the bytes at `offset` of `bytes`, which end with one whole entry, its
    /// body and padding in place, and sets the checksum in both.
    package mutating func seal(into bytes: inout [UInt8], at offset: Int = 0) {
        precondition(
            bytes.count - offset == byteCount, "\(bytes.count - offset) bytes are not \(byteCount)")
        bytes[offset] = Self.format
        bytes[offset + 1] = kind.rawValue
        bytes.put(littleEndian: UInt16(0), at: offset + 2)
        bytes.put(littleEndian: UInt32(byteCount), at: offset + 4)
        bytes.put(littleEndian: term.value, at: offset + 8)
        bytes.put(littleEndian: index.value, at: offset + 16)
        bytes.put(littleEndian: firstSequence.value, at: offset + 24)
        bytes.put(littleEndian: UInt32(recordCount), at: offset + 32)
        bytes.put(littleEndian: previousChecksum, at: offset + 36)
        bytes.put(littleEndian: timestamp.microseconds, at: offset + 40)
        bytes.put(littleEndian: UInt32(bodyByteCount), at: offset + 48)
        checksum = Self.checksum(of: bytes.span, at: offset, byteCount: byteCount)
        bytes.put(littleEndian: checksum, at: offset + 52)
    }
}
