package import Records
package import SegmentLog

/// What is wrong with a table's file.
package enum TableDefect: Equatable, Sendable {
    /// It cannot be read.
    case unreadable(DiskError)
    case byteCount(Int, expected: Int)
    /// The header's checksum, its format, or a value that no table has.
    case header
    /// The header belongs to another table than the name says.
    case name
    /// The hash was seeded differently from the other tables.
    case seed
    case filter
    case fences
    case block(Int)
    /// Rows do not rise.
    case order
}

/// Why the index cannot answer or cannot be changed.
package enum IndexFailure: Error, Equatable, Sendable {
    /// A write, rename or removal failed.
    case disk(DiskError)
    /// The table is to be removed and rebuilt from its segments.
    case damaged(file: String, TableDefect)
    /// No table covers this sequence, so that no answer would be right.
    case incomplete(Sequence)

    /// The damaged table; nil when it is not one.
    package var file: String? {
        if case .damaged(let file, _) = self { file } else { nil }
    }
}

/// Runs `operation` and says `.disk` for what it throws.
func writing<Value>(
    _ operation: () throws(DiskError) -> Value
) throws(IndexFailure) -> Value {
    do { return try operation() } catch { throw .disk(error) }
}

/// Runs `operation`, which reads `file`, and says `.damaged` for what it throws.
func reading<Value>(
    _ file: String, _ operation: () throws(DiskError) -> Value
) throws(IndexFailure) -> Value {
    do { return try operation() } catch { throw .damaged(file: file, .unreadable(error)) }
}
