package import Bytes
package import Crypto

/// Writes what `RecordStub` reads, over the bytes of records, with no memory for each of them.
package struct StubEncoder {
    /// Bytes of what an erasure leaves.
    package static let erasedByteCount = 8 + Leaf.entryByteCount + Digest.byteCount

    private var leaf: Leaf

    package init(hash: SHA256) { leaf = Leaf(hash: hash) }

    /// Bytes of what a compaction leaves of `record`.
    package static func byteCount(compacting record: RecordView) -> Int {
        8 + Leaf.entryByteCount + Digest.byteCount + saltByteCount + 4 + 2 + record.uniqueID.count
    }

    /// Appends what a compaction leaves of `record`, an audit event in `bytes`.
    package mutating func append(
        compacting record: RecordView, in bytes: Span<UInt8>, sequence: Sequence,
        recordedAt: Timestamp, to output: inout [UInt8]
    ) {
        precondition(record.resource == .auditEvent, "a stub of \(record.resource)")
        output.append(littleEndian: UInt32(Self.byteCount(compacting: record)))
        output.append(littleEndian: UInt32(Resource.stub.rawValue))
        leaf.appendEntry(
            of: record, in: bytes, sequence: sequence, recordedAt: recordedAt, to: &output)
        // Digest and salt stand side by side in the record too.
        output.append(bytes.extracting(record.digest.lowerBound..<record.salt.upperBound))
        output.append(littleEndian: record.revision.value)
        output.append(littleEndian: UInt16(record.uniqueID.count))
        output.append(bytes.extracting(record.uniqueID))
    }

    /// Appends what an erasure leaves of `record`, an audit event in `bytes`.
    package mutating func append(
        erasing record: RecordView, in bytes: Span<UInt8>, sequence: Sequence,
        recordedAt: Timestamp, closedMark: Digest, to output: inout [UInt8]
    ) {
        precondition(record.resource == .auditEvent, "an erasure of \(record.resource)")
        Self.beginErased(&output)
        leaf.appendEntry(
            of: record, in: bytes, sequence: sequence, recordedAt: recordedAt, to: &output)
        closedMark.append(to: &output)
    }

    /// Appends what an erasure leaves of the stub that begins at `offset` in `bytes`.
    package func append(
        erasingStubAt offset: Int, in bytes: Span<UInt8>, closedMark: Digest,
        to output: inout [UInt8]
    ) {
        Self.beginErased(&output)
        output.append(bytes.extracting((offset + 8)..<(offset + 8 + Leaf.entryByteCount)))
        closedMark.append(to: &output)
    }

    private static func beginErased(_ output: inout [UInt8]) {
        output.append(littleEndian: UInt32(erasedByteCount))
        output.append(littleEndian: UInt32(Resource.erased.rawValue))
    }
}

/// Length and kind of anything that an entry holds for one event: a record or a stub.
package struct StoredHead: Equatable, Sendable {
    package let resource: Resource
    package let range: Range<Int>

    /// Reads the head at `offset`; what it stands for must end at or before `end`.
    package init(decoding bytes: Span<UInt8>, at offset: Int, end: Int) throws(EntryDefect) {
        let byteCount = try RecordView.byteCount(bytes, at: offset, end: end)
        guard let resource = Resource(rawValue: bytes[offset + RecordLayout.resourceOffset])
        else { throw .record(offset: offset + RecordLayout.resourceOffset) }
        let isErased = byteCount == StubEncoder.erasedByteCount
        guard resource != .erased || isErased else { throw .record(offset: offset) }
        self.resource = resource
        range = offset..<(offset + byteCount)
    }
}
