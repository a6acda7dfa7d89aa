import Bytes
package import Records

/// Reads one segment's bytes into the catalogue, and decides what its end is.
///
/// Torn or corrupt: the writer has at most one write in flight, and bytes behind the last entry
/// are zeros. So a bad place in the last segment is the torn end of that write when no good entry
/// follows it, or none beyond the group that was announced. Everything else had been written
/// before something later was, so it was durable once: corrupt.
struct SegmentScan {
    enum End: Equatable {
        /// A SEAL is the last entry, at the file's last byte.
        case sealed
        /// A SEAL is the last entry; zeros follow, because the cut to length is still due.
        case sealedUncut
        /// Zeros, or nothing, follow the last entry.
        case open
        /// What follows the last entry was never acknowledged.
        case torn(LogDefect)
    }

    let name: String
    let isLast: Bool
    let announcement: Announcement?

    /// Appends the segment's entries to `catalogue`. Nothing is written.
    func run(
        _ bytes: Span<UInt8>, into catalogue: inout Catalogue
    ) throws(RecoveryFailure) -> End {
        let expected = SegmentHeader(clusterID: catalogue.clusterID, after: catalogue.lastHeader)
        if let defect = headerDefect(bytes, expected: expected) {
            guard defect.canBeTorn else { throw corrupt(at: 0, .header(defect)) }
            try verifyTorn(bytes, at: 0, lastIndex: catalogue.lastIndex, defect: .header(defect))
            return .torn(.header(defect))
        }
        var offset = SegmentHeader.encodedSize
        while offset < bytes.count {
            let header: EntryHeader
            do {
                header = try EntryHeader(verifying: bytes, at: offset)
            } catch {
                return try tail(of: bytes, at: offset, catalogue: catalogue, defect: error)
            }
            guard header.follows(catalogue.lastHeader) else {
                throw corrupt(
                    at: offset,
                    .discontinuity(found: header.position, after: catalogue.lastPosition))
            }
            _ = catalogue.append(header)
            offset += header.byteCount
            if header.kind == .seal { return try afterSeal(bytes, at: offset) }
        }
        guard isLast else { throw corrupt(at: offset, .unsealed) }
        return .open
    }

    private func headerDefect(
        _ bytes: Span<UInt8>, expected: SegmentHeader
    ) -> SegmentHeaderDefect? {
        do {
            let found = try SegmentHeader(verifying: bytes)
            return found == expected ? nil : .mismatch(found: found, expected: expected)
        } catch { return error }
    }

    private func afterSeal(_ bytes: Span<UInt8>, at offset: Int) throws(RecoveryFailure) -> End {
        if offset == bytes.count { return .sealed }
        guard isLast, isZero(bytes.extracting(offset..<bytes.count)) else {
            throw corrupt(at: offset, .bytesAfterSeal)
        }
        return .sealedUncut
    }

    private func tail(
        of bytes: Span<UInt8>, at offset: Int, catalogue: Catalogue, defect: EntryDefect
    ) throws(RecoveryFailure) -> End {
        if isLast, isZero(bytes.extracting(offset..<bytes.count)) { return .open }
        guard !bytes.hasSoundChecksum(at: offset) else {
            throw corrupt(at: offset, .entry(defect))
        }
        try verifyTorn(
            bytes, at: offset, lastIndex: catalogue.lastIndex, defect: .entry(defect))
        return .torn(.entry(defect))
    }

    /// Throws `corrupt` unless what lies at `offset` is the torn end of the last write.
    private func verifyTorn(
        _ bytes: Span<UInt8>, at offset: Int, lastIndex: LogIndex, defect: LogDefect
    ) throws(RecoveryFailure) {
        guard isLast else { throw corrupt(at: offset, defect) }
        var begin = offset + EntryHeader.alignment
        if let announcement, FileName.segment(announcement.segment) == name,
            announcement.range.contains(offset)
        {
            begin = max(begin, announcement.range.upperBound)
        }
        // The bad place is where an entry after `lastIndex` belongs, so a good one behind it has
        // a higher index yet; a bad segment header stands in front of that very entry.
        let bound = offset == 0 ? lastIndex : lastIndex.next
        if findsEntry(in: bytes, from: begin, above: bound) { throw corrupt(at: offset, defect) }
    }

    /// Whether any entry that could be this log's lies at a multiple of 8 from `begin` on.
    ///
    /// Bytes that a client sent may look like one: then a torn end is taken for damage, the node
    /// does not start, and nothing is lost.
    private func findsEntry(
        in bytes: Span<UInt8>, from begin: Int, above bound: LogIndex
    ) -> Bool {
        var offset = begin
        while offset + EntryHeader.encodedSize <= bytes.count {
            if bytes[offset] == EntryHeader.format {
                let index = LogIndex(bytes.littleEndian(at: offset + 16))
                let furthest = bound.advanced(by: bytes.count / EntryHeader.encodedSize + 1)
                if index > bound, index <= furthest,
                    (try? EntryHeader(verifying: bytes, at: offset)) != nil
                {
                    return true
                }
            }
            offset += EntryHeader.alignment
        }
        return false
    }

    private func corrupt(at offset: Int, _ defect: LogDefect) -> RecoveryFailure {
        .corrupt(file: name, offset: offset, defect: defect)
    }
}

extension SegmentHeaderDefect {
    /// Whether a write that was cut may leave it. A sound header of another version, or of another
    /// place, was written whole.
    var canBeTorn: Bool {
        switch self {
        case .truncated, .zeroed, .magic, .checksum: true
        case .format, .mismatch: false
        }
    }
}

extension Span<UInt8> {
    /// Whether an entry of a kind or format that this version does not know, but whole by its
    /// length and checksum, lies at `offset`.
    fileprivate func hasSoundChecksum(at offset: Int) -> Bool {
        guard count - offset >= EntryHeader.encodedSize else { return false }
        let byteCount = Int(littleEndian(UInt32.self, at: offset + 4))
        guard byteCount >= EntryHeader.encodedSize, byteCount <= count - offset else {
            return false
        }
        let head = CRC32C.checksum(extracting(offset..<(offset + 52)))
        return littleEndian(UInt32.self, at: offset + 52)
            == CRC32C.checksum(
                extracting((offset + EntryHeader.encodedSize)..<(offset + byteCount)),
                continuing: head)
    }
}

extension EntryHeader {
    /// Whether this is an entry that may come right after `previous` (nil: as the log's first).
    package func follows(_ previous: EntryHeader?) -> Bool {
        index == previous?.index.next ?? LogIndex(1)
            && term >= previous?.term ?? .zero
            && firstSequence == previous?.nextSequence ?? .zero
            && previousChecksum == previous?.checksum ?? 0
    }
}
