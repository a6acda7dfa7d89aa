import Bytes
package import Records

/// Where the entries of one segment are: 21 bytes an entry, enough to make every header again.
package struct SegmentCatalogue: Equatable, Sendable {
    // Invariants: the arrays have one element per entry and are never empty but inside `append`;
    // offsets rise strictly, the first is the header's length; sequences never fall.

    package let header: SegmentHeader
    /// Bytes up to the end of the last entry.
    package private(set) var end: Int
    package private(set) var nextSequence: Sequence
    private var offsets: [UInt32] = []
    /// First sequences, counted from the segment's.
    private var sequences: [UInt32] = []
    private var checksums: [UInt32] = []
    private var timestamps: [Int64] = []
    /// Kind in the upper five bits, bytes of padding in the lower three.
    private var kinds: [UInt8] = []

    package init(header: SegmentHeader) {
        self.header = header
        end = header.byteCount
        nextSequence = header.firstSequence
    }

    package var count: Int { offsets.count }
    package var firstIndex: LogIndex { header.firstIndex }
    package var lastIndex: LogIndex { header.firstIndex.advanced(by: count - 1) }
    package var isSealed: Bool { kinds.last.map { $0 >> 3 == EntryKind.seal.rawValue } ?? false }

    package mutating func append(_ entry: EntryHeader) {
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

    /// Where the entry is; `term` is kept by the whole catalogue.
    package func place(of index: LogIndex, term: Term) -> Place {
        Place(
            segment: firstIndex, generation: header.compaction?.generation ?? 0,
            offset: offset(of: index), header: entryHeader(at: index, term: term),
            opens: firstIndex == index ? header : nil)
    }

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
    package func index(holding sequence: Sequence) -> LogIndex {
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

// MARK: - Bytes

extension SegmentCatalogue {
    /// Appends the arrays, one after the other, behind the count of entries and the end.
    func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: UInt32(count))
        bytes.append(littleEndian: UInt32(end))
        bytes.append(littleEndian: nextSequence.value)
        for offset in offsets { bytes.append(littleEndian: offset) }
        for sequence in sequences { bytes.append(littleEndian: sequence) }
        for checksum in checksums { bytes.append(littleEndian: checksum) }
        for timestamp in timestamps { bytes.append(littleEndian: timestamp) }
        bytes.append(contentsOf: kinds)
    }

    /// Reads what `append(to:)` writes; `header` is the segment's.
    init(
        header: SegmentHeader, _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) {
        self.header = header
        let count = Int(try cursor.integer(bytes, as: UInt32.self))
        end = Int(try cursor.integer(bytes, as: UInt32.self))
        nextSequence = Sequence(try cursor.integer(bytes))
        guard count > 0, count * 21 <= cursor.remaining else {
            throw ByteDefect(offset: cursor.offset)
        }
        offsets = try cursor.integers(count, bytes)
        sequences = try cursor.integers(count, bytes)
        checksums = try cursor.integers(count, bytes)
        timestamps = try cursor.integers(count, bytes)
        kinds = try cursor.integers(count, bytes)
    }
}

extension ByteCursor {
    fileprivate mutating func integers<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> [Integer] {
        var offset = try take(count * MemoryLayout<Integer>.size).lowerBound
        var integers: [Integer] = []
        integers.reserveCapacity(count)
        for _ in 0..<count {
            integers.append(bytes.littleEndian(at: offset))
            offset += MemoryLayout<Integer>.size
        }
        return integers
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
