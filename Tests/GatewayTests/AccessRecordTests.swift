import HTTPWire
import JSON
import Records
import Testing

@testable import Gateway

/// What a request is called, and what of it is logged.
@Suite struct AccessRecordTests {
    private func connection(
        _ target: String = "/health/live", _ headers: [String] = []
    ) -> HTTPConnection {
        var connection = HTTPConnection(now: 0)
        let lines = headers.map { $0 + "\r\n" }.joined()
        connection.receive(
            Array("GET \(target) HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8).span, now: 0)
        let event = connection.advance(now: 0)
        precondition(event == .head, "\(event)")
        return connection
    }

    @Test func `a well-formed request id is taken over`() {
        let longest = String(repeating: "a", count: GatewayLimits.requestIDBytes)
        for id in ["a", "A-9_z.0", longest] {
            let connection = connection("/", ["x-REQUEST-id: \(id)"])
            #expect(RequestID.read(connection.head, connection.bytes.span) == id)
        }
    }

    @Test func `other request ids, and tokens in their place, are not`() {
        let long = String(repeating: "a", count: GatewayLimits.requestIDBytes + 1)
        let token = TestGateway.application.text
        for id in ["", "a b", "a\"b", "a,b", "ä", long, token, "x" + token, token + ".", "dbk_"] {
            let connection = connection("/", ["X-Request-Id: \(id)"])
            #expect(RequestID.read(connection.head, connection.bytes.span) == nil, "\(id)")
        }
    }

    @Test func `a traceparent is read by the standard's form`() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let read = { (value: String) in
            let connection = self.connection("/", ["traceparent: \(value)"])
            return TraceParent.read(connection.head, connection.bytes.span)
        }
        #expect(read(good) == good)
        for bad in [
            "", good.uppercased(), good + "-00", "01" + good.dropFirst(2),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            good.replacing("-", with: "_"),
        ] { #expect(read(bad) == nil, "\(bad)") }
        let twice = connection("/", ["traceparent: \(good)", "traceparent: \(good)"])
        #expect(TraceParent.read(twice.head, twice.bytes.span) == nil)
    }

    @Test func `a line has the route and the public half of the token, and no path or query`()
        throws
    {
        let secret = TestGateway.application.text
        for target in ["/v1/events/\(secret)", "/v1/events?token=\(secret)", "/\(secret)"] {
            let connection = connection(target, ["Authorization: Bearer \(secret)"])
            var record = AccessRecord(
                requestID: "r-1", time: TestGateway.start, startedAt: .zero, source: .local,
                head: connection.head, in: connection.bytes.span)
            record.credential = TestGateway.application.row.id
            record.status = 200
            record.answerBytes = 12
            var line: [UInt8] = []
            record.append(
                endedAt: Instant(nanoseconds: 2_500_000), isWhole: false, to: &line)
            let text = String(decoding: line, as: UTF8.self)
            #expect(!text.contains("dbk_") && text.hasSuffix("\n"))
            let answer = try TestAnswer(Answer(status: 200, contentType: nil, body: line))
            #expect(answer.string("address") == "127.0.0.1")
            #expect(answer.node("microseconds").map(answer.raw) == "2500")
            #expect(answer.node("broken_off").map(answer.raw) == "true")
            #expect(answer.string("credential") == TestGateway.application.row.id.description)
        }
    }
}
