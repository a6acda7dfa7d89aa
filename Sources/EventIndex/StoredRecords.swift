import Bytes
import Records

/// Walks the records of an entry, and the stubs that stand where records were.
struct StoredRecords {
    enum Stored {
        case record(RecordView)
        case stub(RecordStub)
    }

    /// Where each stored record says what it is.
    private static let resourceOffset = 4

    private var offset: Int
    private let end: Int
    private var left: Int

    /// Begins at the first record of the entry that stands at `start` of some bytes.
    init(_ header: EntryHeader, at start: Int) {
        offset = start + header.bodyRange.lowerBound
        end = start + header.bodyRange.upperBound
        left = header.recordCount
    }

    /// The next one; nil behind the last. `bytes` are those that the entry stands in.
    mutating func next(_ bytes: Span<UInt8>) throws(EntryDefect) -> Stored? {
        guard left > 0 else { return nil }
        let next = offset + (try RecordView.byteCount(bytes, at: offset, end: end))
        defer {
            offset = next
            left -= 1
        }
        switch Resource(rawValue: bytes[offset + Self.resourceOffset]) {
        case .auditEvent, .administration:
            return .record(try RecordView(decoding: bytes, at: offset, end: end))
        case .stub, .erased: return .stub(try RecordStub(decoding: bytes, in: offset..<next))
        case nil: throw .record(offset: offset)
        }
    }
}
