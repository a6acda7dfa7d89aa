import Bytes
import Crypto
import Testing

@testable import Records

@Suite struct GoldenTests {
    @Test func `the genesis entry has its golden bytes`() throws {
        let golden = try Golden.entry("genesis")
        let made = Golden.genesis.entry(createdAt: Golden.day)
        #expect(made.bytes == golden.bytes)
        #expect(try Genesis(golden) == Golden.genesis)
        #expect(golden.header.position == LogPosition(term: .zero, index: LogIndex(1)))
    }

    @Test func `an events entry has its golden bytes and reads back`() throws {
        let golden = try Golden.entry("events")
        var body: [UInt8] = []
        for (event, revision, salt) in Golden.events {
            body += try event.record(revision: revision, salt: Array(salt))
        }
        let made = Entry(
            kind: .events, term: Term(3), after: try Golden.entry("genesis").header,
            recordCount: 2, timestamp: Golden.day.advanced(byMicroseconds: 1_000_000), body: body)
        #expect(made.bytes == golden.bytes)
        #expect(golden.header.nextSequence == Sequence(2))

        let bytes = golden.bytes.span
        let end = golden.header.bodyRange.upperBound
        let first = try RecordView(
            decoding: bytes, at: EntryHeader.encodedSize, end: end)
        #expect(first.resource == .auditEvent)
        #expect(first.revision == Revision(1))
        #expect(first.stopTime == nil && first.notes == nil && first.updatedIn == nil)
        #expect(first.stoppedAt == .absent)
        let uniqueID = bytes.copy(first.uniqueID)
        #expect(uniqueID == Array("CASE-a1".utf8))
        let second = try RecordView(decoding: bytes, at: first.range.upperBound, end: end)
        #expect(second.range.upperBound == end)
        #expect(second.revision == Revision(2))
        let salt = bytes.copy(second.salt)
        #expect(salt == Array(16...31))
        let updatedIn = bytes.copy(try #require(second.updatedIn))
        #expect(updatedIn == Array("filemaker".utf8))
        #expect(
            second.startedAt
                == Golden.day.advanced(byMicroseconds: (10 * 3_600 + 685) * 1_000_000 + 123_000))
    }

    @Test(arguments: Golden.commands.indices)
    func `a directory entry has its golden bytes and reads back`(place: Int) throws {
        let (name, command, salt) = Golden.commands[place]
        let golden = try Golden.entry(name)
        let isCreation = place == 0
        var body: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: isCreation ? "tokens/create" : "tokens/revoke",
            subject: Golden.scripts.description,
            details: Array((isCreation ? "{\"id\":\"\(Golden.scripts)\"}" : "{}").utf8),
            application: "", writtenBy: Golden.administrator.description, to: &body)
        TestEvent.decide(&body, revision: Revision(1), salt: Array(salt))
        command.append(to: &body)
        let previous = try Golden.entry(isCreation ? "events" : "directory")
        let made = Entry(
            kind: .directory, term: Term(3), after: previous.header, recordCount: 1,
            timestamp: golden.header.timestamp, body: body)
        #expect(made.bytes == golden.bytes)

