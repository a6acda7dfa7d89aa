import Bytes
package import Records

// What a leader answers to questions about retention; both come a page at a time.

/// A page of the legal holds, in the order of their unique_ids' bytes.
package struct HoldsPage: Equatable, Sendable {
    /// Holds of one page.
    package static let limit = 256

    package struct Row: Equatable, Sendable {
        package let uniqueID: [UInt8]
        package let reason: String
        package let author: TokenID
        package let since: Timestamp

        package init(uniqueID: [UInt8], reason: String, author: TokenID, since: Timestamp) {
            self.uniqueID = uniqueID
            self.reason = reason
            self.author = author
            self.since = since
        }
    }

    package let rows: [Row]
    /// Whether there are more behind the last row.
    package let hasMore: Bool

    package init(rows: [Row], hasMore: Bool) {
        self.rows = rows
        self.hasMore = hasMore
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        hasMore = try cursor.integer(bytes, as: UInt8.self) != 0
        var rows: [Row] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let uniqueID = bytes.copy(try cursor.counted(bytes))
            let reason = try cursor.text(bytes)
            let author = TokenID(try cursor.integer(bytes))
            rows.append(
                Row(
                    uniqueID: uniqueID, reason: reason, author: author,
                    since: Timestamp(microseconds: try cursor.integer(bytes))))
        }
        self.rows = rows
    }

    func append(to payload: inout [UInt8]) {
        payload.append(hasMore ? 1 : 0)
        payload.append(littleEndian: UInt32(rows.count))
        for row in rows {
            payload.append(counted: row.uniqueID)
            payload.append(counted: row.reason)
            payload.append(littleEndian: row.author.value)
            payload.append(littleEndian: row.since.microseconds)
        }
    }
}

/// What a run would do to some of the archived segments.
package struct CompactionEstimate: Equatable, Sendable {
    /// Segments of one page.
    package static let limit = 4

    package struct Row: Equatable, Sendable {
        package let firstIndex: LogIndex
        package let generation: UInt32
        package let kept: UInt64
        package let figures: CompactionFigures

        package init(
            firstIndex: LogIndex, generation: UInt32, kept: UInt64, figures: CompactionFigures
        ) {
            self.firstIndex = firstIndex
            self.generation = generation
            self.kept = kept
            self.figures = figures
        }
    }

    package var rows: [Row] = []
    /// The place of the segment behind the last row; zero behind the last of all.
    package var next: UInt64 = 0

    package init() {}

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        next = try cursor.integer(bytes)
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let firstIndex = LogIndex(try cursor.integer(bytes))
            let generation: UInt32 = try cursor.integer(bytes)
            let kept: UInt64 = try cursor.integer(bytes)
            rows.append(
                Row(
                    firstIndex: firstIndex, generation: generation, kept: kept,
                    figures: try CompactionFigures(&cursor, bytes)))
        }
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: next)
        payload.append(littleEndian: UInt32(rows.count))
        for row in rows {
            payload.append(littleEndian: row.firstIndex.value)
            payload.append(littleEndian: row.generation)
            payload.append(littleEndian: row.kept)
            row.figures.append(to: &payload)
        }
    }
}
