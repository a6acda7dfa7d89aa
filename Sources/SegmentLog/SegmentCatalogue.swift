import Records

/// Where the entries of one segment are: 21 bytes an entry, enough to make every header again.
struct SegmentCatalogue: Equatable, Sendable {
    // Invariants: the arrays have one element per entry and are never empty but inside `append`;
    // offsets rise strictly, the first is SegmentHeader.encodedSize; sequences never fall.

    let header: SegmentHeader
    private(set) var end = SegmentHeader.encodedSize
    private var nextSequence: Sequence
    private var offsets: [UInt32] = []
    /// First sequences, counted from the segment's.
    private var sequences: [UInt32] = []
    private var checksums: [UInt32] = []
    private var timestamps: [Int64] = []
    /// Kind in the upper five bits, bytes of padding in the lower three.
    private var kinds: [UInt8] = []

    init(header: SegmentHeader) {
        self.header = header
        nextSequence = header.firstSequence
    }

    var count: Int { offsets.count }
    var firstIndex: LogIndex { header.firstIndex }
    var lastIndex: LogIndex { header.firstIndex.advanced(by: count - 1) }
    var isSealed: Bool { kinds.last.map { $0 >> 3 == EntryKind.seal.rawValue } ?? false }

    mutating func append(_ entry: EntryHeader) {
        precondition(!isSealed, "entry \(entry.index) after the seal of \(firstIndex)")
        precondition(end + entry.byteCount <= Int(UInt32.max), "segment of \(end) bytes")
        let padding = entry.byteCount - EntryHeader.encodedSize - entry.bodyByteCount
        offsets.append(UInt32(end))
        sequences.append(UInt32(entry.firstSequence.value - header.firstSequence.value))
        checksums.append(entry.checksum)
        timestamps.append(entry.timestamp.microseconds)
        kinds.append(entry.kind.rawValue << 3 | UInt8(padding))
        end += entry.byteCount
        nextSequence = entry.nextSequence
    }

    /// Keeps the entries before `index`; at least one stays.
    mutating func truncate(from index: LogIndex) {
        let kept = Int(index.value - firstIndex.value)
        precondition(kept > 0 && kept < count, "keep \(kept) of \(count) entries")
        end = Int(offsets[kept])
        nextSequence = sequence(kept)
        offsets.removeSubrange(kept...)
        sequences.removeSubrange(kept...)
        checksums.removeSubrange(kept...)
        timestamps.removeSubrange(kept...)
        kinds.removeSubrange(kept...)
    }

    func offset(of index: LogIndex) -> Int { Int(offsets[position(of: index)]) }

    /// The entry's header as it was appended; `term` is kept by the whole catalogue.
    func entryHeader(at index: LogIndex, term: Term) -> EntryHeader {
        let position = position(of: index)
        let begin = Int(offsets[position])
        let byteCount = (position + 1 < count ? Int(offsets[position + 1]) : end) - begin
        let next = position + 1 < count ? sequence(position + 1) : nextSequence
        guard let kind = EntryKind(rawValue: kinds[position] >> 3) else {
            preconditionFailure("kind \(kinds[position] >> 3) of entry \(index)")
        }
        return EntryHeader(
            kind: kind, byteCount: byteCount,
            bodyByteCount: byteCount - EntryHeader.encodedSize - Int(kinds[position] & 7),
            term: term, index: index, firstSequence: sequence(position),
            recordCount: Int(next.value - sequence(position).value),
            timestamp: Timestamp(microseconds: timestamps[position]),
            previousChecksum: position == 0 ? header.previousChecksum : checksums[position - 1],
            checksum: checksums[position])
    }

    /// The last entry that begins at or below `sequence`, which is not below the segment's first.
    func index(holding sequence: Sequence) -> LogIndex {
        let relative = sequence.value - header.firstSequence.value
        let after = sequences.firstPosition { UInt64($0) > relative }
        return firstIndex.advanced(by: after - 1)
    }

    private func sequence(_ position: Int) -> Sequence {
        header.firstSequence.advanced(by: Int(sequences[position]))
    }

    private func position(of index: LogIndex) -> Int {
        precondition(
            index >= firstIndex && index <= lastIndex,
            "entry \(index) is not in \(firstIndex)...\(lastIndex)")
        return Int(index.value - firstIndex.value)
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first position whose element satisfies `condition`, which holds for none before some
    /// element and for all from it on; `endIndex` when for none.
    func firstPosition(where condition: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
