import Bytes
import Records

/// One thing that an entry holds for an event: a record, or what was left of it.
struct StoredEvent {
    enum Content {
        case record(RecordView)
        case stub(RecordStub)
    }

    let sequence: Sequence
    /// Bytes in the entry.
    let byteCount: Int
    let content: Content
}

/// Walks the events of an entry that lies somewhere in a buffer.
struct StoredEvents {
    /// Where each of them says what it is.
    private static let resourceOffset = 4

    /// What comes next in the buffer; behind the last event the payload of the entry's kind.
    private(set) var offset: Int
    let end: Int
    private var ordinal = 0
    private let header: EntryHeader

    init(_ header: EntryHeader, at offset: Int) {
        self.header = header
        self.offset = offset + header.bodyRange.lowerBound
        end = offset + header.bodyRange.upperBound
    }

    /// The next one; nil behind the last. `bytes` are the buffer.
    mutating func next(_ bytes: Span<UInt8>) throws(EntryDefect) -> StoredEvent? {
        guard ordinal < header.recordCount else {
            guard header.kind != .events || offset == end else { throw .record(offset: offset) }
            return nil
        }
        let next = offset + (try RecordView.byteCount(bytes, at: offset, end: end))
        let content: StoredEvent.Content
        switch Resource(rawValue: bytes[offset + Self.resourceOffset]) {
        case .auditEvent, .administration:
            content = .record(try RecordView(decoding: bytes, at: offset, end: end))
        case .stub, .erased:
            content = .stub(try RecordStub(decoding: bytes, in: offset..<next))
        case nil: throw .record(offset: offset)
        }
        defer {
            offset = next
            ordinal += 1
        }
        return StoredEvent(
            sequence: header.firstSequence.advanced(by: ordinal), byteCount: next - offset,
            content: content)
    }
}
