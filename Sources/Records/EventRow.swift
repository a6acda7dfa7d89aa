package import Bytes
import Crypto
import JSON

/// One event as it is read: the parameters as sent, then what the log says of it, as a JSON object.
package enum EventRow {
    /// Appends the row of `record` (in `bytes`) and a line feed to `output`.
    package static func append(
        _ record: RecordView, in bytes: Span<UInt8>, sequence: Sequence, recordedAt: Timestamp,
        leaf: inout Leaf, to output: inout [UInt8]
    ) {
        output.append(UInt8(ascii: "{"))
        if record.resource == .administration {
            member("\"action\":", bytes, record.uniqueID, to: &output)
            member(",\"subject\":", bytes, record.scriptName, to: &output)
            output.append(contentsOf: ",\"details\":".utf8)
            if let details = record.notes { appendJSON(bytes, details, to: &output) }
        } else {
            appendParameters(record, bytes, to: &output)
        }
        output.append(contentsOf: ",\"sequence\":".utf8)
        JSONWriter.append(sequence.value, to: &output)
        output.append(contentsOf: ",\"revision\":".utf8)
        JSONWriter.append(UInt64(record.revision.value), to: &output)
        output.append(contentsOf: ",\"recorded_at\":\"".utf8)
        RFC3339.append(recordedAt, to: &output)
        output.append(contentsOf: "\",\"leaf_hash\":\"".utf8)
        leaf.hash(of: record, in: bytes, sequence: sequence, recordedAt: recordedAt)
            .appendHex(to: &output)
        member("\",\"application\":", bytes, record.application, to: &output)
        member(",\"written_by\":", bytes, record.writtenBy, to: &output)
        output.append(UInt8(ascii: "}"))
        output.append(UInt8(ascii: "\n"))
    }

    /// Appends the row of an event that a compaction took away, and a line feed.
    package static func appendCompacted(
        _ stub: RecordStub, leaf: inout Leaf, to output: inout [UInt8]
    ) {
        guard case .compacted(let leafEntry, _, _, let revision, let uniqueID) = stub else {
            preconditionFailure("no compacted event: \(stub)")
        }
        member("{\"unique_id\":", uniqueID.span, 0..<uniqueID.count, to: &output)
        output.append(contentsOf: ",\"compacted\":true,\"sequence\":".utf8)
        JSONWriter.append(stub.sequence.value, to: &output)
        output.append(contentsOf: ",\"revision\":".utf8)
        JSONWriter.append(UInt64(revision.value), to: &output)
        appendEnd(stub.recordedAt, leaf.hash(entry: leafEntry), to: &output)
    }

    /// Appends the row of an event that was erased, and a line feed.
    package static func appendErased(
        sequence: Sequence, recordedAt: Timestamp, leafHash: Digest, to output: inout [UInt8]
    ) {
        output.append(contentsOf: "{\"erased\":true,\"sequence\":".utf8)
        JSONWriter.append(sequence.value, to: &output)
        appendEnd(recordedAt, leafHash, to: &output)
    }

    private static func appendEnd(
        _ recordedAt: Timestamp, _ leafHash: Digest, to output: inout [UInt8]
    ) {
        output.append(contentsOf: ",\"recorded_at\":\"".utf8)
        RFC3339.append(recordedAt, to: &output)
        output.append(contentsOf: "\",\"leaf_hash\":\"".utf8)
        leafHash.appendHex(to: &output)
        output.append(contentsOf: "\"}\n".utf8)
    }

    private static func appendParameters(
        _ record: RecordView, _ bytes: Span<UInt8>, to output: inout [UInt8]
    ) {
        member("\"unique_id\":", bytes, record.uniqueID, to: &output)
        member(",\"script_name\":", bytes, record.scriptName, to: &output)
        member(",\"host_name\":", bytes, record.hostName, to: &output)
        member(",\"file_name\":", bytes, record.fileName, to: &output)
        member(",\"start_time\":", bytes, record.startTime, to: &output)
        if let stopTime = record.stopTime {
            member(",\"stop_time\":", bytes, stopTime, to: &output)
        }
        if let notes = record.notes {
            output.append(contentsOf: ",\"notes\":".utf8)
            appendJSON(bytes, notes, to: &output)
        }
        if let updatedIn = record.updatedIn {
            member(",\"updated_in\":", bytes, updatedIn, to: &output)
        }
    }

    private static func member(
        _ name: StaticString, _ bytes: Span<UInt8>, _ value: Range<Int>, to output: inout [UInt8]
    ) {
        JSONWriter.appendRaw(name, to: &output)
        JSONWriter.append(bytes, in: value, to: &output)
    }

    /// JSON as it was sent. Line breaks, which can only be white space in it, become spaces, so
    /// that a row is one line.
    private static func appendJSON(
        _ bytes: Span<UInt8>, _ range: Range<Int>, to output: inout [UInt8]
    ) {
        let start = output.count
        output.append(bytes.extracting(range))
        for offset in start..<output.count where output[offset] == 0x0A || output[offset] == 0x0D {
            output[offset] = UInt8(ascii: " ")
        }
    }
}
