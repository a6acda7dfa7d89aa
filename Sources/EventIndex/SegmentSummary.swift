package import Bytes
package import Records

// Invariant: whatever record a segment holds whole, the summary of the segment may match every
// filter that accepts it.

/// What a replay must know of a segment to pass it by. Node-local, rebuilt from the segment.
package struct SegmentSummary: Equatable, Sendable {
    private static let format: UInt32 = 1

    /// The least and the greatest of some times; no times at all at the beginning.
    package struct Times: Equatable, Sendable {
        package private(set) var least = Timestamp(microseconds: .max)
        package private(set) var greatest = Timestamp(microseconds: .min)

        package init() {}

        mutating func insert(_ time: Timestamp) {
            least = min(least, time)
            greatest = max(greatest, time)
        }

        fileprivate func append(to output: inout [UInt8]) {
            output.append(littleEndian: least.microseconds)
            output.append(littleEndian: greatest.microseconds)
        }

        fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
            least = Timestamp(microseconds: try cursor.integer(bytes))
            greatest = Timestamp(microseconds: try cursor.integer(bytes))
        }
    }

    /// When events were recorded, compacted and erased ones too.
    package private(set) var recordedAt = Times()
    /// Of audit events alone, as everything below.
    package private(set) var startedAt = Times()
    /// Of those with a stop_time.
    package private(set) var stoppedAt = Times()
    package private(set) var auditEventCount: UInt64 = 0
    package private(set) var administrationCount: UInt64 = 0
    package private(set) var compactedCount: UInt64 = 0
    package private(set) var erasedCount: UInt64 = 0
    private var scriptNames = ValueSet()
    private var hostNames = ValueSet()
    private var fileNames = ValueSet()
    private var writers = ValueSet()

    package init() {}

    // MARK: Taking records

    package mutating func insert(
        _ record: RecordView, in bytes: Span<UInt8>, recordedAt time: Timestamp
    ) {
        recordedAt.insert(time)
        writers.insert(bytes, record.writtenBy)
        guard record.resource == .auditEvent else {
            administrationCount += 1
            return
        }
        auditEventCount += 1
        startedAt.insert(record.startedAt)
        if record.stoppedAt != .absent { stoppedAt.insert(record.stoppedAt) }
        scriptNames.insert(bytes, record.scriptName)
        hostNames.insert(bytes, record.hostName)
        fileNames.insert(bytes, record.fileName)
    }

    package mutating func insert(_ stub: RecordStub) {
        recordedAt.insert(stub.recordedAt)
        switch stub {
        case .compacted: compactedCount += 1
        case .erased: erasedCount += 1
        }
    }

    /// Takes all records and stubs of a verified entry, which stands at `start` of `bytes`.
    package mutating func insert(
        recordsOf header: EntryHeader, in bytes: Span<UInt8>, at start: Int
    ) throws(EntryDefect) {
        var time = header.timestamp
        var walk = StoredRecords(header, at: start)
        while let stored = try walk.next(bytes) {
            switch stored {
            case .record(let record): insert(record, in: bytes, recordedAt: time)
            case .stub(let stub): insert(stub)
            }
            time = time.advanced(byMicroseconds: 1)
        }
    }

    /// Makes the sets as small as what they hold allows. Nothing may be inserted after it.
    package mutating func finish() {
        scriptNames.fold()
        hostNames.fold()
        fileNames.fold()
        writers.fold()
    }

    /// What stands for the segment once `count` of its audit events are stubs: the times and values
    /// of those that went stay in it, which costs a read at worst. nil when it has fewer.
    package func compacting(_ count: Int) -> SegmentSummary? {
        let count = UInt64(count)
        guard count <= auditEventCount else { return nil }
        var next = self
        next.auditEventCount -= count
        next.compactedCount += count
        return next
    }

    // MARK: Asking

    /// False when surely no record of the segment is accepted by `filter`.
    package func mayMatch(_ filter: EventFilter) -> Bool {
        switch filter.resources {
        case .auditEvents: mayMatchAuditEvent(filter)
        case .administration: administrationCount > 0
        case .all: administrationCount > 0 || mayMatchAuditEvent(filter)
        }
    }

    /// False when surely no record came with the token of this id.
    package func mayBeWritten(by writer: [UInt8]) -> Bool { writers.mayContain(writer) }

    private func mayMatchAuditEvent(_ filter: EventFilter) -> Bool {
        auditEventCount > 0
            && (filter.since.map { $0 <= startedAt.greatest } ?? true)
            && (filter.untilTime.map { startedAt.least < $0 } ?? true)
            && (filter.scriptName.map { scriptNames.mayContain($0) } ?? true)
            && (filter.hostName.map { hostNames.mayContain($0) } ?? true)
            && (filter.fileName.map { fileNames.mayContain($0) } ?? true)
    }

    // MARK: Bytes

    /// Appends the encoded form, which ends with its checksum.
    package func append(to output: inout [UInt8]) {
        let start = output.count
        output.append(littleEndian: Self.format)
        output.append(littleEndian: UInt32(0))
        for times in [recordedAt, startedAt, stoppedAt] { times.append(to: &output) }
        for count in [auditEventCount, administrationCount, compactedCount, erasedCount] {
            output.append(littleEndian: count)
        }
        for set in [scriptNames, hostNames, fileNames, writers] { set.append(to: &output) }
        output.put(littleEndian: UInt32(output.count + 4 - start), at: start + 4)
        let checksum = CRC32C.checksum(output.span.extracting(start..<output.count))
        output.append(littleEndian: checksum)
    }

    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return bytes
    }

    /// Reads exactly what `encoded` makes; nil for anything else.
    package init?(_ bytes: [UInt8]) {
        var cursor = ByteCursor(0..<bytes.count)
        do {
            self = try SegmentSummary(&cursor, bytes.span)
            try cursor.finish()
        } catch { return nil }
    }

    /// Reads a summary and goes behind it.
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let start = cursor.offset
        let format = try cursor.integer(bytes, as: UInt32.self)
        let byteCount = Int(try cursor.integer(bytes, as: UInt32.self))
        guard format == Self.format, byteCount >= 12 else { throw ByteDefect(offset: start) }
        let rest = try cursor.take(byteCount - 8)
        let end = rest.upperBound - 4
        guard
            bytes.littleEndian(UInt32.self, at: end)
                == CRC32C.checksum(bytes.extracting(start..<end))
        else { throw ByteDefect(offset: end) }
        var fields = ByteCursor(rest.lowerBound..<end)
        recordedAt = try Times(&fields, bytes)
        startedAt = try Times(&fields, bytes)
        stoppedAt = try Times(&fields, bytes)
        auditEventCount = try fields.integer(bytes)
        administrationCount = try fields.integer(bytes)
        compactedCount = try fields.integer(bytes)
        erasedCount = try fields.integer(bytes)
        scriptNames = try ValueSet(&fields, bytes)
        hostNames = try ValueSet(&fields, bytes)
        fileNames = try ValueSet(&fields, bytes)
        writers = try ValueSet(&fields, bytes)
        try fields.finish()
    }
}
