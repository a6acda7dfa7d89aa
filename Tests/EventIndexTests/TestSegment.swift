import Bytes
import Crypto
import Records
import Testing

@testable import EventIndex

/// Entries as a compacted segment may hold them: records of both resources, and stubs.
struct TestSegment {
    private(set) var entries: [Entry] = []
    private(set) var rows: [RevisionRow] = []
    let sequences = Sequence(40)..<Sequence(46)

    init() throws {
        let earlier = Entry(
            kind: .events, term: Term(1), after: nil, recordCount: 40,
            timestamp: Timestamp(microseconds: 0))
        var audit = Self.auditRecord("one", script: "s", host: "h", file: "f", startedAt: 5)
        audit += Self.auditRecord("two", script: "s", host: "h", file: "f", startedAt: 6)
        let first = Entry(
            kind: .events, term: Term(1), after: earlier.header, recordCount: 2,
            timestamp: Timestamp(microseconds: 1), body: audit)
        let second = Entry(
            kind: .directory, term: Term(1), after: first.header, recordCount: 1,
            timestamp: Timestamp(microseconds: 9), body: Self.administrationRecord() + [1, 2, 3])
        var stubs: [UInt8] = []
        let digest = Digest(Array(UInt8(32)..<64))
        RecordStub.compacted(
            leafEntry: Self.leafEntry(43), contentDigest: digest,
            salt: [UInt8](repeating: 3, count: 16), revision: Revision(7),
            uniqueID: Array("three".utf8)
        ).append(to: &stubs)
        RecordStub.erased(leafEntry: Self.leafEntry(44), closedMark: digest).append(to: &stubs)
        stubs += Self.auditRecord("four", script: "s", host: "h", file: "f", startedAt: 7)
        let third = Entry(
            kind: .events, term: Term(1), after: second.header, recordCount: 3,
            timestamp: Timestamp(microseconds: 20), body: stubs)
        let seal = Entry(
            kind: .seal, term: Term(1), after: third.header,
            timestamp: Timestamp(microseconds: 30))
        entries = [first, second, third, seal]
        for (id, sequence) in [("one", 40), ("two", 41), ("four", 45)] {
            rows.append(
                RevisionRow(
                    key: testKey(id), sequence: Sequence(UInt64(sequence)), revision: .zero,
                    digest: try Self.digest(id)))
        }
        rows.append(
            RevisionRow(
                key: testKey("three"), sequence: Sequence(43), revision: Revision(7),
                digest: digest))
    }

    static func auditRecord(
        _ uniqueID: String, script: String, host: String, file: String, startedAt: Int64,
        stoppedAt: Int64? = nil, writtenBy: String = "00112233445566aa"
    ) -> [UInt8] {
        var values: [UInt8] = []
        let append = { (text: String) in
            let start = values.count
            values.append(contentsOf: text.utf8)
            return start..<values.count
        }
        var parameters = EventParameters()
        parameters.uniqueID = append(uniqueID)
        parameters.scriptName = append(script)
        parameters.hostName = append(host)
        parameters.fileName = append(file)
        parameters.startTime = append("a time")
        parameters.startedAt = Timestamp(microseconds: startedAt)
        if let stoppedAt {
            parameters.stopTime = append("another")
            parameters.stoppedAt = Timestamp(microseconds: stoppedAt)
        }
        var record: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: Array("planox2".utf8),
            writtenBy: Array(writtenBy.utf8), hash: SHA256(), to: &record)
        return record
    }

    static func administrationRecord() -> [UInt8] {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "token-created", subject: "one", details: Array("{}".utf8),
            application: "planox2", writtenBy: "0011223344556677", to: &record)
        return record
    }

    static func view(_ record: [UInt8]) throws -> RecordView {
        try RecordView(decoding: record.span, at: 0, end: record.count)
    }

    private static func leafEntry(_ sequence: UInt64) -> [UInt8] {
        var entry: [UInt8] = [Leaf.format]
        entry.append(littleEndian: sequence)
        entry.append(littleEndian: Int64(1_000))
        entry.append(contentsOf: [UInt8](repeating: 9, count: 32))
        return entry
    }

    private static func digest(_ id: String) throws -> Digest {
        let startedAt: Int64 = ["one": 5, "two": 6, "four": 7][id] ?? 0
        let record = auditRecord(id, script: "s", host: "h", file: "f", startedAt: startedAt)
        return Digest(record.span, at: try view(record).digest.lowerBound)
    }
}
