import Bytes
package import Crypto

/// Writes stored records. What the leader decides (revision, salt) is left zero and filled in later.
package enum RecordEncoder {
    /// Appends the stored record of an audit event to `output`.
    ///
    /// `values` is the buffer that `parameters` points into; `hash` computes the content digest.
    package static func append(
        _ parameters: EventParameters, values: [UInt8], application: [UInt8], writtenBy: [UInt8],
        hash: SHA256, to output: inout [UInt8]
    ) {
        let start = output.count
        appendFixedPart(
            .auditEvent, start: parameters.startedAt, stop: parameters.stoppedAt, to: &output)
        ContentDigest.put(
            parameters, values: values, hash: hash, at: start + RecordLayout.digestOffset,
            in: &output)
        var presence: UInt8 = 0
        if parameters.stopTime != nil { presence |= RecordLayout.presentStopTime }
        if parameters.notes != nil { presence |= RecordLayout.presentNotes }
        if parameters.updatedIn != nil { presence |= RecordLayout.presentUpdatedIn }
        appendCanonicalStart(.auditEvent, presence: presence, to: &output)
        appendShort(application.span, 0..<application.count, to: &output)
        appendShort(writtenBy.span, 0..<writtenBy.count, to: &output)
        let bytes = values.span
        appendShort(bytes, parameters.uniqueID, to: &output)
        appendShort(bytes, parameters.scriptName, to: &output)
        appendShort(bytes, parameters.hostName, to: &output)
        appendShort(bytes, parameters.fileName, to: &output)
        appendShort(bytes, parameters.startTime, to: &output)
        if let stopTime = parameters.stopTime { appendShort(bytes, stopTime, to: &output) }
        if let updatedIn = parameters.updatedIn { appendShort(bytes, updatedIn, to: &output) }
        if let notes = parameters.notes { appendLong(bytes, notes, to: &output) }
        finish(from: start, in: &output)
    }

    /// Appends the stored record of an administrative event: who did what to whom.
    ///
    /// `details` is a JSON object without secrets.
    package static func appendAdministration(
        action: String, subject: String, details: [UInt8], application: String, writtenBy: String,
        to output: inout [UInt8]
    ) {
        let start = output.count
        appendFixedPart(.administration, start: .absent, stop: .absent, to: &output)
        appendCanonicalStart(.administration, presence: 0, to: &output)
        for text in [application, writtenBy, action, subject] {
            let bytes = Array(text.utf8)
            appendShort(bytes.span, 0..<bytes.count, to: &output)
        }
        appendLong(details.span, 0..<details.count, to: &output)
        finish(from: start, in: &output)
    }

    /// Writes what the leader decided over the stored record at `offset`.
    package static func decide(
        revision: Revision, salts: KeyStream, at offset: Int, in bytes: inout [UInt8]
    ) {
        bytes.put(
            littleEndian: revision.value,
            at: offset + RecordLayout.canonicalOffset + RecordLayout.revisionOffset)
        salts.fill(&bytes, at: offset + RecordLayout.saltOffset, count: saltByteCount)
    }

    private static func appendFixedPart(
        _ resource: Resource, start: Timestamp, stop: Timestamp, to output: inout [UInt8]
    ) {
        output.append(littleEndian: UInt32(0))
        output.append(littleEndian: UInt32(resource.rawValue))
        output.append(littleEndian: start.microseconds)
        output.append(littleEndian: stop.microseconds)
        for _ in 0..<6 { output.append(littleEndian: UInt64(0)) }
    }

    private static func appendCanonicalStart(
        _ resource: Resource, presence: UInt8, to output: inout [UInt8]
    ) {
        output.append(RecordLayout.format)
        output.append(resource.rawValue)
        output.append(presence)
        output.append(0)
        output.append(littleEndian: Revision.zero.value)
    }

    private static func appendShort(
        _ bytes: Span<UInt8>, _ range: Range<Int>, to output: inout [UInt8]
    ) {
        output.append(littleEndian: UInt16(range.count))
        output.append(bytes.extracting(range))
    }

    private static func appendLong(
        _ bytes: Span<UInt8>, _ range: Range<Int>, to output: inout [UInt8]
    ) {
        output.append(littleEndian: UInt32(range.count))
        output.append(bytes.extracting(range))
    }

    private static func finish(from start: Int, in output: inout [UInt8]) {
        let length = output.count - start
        precondition(length <= Limits.recordBytes, "a record of \(length) bytes")
        output.put(littleEndian: UInt32(length), at: start + RecordLayout.lengthOffset)
    }
}

/// SHA-256 over the eight parameters as values: what "the same content" means.
///
/// Each parameter in the order of the contract: its length as 32 bits little-endian and its bytes;
/// an absent one is the length 0xFFFFFFFF alone. Notes are in their canonical form.
package enum ContentDigest {
    /// Writes the digest over the 32 bytes at `offset` of `output`, behind whose end the content is
    /// gathered meanwhile.
    static func put(
        _ parameters: EventParameters, values: [UInt8], hash: SHA256, at offset: Int,
        in output: inout [UInt8]
    ) {
        let start = output.count
        let bytes = values.span
        append(parameters.uniqueID, bytes, to: &output)
        append(parameters.scriptName, bytes, to: &output)
        append(parameters.hostName, bytes, to: &output)
        append(parameters.fileName, bytes, to: &output)
        append(parameters.startTime, bytes, to: &output)
        append(parameters.stopTime, bytes, to: &output)
        append(parameters.canonicalNotes, bytes, to: &output)
        append(parameters.updatedIn, bytes, to: &output)
        hash.begin()
        hash.update(output.span, in: start..<output.count)
        output.removeLast(output.count - start)
        hash.finish(into: &output, at: offset)
    }

    private static func append(
        _ range: Range<Int>?, _ bytes: Span<UInt8>, to output: inout [UInt8]
    ) {
        guard let range else { return output.append(littleEndian: UInt32.max) }
        output.append(littleEndian: UInt32(range.count))
        output.append(bytes.extracting(range))
    }
}
