import Bytes
package import Records

/// Reads one segment's bytes into the catalogue, and says what its end is. What that means is
/// decided by `TailJudgement`.
struct SegmentScan {
    enum End: Equatable {
        /// A SEAL is the last entry, at the file's last byte.
        case sealed
        /// A SEAL is the last entry; zeros follow, because the cut to length is still due.
        case sealedUncut
        /// Zeros, or nothing, follow the last entry.
        case open
        /// No good entry is where one belongs.
        case bad(TailPlace, offset: Int, LogDefect)
    }

    let name: String

    /// Appends the segment's entries to `catalogue`. Nothing is written.
    func run(
        _ bytes: Span<UInt8>, into catalogue: inout Catalogue
    ) throws(RecoveryFailure) -> End {
        let expected = SegmentHeader(clusterID: catalogue.clusterID, after: catalogue.lastHeader)
        if let defect = headerDefect(bytes, expected: expected) {
            return .bad(defect.place, offset: 0, .header(defect))
        }
        var offset = SegmentHeader.encodedSize
        while offset < bytes.count {
            let header: EntryHeader
            do {
                header = try EntryHeader(verifying: bytes, at: offset)
            } catch {
                if isZero(bytes.extracting(offset..<bytes.count)) { return .open }
                let place: TailPlace = bytes.hasSoundChecksum(at: offset) ? .unknown : .bad
                return .bad(place, offset: offset, .entry(error))
            }
            guard header.follows(catalogue.lastHeader) else {
                return .bad(
                    .stray, offset: offset,
                    .discontinuity(found: header.position, after: catalogue.lastPosition))
            }
            _ = catalogue.append(header)
            offset += header.byteCount
            if header.kind == .seal { return try afterSeal(bytes, at: offset) }
        }
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
        guard isZero(bytes.extracting(offset..<bytes.count)) else {
            throw .corrupt(file: name, offset: offset, defect: .bytesAfterSeal)
        }
        return .sealedUncut
    }

    /// The first good entry after index `bound` that lies at a multiple of 8 behind the header.
    static func firstEntry(in bytes: Span<UInt8>, after bound: LogIndex) -> EntryHeader? {
        var offset = SegmentHeader.encodedSize
        while offset + EntryHeader.encodedSize <= bytes.count {
            if bytes[offset] == EntryHeader.format,
                LogIndex(bytes.littleEndian(at: offset + 16)) > bound,
                let header = try? EntryHeader(verifying: bytes, at: offset)
            {
                return header
            }
            offset += EntryHeader.alignment
        }
        return nil
    }
}

extension SegmentHeaderDefect {
    /// A write that was cut leaves no sound header of another place or version.
    fileprivate var place: TailPlace {
        switch self {
        case .truncated, .zeroed, .magic, .checksum: .bad
        case .format: .unknown
        case .mismatch: .stray
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
