import Bytes
import Crypto
import JSON
import Testing

@testable import Records

@Suite struct LeafTests {
    /// RFC 6962 section 2.1 over the tables of docs/reference/record-format.md, put together here
    /// from the values alone.
    private func naiveLeaf(
        _ event: TestEvent, revision: UInt32, salt: [UInt8], sequence: UInt64, recordedAt: Int64
    ) -> [UInt8] {
        func number<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
            (0..<(Number.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        }
        func short(_ text: String) -> [UInt8] { number(UInt16(text.utf8.count)) + text.utf8 }
        let presence: UInt8 =
            (event.stopTime == nil ? 0 : 1) + (event.notes == nil ? 0 : 2)
            + (event.updatedIn == nil ? 0 : 4)
        var canonical: [UInt8] = [1, 1, presence, 0] + number(revision)
        for text in [
            "planox2", "00112233445566aa", event.uniqueID, event.scriptName, event.hostName,
            event.fileName, event.startTime, event.stopTime, event.updatedIn,
        ] {
            if let text { canonical += short(text) }
        }
        if let notes = event.notes { canonical += number(UInt32(notes.utf8.count)) + notes.utf8 }
        let hash = SHA256()
        let commitment = hash.hash(salt + canonical)
        return hash.hash([0, 1] + number(sequence) + number(recordedAt) + commitment)
    }

    @Test func `the leaf hash is what the tables say`() throws {
        var events = Golden.events.map(\.0)
        var last = TestEvent()
        (last.stopTime, last.updatedIn) = ("2027-01-01", "a")
        events.append(last)
        for (place, event) in events.enumerated() {
            let salt = (0..<16).map { UInt8($0 * 7 + place) }
            let record = try event.record(revision: Revision(3), salt: salt)
            let view = try RecordView(decoding: record.span, at: 0, end: record.count)
            var leaf = Leaf(hash: SHA256())
            let digest = leaf.hash(
                of: view, in: record.span, sequence: Sequence(1 << 40), recordedAt: Golden.day)
            let naive = naiveLeaf(
                event, revision: 3, salt: salt, sequence: 1 << 40,
                recordedAt: Golden.day.microseconds)
            #expect(digest == Digest(naive))
        }
    }

    @Test func `salt, sequence, time and every byte of the record change the leaf`() throws {
        let record = try TestEvent().record()
        func leaf(_ record: [UInt8], _ sequence: UInt64 = 5, _ time: Int64 = 6) throws -> Digest {
            let view = try RecordView(decoding: record.span, at: 0, end: record.count)
            var leaf = Leaf(hash: SHA256())
            return leaf.hash(
                of: view, in: record.span, sequence: Sequence(sequence),
                recordedAt: Timestamp(microseconds: time))
        }
        let first = try leaf(record)
        #expect(try leaf(record, 6) != first)
        #expect(try leaf(record, 5, 7) != first)
        for offset in [RecordLayout.saltOffset, record.count - 1] {
            var changed = record
            changed[offset] ^= 1
            #expect(try leaf(changed) != first)
        }
        var digestAlone = record
        digestAlone[RecordLayout.digestOffset] ^= 1
        #expect(try leaf(digestAlone) == first)
    }
}

@Suite struct EventRowTests {
    private func row(_ record: [UInt8], sequence: UInt64 = 7) throws -> [UInt8] {
        let view = try RecordView(decoding: record.span, at: 0, end: record.count)
        var output: [UInt8] = []
        var leaf = Leaf(hash: SHA256())
        EventRow.append(
            view, in: record.span, sequence: Sequence(sequence), recordedAt: Golden.day,
            leaf: &leaf, to: &output)
        return output
    }

    @Test func `a row is one line of JSON with the parameters as sent`() throws {
        let event = TestEvent(
            uniqueID: "a\"\\\u{1}é😀", startTime: "2026-11-24T00:00:00Z",
            stopTime: "2026-11-25", notes: "[ 1.0,\r\n {\"b\":2,\n\"a\":\"x\\ny\"} ]",
            updatedIn: "file\tmaker")
        let line = try row(event.record(revision: Revision(3)))
        #expect(line.last == 0x0A)
        #expect(line.filter { $0 == 0x0A || $0 == 0x0D }.count == 1)
        var document = JSONDocument()
        let bytes = line.span
        try document.parse(bytes, in: 0..<(line.count - 1))
        func node(_ name: StaticString) throws -> Int {
            let node = document.member(name, of: document.root, in: line.span)
            return try #require(node, "\(name)")
        }
        func text(_ name: StaticString) throws -> String? {
            document.string(try node(name), from: line.span)
        }
        let values = try
            ([
                "unique_id", "script_name", "host_name", "file_name", "start_time", "stop_time",
                "updated_in", "recorded_at", "application", "written_by",
            ] as [StaticString]).map(text)
        #expect(
            values == [
                event.uniqueID, event.scriptName, event.hostName, event.fileName, event.startTime,
                event.stopTime, event.updatedIn, "2026-11-24T00:00:00.000000Z", "planox2",
                "00112233445566aa",
            ])
        let leafHash = try text("leaf_hash")
        #expect(leafHash?.utf8.count == 64)
        let notes = bytes.copy(document[try node("notes")].range)
        #expect(notes == Array("[ 1.0,   {\"b\":2, \"a\":\"x\\ny\"} ]".utf8))
        let revision = document.integer(try node("revision"), from: bytes)
        #expect(revision == 3)
        let sequence = document.integer(try node("sequence"), from: bytes)
        #expect(sequence == 7)
    }

    @Test func `absent parameters are left out`() throws {
        let text = String(decoding: try row(TestEvent().record()), as: UTF8.self)
        for name in ["stop_time", "notes", "updated_in"] { #expect(!text.contains(name)) }
    }

    @Test func `an administrative row names action, subject and details`() throws {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "tokens/create", subject: "s", details: Array("{\"a\":1}".utf8),
            application: "", writtenBy: "w", to: &record)
        let text = String(decoding: try row(record), as: UTF8.self)
        #expect(
            text.hasPrefix(
                "{\"action\":\"tokens/create\",\"subject\":\"s\",\"details\":{\"a\":1},\"sequence\":7,"
            ))
        #expect(text.hasSuffix(",\"application\":\"\",\"written_by\":\"w\"}\n"))
    }
}
