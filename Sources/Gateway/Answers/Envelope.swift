import Bytes
import JSON
package import PeerWire
import Records

/// The answers of the compatible surface: one JSON object, its members always in this order.
package enum Envelope {
    package static let contentType: StaticString = "application/json; charset=utf-8"

    /// Appends the envelope of what was done, a success unless mail is late; `data` appends the value
    /// of `data`.
    package static func appendSuccess(
        _ status: Status = .actionSuccessful, message: String = "Done.", views: Views = Views(),
        redirect: String? = nil,
        requestID: String?, to output: inout [UInt8], data: (inout [UInt8]) -> Void
    ) {
        begin(status, message, to: &output)
        JSONWriter.appendRaw(",\"data\":", to: &output)
        data(&output)
        output.append(contentsOf: views.bytes)
        end(redirect, requestID, to: &output)
    }

    /// Appends the envelope of a refusal.
    package static func appendRefusal(
        _ refusal: Refusal, requestID: String?, to output: inout [UInt8]
    ) {
        begin(refusal.status, refusal.message, to: &output)
        if refusal.status == .notReady {
            JSONWriter.appendRaw(",\"data\":{\"outcome\":", to: &output)
            JSONWriter.append(refusal.isOutcomeUnknown ? "unknown" : "none", to: &output)
            JSONWriter.appendRaw("}", to: &output)
        }
        if !refusal.faults.isEmpty {
            JSONWriter.appendRaw(",\"errors\":", to: &output)
            appendFaults(refusal.faults, to: &output)
        }
        if let session = refusal.session {
            JSONWriter.appendRaw(",\"session\":", to: &output)
            output.append(contentsOf: session)
        }
        end(refusal.redirect, requestID, to: &output)
    }

    /// Appends what a receipt tells of one event.
    package static func appendReceipt(
        _ receipt: Receipt, uniqueID: [UInt8], to output: inout [UInt8]
    ) {
        JSONWriter.appendRaw("{\"unique_id\":", to: &output)
        JSONWriter.append(uniqueID.span, in: 0..<uniqueID.count, to: &output)
        if receipt.verdict == .erased {
            JSONWriter.appendRaw(",\"duplicate\":true,\"erased\":true}", to: &output)
            return
        }
        JSONWriter.appendRaw(",\"sequence\":", to: &output)
        JSONWriter.append(receipt.sequence.value, to: &output)
        JSONWriter.appendRaw(",\"revision\":", to: &output)
        JSONWriter.append(UInt64(receipt.revision.value), to: &output)
        JSONWriter.appendRaw(",\"recorded_at\":\"", to: &output)
        RFC3339.append(receipt.recordedAt, to: &output)
        JSONWriter.appendRaw("\",\"duplicate\":", to: &output)
        JSONWriter.append(receipt.verdict == .duplicate, to: &output)
        JSONWriter.appendRaw(",\"leaf_hash\":\"", to: &output)
        receipt.leafHash.appendHex(to: &output)
        JSONWriter.appendRaw("\",\"salt\":\"", to: &output)
        receipt.salt.appendHex(to: &output)
        JSONWriter.appendRaw("\"}", to: &output)
    }

    static func appendFaults(_ faults: [ParameterFault], to output: inout [UInt8]) {
        var array = JSONArrayWriter(to: &output)
        for fault in faults {
            array.element(to: &output)
            var object = JSONObjectWriter(to: &output)
            object.member("attr", fault.parameter, to: &output)
            object.member("message", fault.kind.rawValue, to: &output)
            object.member("detail", fault.detail, to: &output)
            object.close(to: &output)
        }
        array.close(to: &output)
    }

    private static func begin(_ status: Status, _ message: String, to output: inout [UInt8]) {
        JSONWriter.appendRaw("{\"code\":", to: &output)
        JSONWriter.append(UInt64(status.code), to: &output)
        JSONWriter.appendRaw(",\"status\":\"", to: &output)
        JSONWriter.appendRaw(status.slug, to: &output)
        JSONWriter.appendRaw("\",\"message\":", to: &output)
        JSONWriter.append(message, to: &output)
    }

    private static func end(
        _ redirect: String?, _ requestID: String?, to output: inout [UInt8]
    ) {
        if let redirect {
            JSONWriter.appendRaw(",\"redirect\":", to: &output)
            JSONWriter.append(redirect, to: &output)
        }
        if let requestID {
            JSONWriter.appendRaw(",\"request_id\":", to: &output)
            JSONWriter.append(requestID, to: &output)
        }
        output.append(UInt8(ascii: "}"))
    }
}

/// The errors of the native surface (RFC 9457).
package enum Problem {
    package static let contentType: StaticString = "application/problem+json"

    package static func append(
        status: Int, slug: String, title: String, detail: String, faults: [ParameterFault] = [],
        requestID: String, to output: inout [UInt8]
    ) {
        var object = JSONObjectWriter(to: &output)
        object.member("type", "urn:daybook:problem:\(slug)", to: &output)
        object.member("title", title, to: &output)
        object.member("status", Int64(status), to: &output)
        object.member("detail", detail, to: &output)
        if !faults.isEmpty {
            object.name("errors", to: &output)
            Envelope.appendFaults(faults, to: &output)
        }
        object.member("request_id", requestID, to: &output)
        object.close(to: &output)
    }
}
