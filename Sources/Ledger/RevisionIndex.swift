import Bytes
package import Records

// Invariants:
// - rows stand in log order: sequences strictly rise, entries never fall
// - 0 <= committedCount <= rows.count; rows beyond it are the leader's overlay of its own tail
// - a slot names the newest row of its unique_id, and the newest row of each id has one slot
// - rows are removed from the end alone, so that emptying the slot of an id's only row can break no
//   probe sequence: whatever was inserted after it is gone already

/// Every revision of every unique_id, in memory, derived from the log and never believed over it.
package struct RevisionIndex {
    package struct Row: Equatable, Sendable {
        package let sequence: Sequence
        package let entry: LogIndex
        /// Offset of the stored record in its entry.
        package let recordOffset: UInt32
        package let revision: Revision
        fileprivate let uniqueIDOffset: UInt64
        fileprivate let uniqueIDByteCount: UInt32
        /// Row of the revision before, or `noRow`.
        fileprivate let previous: UInt32
        fileprivate let digest: (UInt64, UInt64, UInt64, UInt64)

        package static func == (left: Row, right: Row) -> Bool {
            left.sequence == right.sequence && left.entry == right.entry
                && left.recordOffset == right.recordOffset && left.revision == right.revision
                && left.digest == right.digest
        }
    }

    /// Names a row; valid until the row is removed.
    package typealias Place = Int

    private static let noRow = UInt32.max

    /// The newest row of one unique_id, with the upper half of its hash, so that most other ids in
    /// the way of a search are passed by without a look at their rows.
    private struct Slot {
        var row = RevisionIndex.noRow
        var hash: UInt32 = 0
    }

    private var rows: ContiguousArray<Row> = []
    private var uniqueIDs: [UInt8] = []
    private var slots: [Slot]
    private var idCount = 0
    private let seed: UInt64
    /// Rows whose entries are committed and applied.
    package private(set) var committedCount = 0

    /// `seed` keys the hash, so that nobody outside can choose ids that collide.
    package init(seed: UInt64) {
        self.seed = seed | 1
        slots = [Slot](repeating: Slot(), count: 64)
    }

    package var count: Int { rows.count }

    package subscript(_ place: Place) -> Row { rows[place] }

    /// The newest revision of the unique_id in `range` of `bytes`, of committed rows alone unless
    /// the overlay is asked for too.
    package func newest(
        of bytes: Span<UInt8>, _ range: Range<Int>, withOverlay: Bool
    ) -> Place? {
        let slot = slotIndex(of: bytes, range, hash: hash(bytes, range))
        var place = slots[slot].row
        let bound = withOverlay ? rows.count : committedCount
        while place != Self.noRow, place >= bound { place = rows[Int(place)].previous }
        return place == Self.noRow ? nil : Int(place)
    }

    /// The revision before the one at `place`.
    package func previous(of place: Place) -> Place? {
        let previous = rows[place].previous
        return previous == Self.noRow ? nil : Int(previous)
    }

    /// The newest revision at or before `place` with the content digest in `digest` of `bytes`.
    package func newestEqual(
        _ bytes: Span<UInt8>, digest: Range<Int>, from place: Place
    ) -> Place? {
        let wanted = Self.digest(bytes, digest)
        var next: Place? = place
        while let place = next {
            if rows[place].digest == wanted { return place }
            next = previous(of: place)
        }
        return nil
    }

    /// Adds the revision that `record` (in `bytes`) is; it follows the newest of its unique_id.
    package mutating func append(
        _ record: RecordView, in bytes: Span<UInt8>, recordOffset: Int, entry: LogIndex,
        sequence: Sequence, revision: Revision
    ) {
        append(
            record.uniqueID, digest: record.digest, in: bytes, recordOffset: recordOffset,
            entry: entry, sequence: sequence, revision: revision)
    }

    /// The same for a unique_id and a content digest that stand at these places of `bytes`.
    mutating func append(
        _ uniqueID: Range<Int>, digest: Range<Int>, in bytes: Span<UInt8>, recordOffset: Int,
        entry: LogIndex, sequence: Sequence, revision: Revision
    ) {
        precondition(
            rows.last.map { $0.sequence < sequence } ?? true, "sequence \(sequence) again")
        precondition(rows.count < Int(Self.noRow), "the index is full")
        if idCount * 4 >= slots.count * 3 { grow() }
        let hash = hash(bytes, uniqueID)
        let slot = slotIndex(of: bytes, uniqueID, hash: hash)
        let newest = slots[slot].row
        let (offset, count): (UInt64, UInt32)
        if newest == Self.noRow {
            (offset, count) = (UInt64(uniqueIDs.count), UInt32(uniqueID.count))
            uniqueIDs.append(bytes.extracting(uniqueID))
            idCount += 1
        } else {
            let row = rows[Int(newest)]
            (offset, count) = (row.uniqueIDOffset, row.uniqueIDByteCount)
        }
        rows.append(
            Row(
                sequence: sequence, entry: entry, recordOffset: UInt32(recordOffset),
                revision: revision, uniqueIDOffset: offset, uniqueIDByteCount: count,
                previous: newest,
                digest: Self.digest(bytes, digest)))
        slots[slot] = Slot(row: UInt32(rows.count - 1), hash: UInt32(hash >> 32))
    }

    /// Counts the oldest `count` rows of the overlay as committed.
    package mutating func commit(_ count: Int) {
        precondition(count <= rows.count - committedCount, "commit of \(count) rows too many")
        committedCount += count
    }

    /// Removes the overlay: the rows that are not committed.
    package mutating func dropOverlay() {
        while rows.count > committedCount {
            guard let row = rows.popLast() else { return }
            let slot = slotIndex(ofRow: row, place: UInt32(rows.count))
            slots[slot].row = row.previous
            if row.previous == Self.noRow {
                idCount -= 1
                uniqueIDs.removeLast(uniqueIDs.count - Int(row.uniqueIDOffset))
            }
        }
    }

    /// One bit for each sequence below `cut`: whether its unique_id has a later revision below it.
    package func supersededBits(cut: Sequence) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: Int((cut.value + 63) / 64))
        for row in rows[..<committedCount] {
            if row.sequence >= cut { break }
            guard row.previous != Self.noRow else { continue }
            let bit = rows[Int(row.previous)].sequence.value
            words[Int(bit / 64)] |= 1 << (bit % 64)
        }
        return words
    }

    /// The committed row with `sequence`, if the index has one.
    package func place(of sequence: Sequence) -> Place? {
        var low = 0
        var high = committedCount
        while low < high {
            let middle = (low + high) / 2
            if rows[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low < committedCount && rows[low].sequence == sequence ? low : nil
    }

    private static func digest(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) -> (UInt64, UInt64, UInt64, UInt64) {
        precondition(range.count == 32, "a digest of \(range.count) bytes")
        let start = range.lowerBound
        return (
            bytes.littleEndian(at: start), bytes.littleEndian(at: start + 8),
            bytes.littleEndian(at: start + 16), bytes.littleEndian(at: start + 24)
        )
    }

    /// The slot that names the unique_id, or the free one where it would go.
    private func slotIndex(of bytes: Span<UInt8>, _ range: Range<Int>, hash: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot].row != Self.noRow {
            if slots[slot].hash == UInt32(hash >> 32) {
                let row = rows[Int(slots[slot].row)]
                if row.uniqueIDByteCount == range.count,
                    uniqueIDs.span.equals(bytes.extracting(range), in: uniqueIDRange(of: row))
                {
                    return slot
                }
            }
            slot = (slot + 1) & mask
        }
        return slot
    }

    /// The slot that names the row which stood at `place` and was just removed.
    private func slotIndex(ofRow row: Row, place: UInt32) -> Int {
        let mask = slots.count - 1
        var slot = Int(hash(uniqueIDs.span, uniqueIDRange(of: row)) & UInt64(mask))
        while slots[slot].row != place { slot = (slot + 1) & mask }
        return slot
    }

    private func uniqueIDRange(of row: Row) -> Range<Int> {
        let start = Int(row.uniqueIDOffset)
        return start..<(start + Int(row.uniqueIDByteCount))
    }

    /// Doubles the slots. First revisions go in by row order, as they were first inserted.
    private mutating func grow() {
        slots = [Slot](repeating: Slot(), count: slots.count * 2)
        let mask = slots.count - 1
        for place in 0..<rows.count {
            let row = rows[place]
            let hash = hash(uniqueIDs.span, uniqueIDRange(of: row))
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot].row != Self.noRow {
                if rows[Int(slots[slot].row)].uniqueIDOffset == row.uniqueIDOffset { break }
                slot = (slot + 1) & mask
            }
            slots[slot] = Slot(row: UInt32(place), hash: UInt32(hash >> 32))
        }
    }

    /// A keyed multiply-and-fold hash, eight bytes at a time.
    private func hash(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var state = seed ^ UInt64(range.count)
        var offset = range.lowerBound
        while offset + 8 <= range.upperBound {
            state = fold(state ^ bytes.littleEndian(UInt64.self, at: offset))
            offset += 8
        }
        var tail: UInt64 = 0
        while offset < range.upperBound {
            tail = tail << 8 | UInt64(bytes[offset])
            offset += 1
        }
        return fold(fold(state ^ tail) ^ seed)
    }

    private func fold(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15 ^ seed)
        return product.high ^ product.low
    }
}