        let bytes = golden.bytes.span
        let record = try RecordView(
            decoding: bytes, at: EntryHeader.encodedSize, end: golden.header.bodyRange.upperBound)
        #expect(record.resource == .administration)
        var cursor = ByteCursor(record.range.upperBound..<golden.header.bodyRange.upperBound)
        let read = try DirectoryCommand(&cursor, bytes)
        #expect(read == command)
        #expect(cursor.remaining == 0)
    }

    @Test func `golden entries continue each other`() throws {
        let names =
            ["genesis", "events", "directory", "directory-revoke", "no-operation"]
            + Golden.controls.map(\.name)
            + Golden.retention.map(\.name)
        var previous: EntryHeader?
        for name in names {
            let header = try Golden.entry(name).header
            #expect(header.index == previous?.index.next ?? LogIndex(1), "\(name)")
            #expect(header.previousChecksum == previous?.checksum ?? 0, "\(name)")
            #expect(header.firstSequence == previous?.nextSequence ?? .zero, "\(name)")
            previous = header
        }
    }

    @Test(arguments: Golden.controls.indices)
    func `a control entry has its golden bytes and reads back`(place: Int) throws {
        let (name, payload) = Golden.controls[place]
        let golden = try Golden.entry(name)
        #expect(golden.header.kind == payload.kind)
        var cursor = ByteCursor(golden.header.bodyRange)
        let read = try ControlPayload(golden.header.kind, &cursor, golden.bytes.span)
        #expect(read == payload)
        var body: [UInt8] = []
        read.append(to: &body)
        #expect(body == Array(golden.bytes[golden.header.bodyRange]))
    }

    @Test(arguments: Golden.retention.indices)
    func `a command of retention has its golden bytes and reads back`(place: Int) throws {
        let (name, command) = Golden.retention[place]
        let golden = try Golden.entry(name)
        let bytes = golden.bytes.span
        let record = try RecordView(
            decoding: bytes, at: EntryHeader.encodedSize, end: golden.header.bodyRange.upperBound)
        #expect(record.resource == .administration)
        var cursor = ByteCursor(record.range.upperBound..<golden.header.bodyRange.upperBound)
        let read = try DirectoryCommand(&cursor, bytes)
        #expect(read == command && cursor.remaining == 0)
        var written: [UInt8] = []
        command.append(to: &written)
        let range = record.range.upperBound..<golden.header.bodyRange.upperBound
        #expect(written == Array(golden.bytes[range]))
        guard case .addHold(let id, _) = command.change else { return }
        let subject = String(decoding: bytes.copy(record.scriptName), as: UTF8.self)
        #expect(subject == id.mark.description)
    }

    @Test func `stubs have their golden bytes and read back`() throws {
        let entry = try Golden.entry("events")
        let bytes = entry.bytes.span
        let end = entry.header.bodyRange.upperBound
        let first = try RecordView(decoding: bytes, at: EntryHeader.encodedSize, end: end)
        let second = try RecordView(decoding: bytes, at: first.range.upperBound, end: end)
        var leaf = Leaf(hash: SHA256())
        let secondLeaf = leaf.entry(
            of: second, in: bytes, sequence: Sequence(1),
            recordedAt: entry.header.timestamp.advanced(byMicroseconds: 1))
        let stub = RecordStub.compacted(
            leafEntry: secondLeaf, contentDigest: Digest(bytes.copy(second.digest)),
            salt: bytes.copy(second.salt), revision: Revision(2),
            uniqueID: Array("Übung-2".utf8))
        try check(stub, "record-stub", Sequence(1))
        let firstLeaf = leaf.entry(
            of: first, in: bytes, sequence: .zero, recordedAt: entry.header.timestamp)
        try check(
            .erased(leafEntry: firstLeaf, closedMark: Golden.digest(0x5C)), "record-erased", .zero)
    }

    @Test func `the rows of the golden events are those of the reference, leaf hashes too`() throws
    {
        var rows: [UInt8] = []
        for name in ["events", "directory"] {
            let entry = try Golden.entry(name)
            let bytes = entry.bytes.span
            var offset = EntryHeader.encodedSize
            for ordinal in 0..<entry.header.recordCount {
                let record = try RecordView(
                    decoding: bytes, at: offset, end: entry.header.bodyRange.upperBound)
                var leaf = Leaf(hash: SHA256())
                EventRow.append(
                    record, in: bytes,
                    sequence: entry.header.firstSequence.advanced(by: ordinal),
                    recordedAt: entry.header.timestamp.advanced(byMicroseconds: ordinal),
                    leaf: &leaf, to: &rows)
                offset = record.range.upperBound
            }
        }
        let golden = try TextFile.read("Golden/rows.ndjson")
        #expect(String(decoding: rows, as: UTF8.self) == String(decoding: golden, as: UTF8.self))
    }

    private func check(_ stub: RecordStub, _ name: String, _ sequence: Sequence) throws {
        let golden = try Golden.bytes(name)
        var made: [UInt8] = []
        stub.append(to: &made)
        #expect(made == golden)
        let read = try RecordStub(decoding: golden.span, in: 0..<golden.count)
        #expect(read == stub)
        #expect(read.sequence == sequence)
        #expect(
            read.recordedAt
                == Golden.day.advanced(byMicroseconds: 1_000_000 + Int(sequence.value)))
    }
}
