import Bytes

/// Where the parts of one stored record are in the buffer that it was read from.
package struct RecordView: Equatable, Sendable {
    /// The whole stored record.
    package let range: Range<Int>
    package let resource: Resource
    package let startedAt: Timestamp
    package let stoppedAt: Timestamp
    /// SHA-256 of the content; zero in administrative records.
    package let digest: Range<Int>
    package let salt: Range<Int>
    /// The canonical record, which the leaf entry commits to.
    package let canonical: Range<Int>
    package let revision: Revision
    package let application: Range<Int>
    /// The id of the token (without its secret) that the event came with.
    package let writtenBy: Range<Int>
    /// unique_id; in an administrative record its action.
    package let uniqueID: Range<Int>
    /// script_name; in an administrative record its subject.
    package let scriptName: Range<Int>
    package let hostName: Range<Int>
    package let fileName: Range<Int>
    package let startTime: Range<Int>
    package let stopTime: Range<Int>?
    package let updatedIn: Range<Int>?
    /// JSON text as sent; in an administrative record its details.
    package let notes: Range<Int>?

    /// Reads the stored record at `offset`, which must end at or before `end`.
    package init(decoding bytes: Span<UInt8>, at offset: Int, end: Int) throws(EntryDefect) {
        var cursor = try FieldCursor(bytes, at: offset, end: end)
        range = offset..<cursor.end
        resource = cursor.resource
        startedAt = Timestamp(
            microseconds: bytes.littleEndian(at: offset + RecordLayout.startTimeOffset))
        stoppedAt = Timestamp(
            microseconds: bytes.littleEndian(at: offset + RecordLayout.stopTimeOffset))
        digest = offset + RecordLayout.digestOffset..<offset + RecordLayout.saltOffset
        salt = offset + RecordLayout.saltOffset..<offset + RecordLayout.canonicalOffset
        let start = offset + RecordLayout.canonicalOffset
        canonical = start..<cursor.end
        revision = Revision(bytes.littleEndian(at: start + RecordLayout.revisionOffset))
        let presence = bytes[start + RecordLayout.presenceOffset]
        application = try cursor.short(bytes)
        writtenBy = try cursor.short(bytes)
        uniqueID = try cursor.short(bytes)
        scriptName = try cursor.short(bytes)
        if resource == .administration {
            let nowhere = cursor.offset..<cursor.offset
            (hostName, fileName, startTime) = (nowhere, nowhere, nowhere)
            (stopTime, updatedIn) = (nil, nil)
            notes = try cursor.long(bytes)
        } else {
            hostName = try cursor.short(bytes)
            fileName = try cursor.short(bytes)
            startTime = try cursor.short(bytes)
            let has = { (bit: UInt8) in presence & bit != 0 }
            stopTime = has(RecordLayout.presentStopTime) ? try cursor.short(bytes) : nil
            updatedIn = has(RecordLayout.presentUpdatedIn) ? try cursor.short(bytes) : nil
            notes = has(RecordLayout.presentNotes) ? try cursor.long(bytes) : nil
        }
        guard cursor.offset == cursor.end else { throw .record(offset: cursor.offset) }
    }

    /// Bytes of the stored record at `offset`, without reading the rest of it.
    package static func byteCount(
        _ bytes: Span<UInt8>, at offset: Int, end: Int
    ) throws(EntryDefect) -> Int {
        guard end - offset >= RecordLayout.canonicalOffset + RecordLayout.fieldsOffset else {
            throw .record(offset: offset)
        }
        let length = Int(bytes.littleEndian(UInt32.self, at: offset + RecordLayout.lengthOffset))
        guard length >= RecordLayout.canonicalOffset + RecordLayout.fieldsOffset,
            length <= Limits.recordBytes, offset + length <= end
        else { throw .record(offset: offset) }
        return length
    }
}

/// Walks the length-prefixed fields of a canonical record.
private struct FieldCursor {
    var offset: Int
    let end: Int
    let resource: Resource

    init(_ bytes: Span<UInt8>, at start: Int, end: Int) throws(EntryDefect) {
        let length = try RecordView.byteCount(bytes, at: start, end: end)
        let canonical = start + RecordLayout.canonicalOffset
        guard let resource = Resource(rawValue: bytes[start + RecordLayout.resourceOffset]),
            resource == .auditEvent || resource == .administration,
            bytes[canonical] == RecordLayout.format,
            bytes[canonical + RecordLayout.canonicalResourceOffset] == resource.rawValue
        else { throw .record(offset: start) }
        self.resource = resource
        self.end = start + length
        offset = canonical + RecordLayout.fieldsOffset
    }

    mutating func short(_ bytes: Span<UInt8>) throws(EntryDefect) -> Range<Int> {
        guard offset + 2 <= end else { throw .record(offset: offset) }
        let length = Int(bytes.littleEndian(UInt16.self, at: offset))
        return try field(length, prefix: 2)
    }

    mutating func long(_ bytes: Span<UInt8>) throws(EntryDefect) -> Range<Int> {
        guard offset + 4 <= end else { throw .record(offset: offset) }
        let length = Int(bytes.littleEndian(UInt32.self, at: offset))
        return try field(length, prefix: 4)
    }

    private mutating func field(_ length: Int, prefix: Int) throws(EntryDefect) -> Range<Int> {
        let start = offset + prefix
        guard length <= end - start else { throw .record(offset: offset) }
        offset = start + length
        return start..<offset
    }
}
