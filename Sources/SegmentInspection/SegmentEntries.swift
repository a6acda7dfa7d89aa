import Bytes
package import Records
package import SegmentLog

// Invariants:
// - steps come in the order of the file, and every byte of it belongs to one of them, to the header,
//   or to what is behind `end`
// - nothing is believed of an entry whose checksum is not good

/// Reads the entries of one segment's bytes, and goes on behind what is damaged.
///
/// A start stops at the first bad place, because what follows it cannot be believed for a log; this
/// is for people who want to know all that is wrong, and what is left.
package struct SegmentEntries {
    package enum Step: Equatable, Sendable {
        case entry(EntryHeader, offset: Int)
        case damage(Range<Int>, LogDefect)
    }

    /// nil when it is not readable; then `next` says so first.
    package let header: SegmentHeader?
    /// Behind the last good entry.
    package private(set) var end: Int
    /// Bytes of an open segment behind its entries that are not zero: a write that was cut, or that
    /// is under way.
    package private(set) var unfinished: Range<Int>?
    package private(set) var isSealed = false

    private let isOpenAllowed: Bool
    private let headerDefect: SegmentHeaderDefect?
    private var saysHeader: Bool
    private var position: Int
    /// The last good entry, while nothing between it and `position` is damaged.
    private var previous: EntryHeader?
    private var lastIndex: LogIndex
    private var isOver = false

    /// Begins in front of the first entry.
    ///
    /// `expected`: the header that the log demands here; nil takes what stands there. `generation`
    /// says where entries begin when the header does not.
    package init(
        _ bytes: Span<UInt8>, file: SegmentFile, expected: SegmentHeader? = nil
    ) {
        isOpenAllowed = file.isLast
        var found: SegmentHeader?
        var defect: SegmentHeaderDefect?
        do {
            let header = try SegmentHeader(verifying: bytes)
            found = header
            if let expected, header != expected {
                defect = .mismatch(found: header, expected: expected)
            } else if header.firstIndex != file.firstIndex
                || header.compaction?.generation ?? 0 != file.generation
            {
                defect = .mismatch(found: header, expected: expected ?? header)
            }
        } catch { defect = error }
        header = found
        headerDefect = defect
        saysHeader = defect != nil
        position = found?.byteCount ?? file.headerByteCount
        end = min(position, bytes.count)
        lastIndex = LogIndex(file.firstIndex.value - 1)
        // The first segment's file may be there before its header is written.
        if file.isLast, found == nil, Self.lastNonZero(bytes, from: 0) == 0 {
            saysHeader = false
            isOver = true
            end = 0
        }
    }

    /// The next entry or damaged range; nil at the end. `bytes` are always the same.
    package mutating func next(_ bytes: Span<UInt8>) -> Step? {
        if saysHeader, let headerDefect {
            saysHeader = false
            return .damage(0..<min(position, bytes.count), .header(headerDefect))
        }
        guard !isOver else { return nil }
        if isSealed { return finishSealed(bytes) }
        guard position < bytes.count else {
            isOver = true
            return isOpenAllowed ? nil : .damage(bytes.count..<bytes.count, .unsealed)
        }
        do {
            let entry = try EntryHeader(verifying: bytes, at: position)
            return take(entry)
        } catch {
            return skip(bytes, .entry(error))
        }
    }

    private mutating func take(_ entry: EntryHeader) -> Step {
        let offset = position
        let isContinued = follows(entry)
        let before = previous?.position ?? LogPosition(term: .zero, index: lastIndex)
        position += entry.byteCount
        end = position
        previous = entry
        lastIndex = entry.index
        isSealed = entry.kind == .seal
        guard isContinued else {
            return .damage(
                offset..<position, .discontinuity(found: entry.position, after: before))
        }
        return .entry(entry, offset: offset)
    }

    private func follows(_ entry: EntryHeader) -> Bool {
        if let previous { return entry.follows(previous) }
        // Behind damage the index alone can be held against anything.
        guard lastIndex.next == header?.firstIndex ?? .zero, let header else {
            return entry.index > lastIndex
        }
        guard entry.index == header.firstIndex else { return entry.index > lastIndex }
        return entry.term >= header.previousTerm && entry.firstSequence == header.firstSequence
            && entry.previousChecksum == header.previousChecksum
    }

    private mutating func finishSealed(_ bytes: Span<UInt8>) -> Step? {
        isOver = true
        guard position < bytes.count else { return nil }
        // The cut to length is the last step of a seal.
        if isOpenAllowed, Self.lastNonZero(bytes, from: position) == position { return nil }
        return .damage(position..<bytes.count, .bytesAfterSeal)
    }

    /// Passes over what is no entry to the next one that is.
    private mutating func skip(_ bytes: Span<UInt8>, _ defect: LogDefect) -> Step? {
        let begin = position
        let used = Self.lastNonZero(bytes, from: begin)
        if isOpenAllowed, used == begin {
            isOver = true
            return nil
        }
        if let next = nextEntry(bytes, from: begin + EntryHeader.alignment, to: used) {
            position = next
            previous = nil
            return .damage(begin..<next, defect)
        }
        isOver = true
        if isOpenAllowed {
            unfinished = begin..<used
            return nil
        }
        return .damage(begin..<bytes.count, defect)
    }

    /// Where a good entry of a higher index lies, at a multiple of 8.
    private func nextEntry(_ bytes: Span<UInt8>, from begin: Int, to end: Int) -> Int? {
        let furthest = lastIndex.advanced(by: bytes.count / EntryHeader.encodedSize + 1)
        var offset = begin
        while offset < end, offset + EntryHeader.encodedSize <= bytes.count {
            if bytes[offset] == EntryHeader.format {
                let index = LogIndex(bytes.littleEndian(at: offset + 16))
                if index > lastIndex, index <= furthest,
                    (try? EntryHeader(verifying: bytes, at: offset)) != nil
                {
                    return offset
                }
            }
            offset += EntryHeader.alignment
        }
        return nil
    }

    /// Behind the last byte that is not zero, or `begin`.
    private static func lastNonZero(_ bytes: Span<UInt8>, from begin: Int) -> Int {
        var end = bytes.count
        while end - 8 >= begin, bytes.littleEndian(UInt64.self, at: end - 8) == 0 { end -= 8 }
        while end > begin, bytes[end - 1] == 0 { end -= 1 }
        return end
    }
}
