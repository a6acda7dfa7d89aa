package import Bytes

/// One whole log entry: its bytes and what its header says.
package struct Entry: Equatable, Sendable {
    package let header: EntryHeader
    package let bytes: [UInt8]

    /// Adopts the bytes of exactly one entry, verified.
    package init(verifying bytes: [UInt8]) throws(EntryDefect) {
        header = try EntryHeader(verifying: bytes.span, at: 0)
        guard header.byteCount == bytes.count else {
            throw .length(UInt32(truncatingIfNeeded: bytes.count))
        }
        self.bytes = bytes
    }

    /// Makes the entry that follows `previous` (nil in front of the first).
    ///
    /// `body` holds `recordCount` records, and behind them the kind's own payload.
    package init(
        kind: EntryKind, term: Term, after previous: EntryHeader?, recordCount: Int = 0,
        timestamp: Timestamp, body: [UInt8] = []
    ) {
        var bytes = [UInt8](repeating: 0, count: EntryHeader.encodedSize)
        bytes.reserveCapacity(EntryHeader.paddedSize(bodyByteCount: body.count))
        bytes.append(contentsOf: body)
        self.init(
            sealing: &bytes, kind: kind, term: term, after: previous, recordCount: recordCount,
            timestamp: timestamp)
    }

    /// Makes an entry out of `bytes`: room for the header, then the body. No bytes are copied.
    package init(
        sealing bytes: inout [UInt8], kind: EntryKind, term: Term, after previous: EntryHeader?,
        recordCount: Int, timestamp: Timestamp
    ) {
        let bodyByteCount = bytes.count - EntryHeader.encodedSize
        precondition(bodyByteCount >= 0, "no room for the header")
        let byteCount = EntryHeader.paddedSize(bodyByteCount: bodyByteCount)
        precondition(byteCount <= Limits.entryBytes, "an entry of \(byteCount) bytes")
        while bytes.count < byteCount { bytes.append(0) }
        var header = EntryHeader(
            kind: kind, byteCount: byteCount, bodyByteCount: bodyByteCount, term: term,
            index: previous?.index.next ?? LogIndex(1),
            firstSequence: previous?.nextSequence ?? .zero, recordCount: recordCount,
            timestamp: timestamp, previousChecksum: previous?.checksum ?? 0, checksum: 0)
        header.seal(into: &bytes)
        self.header = header
        self.bytes = bytes
        bytes = []
    }
}

extension Entry {
    /// The members that the entry sets; nil when it is of another kind. Throws when it is malformed.
    package func membership() throws(ByteDefect) -> Membership? {
        guard header.kind == .membership else { return nil }
        var cursor = ByteCursor(header.bodyRange)
        guard
            case .membership(let membership) = try ControlPayload(
                .membership, &cursor, bytes.span)
        else { throw ByteDefect(offset: header.bodyRange.lowerBound) }
        return membership
    }
}
