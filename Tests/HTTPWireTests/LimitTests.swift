import Testing

@testable import HTTPWire

/// Each limit of one connection in one table: what keeps to it is served, one byte or header more
/// is not.
@Suite struct LimitTests {
    struct Limit: Sendable, CustomTestStringConvertible {
        let name: String
        let limit: Int
        /// What the excess is answered with.
        let status: Int
        /// A request that has so much of it.
        let request: @Sendable (Int) -> String

        var testDescription: String { name }
    }

    private static let head = "POST / HTTP/1.1⏎Host: a⏎"

    private static func filled(_ count: Int, _ around: String, _ end: String) -> String {
        around + String(repeating: "x", count: count - around.utf8.count - end.utf8.count) + end
    }

    static let limits: [Limit] = [
        Limit(name: "request line", limit: HTTPLimits.requestLineBytes, status: 414) {
            filled($0, "GET /", " HTTP/1.1") + "⏎Host: a⏎⏎"
        },
        Limit(name: "headers", limit: HTTPLimits.headerBytes, status: 431) {
            let frame = "Host: a\r\nX: \r\n\r\n".utf8.count
            return "GET / HTTP/1.1⏎Host: a⏎X: " + String(repeating: "x", count: $0 - frame) + "⏎⏎"
        },
        Limit(name: "header count", limit: HTTPLimits.headerCount, status: 431) {
            "GET / HTTP/1.1⏎Host: a⏎" + String(repeating: "X: y⏎", count: $0 - 1) + "⏎"
        },
        Limit(name: "body", limit: 100, status: 413) {
            head + "Content-Length: \($0)⏎⏎" + String(repeating: "x", count: $0)
        },
        Limit(name: "body in chunks", limit: 100, status: 413) {
            head + "Transfer-Encoding: chunked⏎⏎"
                + String(repeating: "1⏎x⏎", count: $0) + "0⏎⏎"
        },
        Limit(name: "length digits", limit: 1, status: 400) {
            // No number of 18 digits is a body that is admitted: one of 19 is told apart by 400.
            let digits = $0 == 1 ? "3" : String(repeating: "9", count: HTTPLimits.lengthDigits + 1)
            return head + "Content-Length: \(digits)⏎⏎xxx"
        },
        Limit(name: "chunk size digits", limit: HTTPLimits.chunkSizeDigits, status: 400) {
            let size = String(repeating: "0", count: $0 - 1) + "3"
            return head + "Transfer-Encoding: chunked⏎⏎\(size)⏎xxx⏎0⏎⏎"
        },
        Limit(name: "chunk extensions", limit: HTTPLimits.chunkExtensionBytes, status: 400) {
            head + "Transfer-Encoding: chunked⏎⏎3" + filled($0, ";", "") + "⏎xxx⏎0⏎⏎"
        },
        Limit(name: "trailers", limit: HTTPLimits.trailerBytes, status: 431) {
            let frame = "T: \r\n\r\n".utf8.count
            return head + "Transfer-Encoding: chunked⏎⏎0⏎T: "
                + String(repeating: "x", count: $0 - frame) + "⏎⏎"
        },
    ]

    private func statuses(_ text: String) -> [String] {
        let bytes = wire(text)
        let whole = Exchange([bytes[...]])
        // However it is cut, it comes to the same.
        let halves = Exchange([bytes[..<(bytes.count / 2)], bytes[(bytes.count / 2)...]])
        #expect(whole.outputText == halves.outputText)
        return whole.outputText.split(separator: "HTTP/1.1 ").dropFirst(0)
            .filter { $0.first?.isNumber ?? false }.map { String($0.prefix(3)) }
            .filter { $0 != "100" }
    }

    @Test(arguments: limits)
    func `at the limit a request is served, and beyond it refused`(_ limit: Limit) {
        #expect(statuses(limit.request(limit.limit)) == ["200"])
        #expect(statuses(limit.request(limit.limit + 1)) == ["\(limit.status)"])
    }

    @Test func `limits of the contract are what it says`() {
        #expect(HTTPLimits.requestLineBytes == 8_192 && HTTPLimits.headerBytes == 32_768)
        #expect(HTTPLimits.headerCount == 100 && HTTPLimits.drainBytes == 2_097_152)
        #expect(HTTPLimits.headerTime == 10_000_000_000 && HTTPLimits.idleTime == 75_000_000_000)
    }

    @Test func `behind a body that is refused at most the drain is read`() {
        for (extra, isOpen) in [(-1, true), (0, false)] {
            var exchange = Exchange()
            exchange.receive(
                "POST / HTTP/1.1⏎Host: a⏎Content-Length: \(HTTPLimits.drainBytes * 2)⏎⏎")
            #expect(exchange.outputText.hasPrefix("HTTP/1.1 413 "))
            exchange.receive([UInt8](repeating: 0x78, count: HTTPLimits.drainBytes + extra))
            #expect(exchange.connection.wantsBytes == isOpen)
            #expect(exchange.connection.heldBytes == 0)
        }
    }

    @Test func `times end at the limit and not before it`() {
        for (sent, limit) in [
            ("", HTTPLimits.idleTime), ("GET", HTTPLimits.headerTime),
            ("POST / HTTP/1.1⏎Host: a⏎Content-Length: 2⏎⏎x", HTTPLimits.bodyTime),
        ] {
            var exchange = Exchange()
            exchange.receive(sent)
            #expect(exchange.connection.expire(now: limit - 1) == .none, "\(sent)")
            #expect(exchange.connection.expire(now: limit) != .none, "\(sent)")
        }
    }

    @Test func `every answer tells the request's name and its trace, once`() {
        for request in [
            "GET / HTTP/1.1⏎Host: a⏎⏎", "GET /⏎⏎",
            "POST / HTTP/1.1⏎Host: a⏎Content-Length: 101⏎⏎",
        ] {
            var exchange = Exchange()
            exchange.connection.requestID = "r-1"
            exchange.connection.traceParent = "00-1-2-01"
            exchange.receive(request)
            let answer = exchange.outputText
            #expect(answer.contains("\r\nX-Request-Id: r-1\r\ntraceparent: 00-1-2-01\r\n"))
            #expect(exchange.connection.requestID.isEmpty)
            #expect(exchange.connection.traceParent == nil)
        }
    }

    @Test func `what is no request is answered with its name in the problem`() {
        var exchange = Exchange()
        exchange.connection.requestID = "r-1"
        exchange.receive("GET /⏎⏎")
        #expect(exchange.outputText.hasSuffix(",\"request_id\":\"r-1\"}"))
    }
}
