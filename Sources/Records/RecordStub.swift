package import Bytes

/// What a compaction leaves of a record (resource 3), or an erasure (resource 4).
///
/// Behind the length and the resource, where every stored record has them, stands the leaf entry,
/// which holds sequence and recorded_at; docs/reference/record-format.md has the tables.
package enum RecordStub: Equatable, Sendable {
    /// Enough to give a late retry its first answer.
    case compacted(
        leafEntry: [UInt8], contentDigest: Digest, salt: [UInt8], revision: Revision,
        uniqueID: [UInt8])
    /// Enough to prove the tree and to keep the unique_id closed.
    case erased(leafEntry: [UInt8], closedMark: Digest)

    package var leafEntry: [UInt8] {
        switch self {
        case .compacted(let leafEntry, _, _, _, _), .erased(let leafEntry, _): leafEntry
        }
    }

    package var sequence: Sequence { Sequence(leafEntry.span.littleEndian(at: 1)) }
    package var recordedAt: Timestamp {
        Timestamp(microseconds: leafEntry.span.littleEndian(at: 9))
    }

    /// Reads the stub that is exactly the bytes in `range`.
    package init(decoding bytes: Span<UInt8>, in range: Range<Int>) throws(EntryDefect) {
        do throws(ByteDefect) {
            var cursor = ByteCursor(range)
            let length = try cursor.integer(bytes, as: UInt32.self)
            let resource = try cursor.integer(bytes, as: UInt32.self)
            guard Int(length) == range.count else { throw ByteDefect(offset: range.lowerBound) }
            let leafEntry = bytes.copy(try cursor.take(Leaf.entryByteCount))
            guard leafEntry[0] == Leaf.format else {
                throw ByteDefect(offset: cursor.offset - Leaf.entryByteCount)
            }
            switch resource {
            case UInt32(Resource.stub.rawValue):
                self = try Self.compacted(leafEntry, &cursor, bytes)
            case UInt32(Resource.erased.rawValue):
                self = .erased(leafEntry: leafEntry, closedMark: try Digest(&cursor, bytes))
            default: throw ByteDefect(offset: range.lowerBound + 4)
            }
            try cursor.finish()
        } catch {
            throw .record(offset: error.offset)
        }
    }

    private static func compacted(
        _ leafEntry: [UInt8], _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> RecordStub {
        let digest = try Digest(&cursor, bytes)
        let salt = bytes.copy(try cursor.take(saltByteCount))
        let revision = Revision(try cursor.integer(bytes))
        let count = try cursor.integer(bytes, as: UInt16.self)
        let uniqueID = try cursor.take(Int(count))
        guard revision > .zero, (1...Limits.shortStringBytes).contains(uniqueID.count),
            UTF8Validation.firstDefect(bytes, in: uniqueID) == nil
        else { throw ByteDefect(offset: uniqueID.lowerBound) }
        return .compacted(
            leafEntry: leafEntry, contentDigest: digest, salt: salt, revision: revision,
            uniqueID: bytes.copy(uniqueID))
    }

    package func append(to output: inout [UInt8]) {
        precondition(leafEntry.count == Leaf.entryByteCount, "a leaf of \(leafEntry.count) bytes")
        let start = output.count
        output.append(littleEndian: UInt32(0))
        let resource: Resource
        switch self {
        case .compacted: resource = .stub
        case .erased: resource = .erased
        }
        output.append(littleEndian: UInt32(resource.rawValue))
        output.append(contentsOf: leafEntry)
        switch self {
        case .compacted(_, let digest, let salt, let revision, let uniqueID):
            precondition(salt.count == saltByteCount, "a salt of \(salt.count) bytes")
            digest.append(to: &output)
            output.append(contentsOf: salt)
            output.append(littleEndian: revision.value)
            output.append(littleEndian: UInt16(uniqueID.count))
            output.append(contentsOf: uniqueID)
        case .erased(_, let closedMark): closedMark.append(to: &output)
        }
        output.put(littleEndian: UInt32(output.count - start), at: start)
    }
}
