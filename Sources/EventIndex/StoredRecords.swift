import Records

/// Walks the records of an entry, and the stubs that stand where records were.
struct StoredRecords {
    enum Stored {
        case record(RecordView)
        case stub(RecordStub)
    }

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
        let head = try StoredHead(decoding: bytes, at: offset, end: end)
        defer {
            offset = head.range.upperBound
            left -= 1
        }
        switch head.resource {
        case .auditEvent, .administration:
            return .record(
                try RecordView(decoding: bytes, at: offset, end: head.range.upperBound))
        case .stub, .erased: return .stub(try RecordStub(decoding: bytes, in: head.range))
        }
    }
}
