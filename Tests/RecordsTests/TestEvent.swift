import Bytes
import Crypto
import JSON
import Testing

@testable import Records

/// An event as a test writes it down, and its stored record.
struct TestEvent: Equatable {
    var uniqueID = "CASE-a1"
    var scriptName = "Startup"
    var hostName = "fms-01"
    var fileName = "PlanoX2.fmp12"
    var startTime = "11/24/2026 03:11:25 PM"
    var stopTime: String?
    var notes: String?
    var updatedIn: String?

    /// The stored record, its revision and salt as the leader would have left them.
    func record(
        revision: Revision = Revision(1), salt: [UInt8] = Array(0...15),
        application: String = "planox2", writtenBy: String = "00112233445566aa"
    ) throws -> [UInt8] {
        var values: [UInt8] = []
        var parameters = EventParameters()
        parameters.uniqueID = Self.append(uniqueID, to: &values)
        parameters.scriptName = Self.append(scriptName, to: &values)
        parameters.hostName = Self.append(hostName, to: &values)
        parameters.fileName = Self.append(fileName, to: &values)
        parameters.startTime = Self.append(startTime, to: &values)
        parameters.startedAt = try time(parameters.startTime, values)
        if let stopTime {
            let range = Self.append(stopTime, to: &values)
            parameters.stopTime = range
            parameters.stoppedAt = try time(range, values)
        }
        parameters.updatedIn = updatedIn.map { Self.append($0, to: &values) }
        if let notes {
            parameters.notes = Self.append(notes, to: &values)
            var document = JSONDocument()
            let bytes = Array(notes.utf8)
            try document.parse(bytes.span)
            let start = values.count
            document.appendCanonical(document.root, from: bytes.span, to: &values)
            parameters.canonicalNotes = start..<values.count
        }
        var record: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: Array(application.utf8),
            writtenBy: Array(writtenBy.utf8), hash: SHA256(), to: &record)
        TestEvent.decide(&record, revision: revision, salt: salt)
        return record
    }

    /// What the leader fills in, with a salt that the test knows.
    static func decide(_ record: inout [UInt8], revision: Revision, salt: [UInt8]) {
        record.put(
            littleEndian: revision.value,
            at: RecordLayout.canonicalOffset + RecordLayout.revisionOffset)
        record.put(salt, at: RecordLayout.saltOffset)
    }

    var digest: [UInt8] {
        get throws {
            let record = try record()
            return Array(record[RecordLayout.digestOffset..<RecordLayout.saltOffset])
        }
    }

    private func time(_ range: Range<Int>, _ values: [UInt8]) throws -> Timestamp {
        let time = TimeReading().timestamp(values.span, range)
        return try #require(time)
    }

    private static func append(_ text: String, to values: inout [UInt8]) -> Range<Int> {
        let start = values.count
        values.append(contentsOf: text.utf8)
        return start..<values.count
    }
}
