package import Records

/// Reads a sealed segment from its file in order, every entry verified, in bounded memory.
package struct SegmentWalk<D: Disk> {
    /// Bytes of one read; longer entries are read whole.
    static var readBytes: Int { 1_024 * 1_024 }

    package struct Step {
        package let header: EntryHeader
        /// Where the entry begins in the file.
        package let offset: Int
        /// The entry's bytes in `window`.
        package let range: Range<Int>
    }

    private let disk: D
    private let file: String
    private let byteCount: Int
    package let header: SegmentHeader
    /// The bytes that were read last, from `windowStart` in the file on.
    package private(set) var window: [UInt8] = []
    private var windowStart = 0
    private var position: Int
    private var previous: EntryHeader?
    private var hasher: ChunkHasher?

    /// Begins at the file's header, which must be `expected` (nil: whatever it says).
    ///
    /// `hashing`: the digests of the whole file are made on the way.
    package init(
        _ disk: D, file: String, byteCount: Int, expected: SegmentHeader?, hashing: Bool = false
    ) throws(ReadFailure) {
        self.disk = disk
        self.file = file
        self.byteCount = byteCount
        hasher = hashing ? ChunkHasher() : nil
        let bytes: [UInt8]
        do {
            bytes = try disk.read(file, at: 0, count: SegmentHeader.compactedSize)
        } catch { throw .disk(error) }
        do {
            header = try SegmentHeader(verifying: bytes.span)
        } catch {
            throw .corrupt(file: file, offset: 0, defect: .header(error))
        }
        if let expected, expected != header {
            throw .corrupt(
                file: file, offset: 0,
                defect: .header(.mismatch(found: header, expected: expected)))
        }
        position = header.byteCount
        try read(at: 0, count: Self.readBytes)
    }

    /// The next entry; nil behind the SEAL, which must be the file's end.
    package mutating func next() throws(ReadFailure) -> Step? {
        if previous?.kind == .seal {
            guard position == byteCount else { throw corrupt(.bytesAfterSeal) }
            return nil
        }
        guard position < byteCount else { throw corrupt(.unsealed) }
        let entry = try entryHeader()
        guard follows(entry) else {
            throw corrupt(
                .discontinuity(found: entry.position, after: previous?.position ?? .zero))
        }
        defer {
            previous = entry
            position += entry.byteCount
        }
        let offset = position - windowStart
        return Step(
            header: entry, offset: position, range: offset..<(offset + entry.byteCount))
    }

    /// The header of the entry at `position`, whose bytes are all in the window then.
    private mutating func entryHeader() throws(ReadFailure) -> EntryHeader {
        while true {
            do {
                return try EntryHeader(verifying: window.span, at: position - windowStart)
            } catch {
                guard case .truncated(_, let need) = error, need <= byteCount - position,
                    windowStart < position || window.count < need
                else { throw corrupt(.entry(error)) }
                try read(at: position, count: max(need, Self.readBytes))
            }
        }
    }

    /// The digests of the file, once `next` has said nil. Only of a walk that hashes.
    package mutating func digests() -> ChunkDigests {
        guard var hasher, previous?.kind == .seal else {
            preconditionFailure("the digests of a segment that was not read to its end")
        }
        return hasher.finish()
    }

    private func follows(_ entry: EntryHeader) -> Bool {
        if let previous { return entry.follows(previous) }
        return entry.index == header.firstIndex && entry.term >= header.previousTerm
            && entry.firstSequence == header.firstSequence
            && entry.previousChecksum == header.previousChecksum
    }

    /// Makes the window begin at `start`. Bytes are hashed when they are read first.
    private mutating func read(at start: Int, count: Int) throws(ReadFailure) {
        let hashed = windowStart + window.count
        do {
            window = try disk.read(file, at: start, count: min(count, byteCount - start))
        } catch { throw .disk(error) }
        windowStart = start
        guard start + window.count > hashed else {
            if start + window.count < min(start + count, byteCount) { throw corrupt(.missing) }
            return
        }
        let bytes = window
        hasher?.update(bytes.span, in: (hashed - start)..<bytes.count)
    }

    /// What to say of a defect at the entry that `next` came to last, or could not come to.
    package func corrupt(_ defect: LogDefect) -> ReadFailure {
        .corrupt(file: file, offset: position, defect: defect)
    }
}
