import Bytes

/// Rows in ascending order of their ids, each id once.
package struct RowTable<Row: Identifiable & Equatable & Sendable>: Equatable, Sendable
where Row.ID: Comparable {
    package private(set) var rows: [Row] = []

    package init() {}

    package var count: Int { rows.count }

    /// The row with `id`.
    package subscript(id: Row.ID) -> Row? {
        let place = place(of: id)
        return place < rows.count && rows[place].id == id ? rows[place] : nil
    }

    /// Traps when the id is there already.
    mutating func insert(_ row: Row) {
        let place = place(of: row.id)
        precondition(place == rows.count || rows[place].id != row.id, "an id twice")
        rows.insert(row, at: place)
    }

    /// Changes the row with `id`, when there is one.
    mutating func update(_ id: Row.ID, _ change: (inout Row) -> Void) {
        let place = place(of: id)
        guard place < rows.count, rows[place].id == id else { return }
        change(&rows[place])
    }

    mutating func remove(_ id: Row.ID) { rows.removeAll { $0.id == id } }

    mutating func removeAll(where isOver: (Row) -> Bool) { rows.removeAll(where: isOver) }

    private func place(of id: Row.ID) -> Int {
        var low = 0
        var high = rows.count
        while low < high {
            let middle = (low + high) / 2
            if rows[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Reads the rows that `append` wrote; a defect where they are not in order.
    init(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>,
        _ read: (inout ByteCursor, Span<UInt8>) throws(ByteDefect) -> Row
    ) throws(ByteDefect) {
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let row = try read(&cursor, bytes)
            guard rows.last.map({ $0.id < row.id }) ?? true else {
                throw ByteDefect(offset: cursor.offset)
            }
            rows.append(row)
        }
    }

    func append(to bytes: inout [UInt8], _ write: (Row, inout [UInt8]) -> Void) {
        bytes.append(littleEndian: UInt32(rows.count))
        for row in rows { write(row, &bytes) }
    }
}
