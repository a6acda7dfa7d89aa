import Bytes
import Records

// Invariants:
// - rows stand in log order: sequences strictly rise, entries never fall
// - 0 <= committed <= rows.count; rows beyond it are overlay
// - a slot names the newest row of its key, and the newest row of each key has one slot
// - rows are removed from the end alone, so that emptying the slot of a key's only row can break no
//   probe sequence: whatever was inserted after it is gone already

/// The revisions of the events from one sequence on, in memory: those of one segment of the tail.
struct RevisionPiece {
    private struct Row {
        let row: RevisionRow
        let entry: LogIndex
        let offset: UInt32
        /// The row of the key's revision before, or `noRow`.
        let previous: UInt32
    }

    private static let noRow = UInt32.max

    /// The newest row of one key, with a part of the key, so that most other keys in the way of a
    /// search are passed by without a look at their rows.
    private struct Slot {
        var row = RevisionPiece.noRow
        var tag: UInt32 = 0
    }

    let first: Sequence
    private var rows: ContiguousArray<Row> = []
    private var slots = [Slot](repeating: Slot(), count: 64)
    private var keyCount = 0
    private(set) var committed = 0

    init(first: Sequence) { self.first = first }

    var count: Int { rows.count }
    var hasOverlay: Bool { committed < rows.count }
    var lastSequence: Sequence? { rows.last?.row.sequence }
    /// The oldest row that is not committed.
    var oldestOverlay: IndexedRevision { revision(at: committed) }

    /// Shows the rows of `key`, newest first, to `visit`; false when that returned false.
    func visit(
        _ key: RevisionKey, withOverlay: Bool, _ visit: (IndexedRevision) -> Bool
    ) -> Bool {
        var place = slots[slotIndex(of: key)].row
        while place != Self.noRow {
            if withOverlay || place < committed {
                guard visit(revision(at: Int(place))) else { return false }
            }
            place = rows[Int(place)].previous
        }
        return true
    }

    mutating func append(_ row: RevisionRow, at place: RecordPlace) {
        precondition(
            row.sequence >= first && (rows.last.map { $0.row.sequence < row.sequence } ?? true),
            "sequence \(row.sequence) again")
        precondition(rows.count < Int(Self.noRow), "the index is full")
        if keyCount * 4 >= slots.count * 3 { grow() }
        let slot = slotIndex(of: row.key)
        let newest = slots[slot].row
        if newest == Self.noRow { keyCount += 1 }
        rows.append(
            Row(
                row: row, entry: place.entry, offset: UInt32(place.offset), previous: newest))
        slots[slot] = Slot(row: UInt32(rows.count - 1), tag: Self.tag(of: row.key))
    }

    /// Counts the oldest row of the overlay as committed.
    mutating func commit() {
        precondition(hasOverlay, "a commit of nothing")
        committed += 1
    }

    mutating func dropOverlay() {
        while hasOverlay {
            let row = rows[rows.count - 1]
            let slot = slotIndex(of: row.row.key)
            slots[slot].row = row.previous
            rows.removeLast()
            if row.previous == Self.noRow { keyCount -= 1 }
        }
    }

    private func revision(at place: Int) -> IndexedRevision {
        let row = rows[place]
        return IndexedRevision(
            row: row.row, place: RecordPlace(entry: row.entry, offset: Int(row.offset)))
    }

    private static func tag(of key: RevisionKey) -> UInt32 { UInt32(key.high >> 32) }

    /// The slot that names the key, or the free one where it would go.
    private func slotIndex(of key: RevisionKey) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: key.low) & mask
        while slots[slot].row != Self.noRow {
            if slots[slot].tag == Self.tag(of: key), rows[Int(slots[slot].row)].row.key == key {
                return slot
            }
            slot = (slot + 1) & mask
        }
        return slot
    }

    /// Doubles the slots. First revisions go in by row order, as they were first inserted.
    private mutating func grow() {
        slots = [Slot](repeating: Slot(), count: slots.count * 2)
        for place in rows.indices {
            let key = rows[place].row.key
            slots[slotIndex(of: key)] = Slot(row: UInt32(place), tag: Self.tag(of: key))
        }
    }
}
