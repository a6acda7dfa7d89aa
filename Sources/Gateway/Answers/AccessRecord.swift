import Bytes
package import HTTPWire
import JSON
package import Records

/// One line of the access log: what was asked and answered, and by whom.
///
/// It has no token, password, header, body, path or query by its form: the route stands for the path,
/// the public half for the token.
package struct AccessRecord: Sendable {
    package let requestID: String
    package let time: Timestamp
    package let startedAt: Instant
    package let source: RequestSource
    /// `POST`, or `?` for one that no route has.
    package let method: String
    /// Its label in the route table; nil where there is none.
    package let route: String?
    /// As it came, where it is well-formed (`TraceParent`).
    package let traceParent: String?
    /// The public half of the token or session, once it was judged to be good.
    package var credential: TokenID?
    package var requestBytes = 0
    package var answerBytes = 0
    /// nil while nothing was answered.
    package var status: Int?

    package init(
        requestID: String, time: Timestamp, startedAt: Instant, source: RequestSource,
        head: HTTPHead?, in bytes: Span<UInt8>
    ) {
        self.requestID = requestID
        self.time = time
        self.startedAt = startedAt
        self.source = source
        method = head.map { RouteTable.name($0.method) } ?? "?"
        var label: String?
        if let head,
            case .route(let route) = RouteTable.match(head.method, path: head.path, in: bytes)
        {
            label = route.label
        }
        route = label
        traceParent = head.flatMap { TraceParent.read($0, bytes) }
    }

    /// Appends the line. `isWhole`: the answer was written to its end.
    package func append(endedAt now: Instant, isWhole: Bool, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("time", RFC3339.text(time), to: &output)
        object.member("request_id", requestID, to: &output)
        object.member("address", source.address.description, to: &output)
        object.member("method", method, to: &output)
        if let route { object.member("route", route, to: &output) }
        if let status { object.member("status", Int64(status), to: &output) }
        object.member("microseconds", now.nanoseconds(since: startedAt) / 1_000, to: &output)
        object.member("request_bytes", UInt64(requestBytes), to: &output)
        object.member("answer_bytes", UInt64(answerBytes), to: &output)
        if let credential { object.member("credential", credential.description, to: &output) }
        if let traceParent { object.member("traceparent", traceParent, to: &output) }
        if !isWhole { object.member("broken_off", true, to: &output) }
        object.close(to: &output)
        output.append(UInt8(ascii: "\n"))
    }
}

/// The request id that a client or proxy chose (`X-Request-Id`).
package enum RequestID {
    /// The id, where it is 1 to 128 letters, digits, dots, hyphens and underscores and no token: those
    /// have the same characters, and ids are logged.
    package static func read(_ head: HTTPHead, _ bytes: Span<UInt8>) -> String? {
        guard let range = head.value("x-request-id", in: bytes),
            (1...GatewayLimits.requestIDBytes).contains(range.count)
        else { return nil }
        for place in range where !isPlain(bytes[place]) { return nil }
        let text = bytes.copy(range)
        // A token, or what could be one that was cut or wrapped.
        let mark = Array("dbk_".utf8)
        let holdsToken = text.indices.contains { text[$0...].starts(with: mark) }
        return holdsToken ? nil : String(decoding: text, as: UTF8.self)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// The `traceparent` header (W3C Trace Context, section 3.2).
package enum TraceParent {
    /// `00-`, 32, 16 and 2 hexadecimal digits in lower case; neither id all zeros. nil for others.
    package static func read(_ head: HTTPHead, _ bytes: Span<UInt8>) -> String? {
        guard let range = head.value("traceparent", in: bytes), range.count == 55,
            head.count("traceparent", in: bytes) == 1
        else { return nil }
        let text = bytes.copy(range)
        for place in text.indices {
            let byte = text[place]
            let isDash = place == 2 || place == 35 || place == 52
            let isHex = (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
            guard isDash ? byte == UInt8(ascii: "-") : isHex else { return nil }
        }
        let isZero = { (part: ArraySlice<UInt8>) in part.allSatisfy { $0 == 0x30 } }
        guard text.starts(with: "00-".utf8), !isZero(text[3..<35]), !isZero(text[36..<52]) else {
            return nil
        }
        return String(decoding: text, as: UTF8.self)
    }
}
