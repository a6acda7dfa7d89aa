import Bytes
import Testing

@testable import HTTPWire

@Suite struct TimeoutTests {
    private let second: Nanoseconds = 1_000_000_000

    /// Lets the clock reach the deadline, checks that nothing happens just before it.
    private func expire(_ exchange: inout Exchange) -> HTTPConnection.Expiry {
        guard let deadline = exchange.connection.deadline() else { return .none }
        #expect(exchange.connection.expire(now: deadline - 1) == .none)
        exchange.now = deadline
        let expiry = exchange.connection.expire(now: deadline)
        exchange.pump()
        return expiry
    }

    @Test func `an idle connection is closed in silence`() {
        var exchange = Exchange()
        #expect(exchange.connection.deadline() == 75 * second)
        #expect(expire(&exchange) == .closed)
        #expect(exchange.output.isEmpty && exchange.connection.shouldClose)
        #expect(exchange.connection.deadline() == nil)
    }

    @Test func `the idle time begins anew with each response`() {
        var exchange = Exchange()
        exchange.now = 70 * second
        exchange.receive("GET / HTTP/1.1⏎Host: a⏎⏎")
        #expect(exchange.connection.deadline() == 145 * second)
    }

    @Test func `slow headers are answered with 408, from their first byte on`() {
        var exchange = Exchange()
        exchange.now = 50 * second
        exchange.receive("G")
        exchange.now = 55 * second
        exchange.receive("ET / HTTP/1.1⏎Host: a⏎")
        #expect(exchange.connection.deadline() == 60 * second)
        #expect(expire(&exchange) == .requestTimeout)
        #expect(exchange.outputText.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
        #expect(exchange.connection.shouldEndOutput && !exchange.connection.shouldClose)
        #expect(expire(&exchange) == .closed)
        #expect(exchange.connection.shouldClose)
    }

    @Test func `a slow body is answered with 408`() {
        for head in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
            var exchange = Exchange()
            exchange.receive("POST / HTTP/1.1⏎Host: a⏎\(head)⏎")
            exchange.now = 9 * second
            exchange.receive("⏎")
            for _ in 0..<5 {
                exchange.now += 10 * second
                exchange.receive("1")
            }
            #expect(exchange.connection.deadline() == 69 * second)
            #expect(expire(&exchange) == .requestTimeout)
            #expect(exchange.trace.isEmpty)
        }
    }

    @Test func `nobody is hurried while the caller owes the answer`() {
        var connection = HTTPConnection(now: 0)
        let input = wire("GET / HTTP/1.1⏎Host: a⏎⏎")
        connection.receive(input.span, now: 0)
        #expect(connection.advance(now: 0) == .head)
        #expect(connection.deadline() == nil)
        connection.admitBody(limit: 0, now: 0)
        #expect(connection.advance(now: 0) == .request)
        #expect(connection.deadline() == nil)
        #expect(connection.expire(now: 1_000 * second) == .none)
    }

    @Test func `a reader that takes nothing is dropped, one that takes little is not`() {
        var connection = HTTPConnection(now: 0)
        let input = wire("GET / HTTP/1.1⏎Host: a⏎⏎")
        connection.receive(input.span, now: 0)
        _ = connection.advance(now: 0)
        connection.admitBody(limit: 0, now: 0)
        _ = connection.advance(now: 0)
        connection.beginStream(status: 200, contentType: "text/plain", now: 100 * second)
        #expect(connection.deadline() == 160 * second)
        connection.didWrite(1, now: 159 * second)
        #expect(connection.deadline() == 219 * second)
        let content: [UInt8] = [1, 2, 3]
        connection.writeChunk(content.span, now: 200 * second)
        #expect(connection.deadline() == 219 * second)
        connection.didWrite(0, now: 210 * second)
        #expect(connection.expire(now: 218 * second) == .none)
        #expect(connection.expire(now: 219 * second) == .closed)
        #expect(connection.shouldClose && connection.pendingOutput == 0)
    }

    @Test func `a closed connection whose peer takes nothing loses its output in time`() {
        var connection = HTTPConnection(now: 0)
        let input = wire("GET / HTTP/1.1⏎Host: a⏎Connection: close⏎⏎")
        connection.receive(input.span, now: 0)
        _ = connection.advance(now: 0)
        connection.admitBody(limit: 0, now: 0)
        _ = connection.advance(now: 0)
        let body: [UInt8] = [1]
        connection.respond(status: 200, contentType: nil, body: body.span, now: 5 * second)
        #expect(connection.advance(now: 5 * second) == .closed)
        #expect(!connection.shouldClose)
        #expect(connection.deadline() == 65 * second)
        #expect(connection.expire(now: 65 * second) == .closed)
        #expect(connection.shouldClose && connection.deadline() == nil)
    }

    @Test func `an idle stream has no deadline, and its next chunk has its full time`() {
        var connection = HTTPConnection(now: 0)
        let input = wire("GET / HTTP/1.1⏎Host: a⏎⏎")
        connection.receive(input.span, now: 0)
        _ = connection.advance(now: 0)
        connection.admitBody(limit: 0, now: 0)
        _ = connection.advance(now: 0)
        connection.beginStream(status: 200, contentType: "text/plain", now: 0)
        connection.didWrite(connection.pendingOutput, now: 0)
        #expect(connection.deadline() == nil)
        let content: [UInt8] = [1]
        connection.writeChunk(content.span, now: 500 * second)
        #expect(connection.deadline() == 560 * second)
    }

    @Test func `a drain ends in time`() {
        var exchange = Exchange()
        exchange.now = second
        exchange.receive("BAD\u{1}⏎")
        #expect(exchange.connection.deadline() == 6 * second)
        exchange.now = 5 * second
        exchange.receive("more")
        #expect(expire(&exchange) == .closed)
        #expect(exchange.connection.shouldClose)
    }

    @Test func `a pipelined request's header time begins when it is its turn`() {
        var connection = HTTPConnection(now: 0)
        let input = wire("GET / HTTP/1.1⏎Host: a⏎⏎GET /2")
        connection.receive(input.span, now: 0)
        _ = connection.advance(now: 0)
        connection.admitBody(limit: 0, now: 0)
        _ = connection.advance(now: 0)
        let body: [UInt8] = []
        connection.respond(status: 200, contentType: nil, body: body.span, now: 20 * second)
        connection.didWrite(connection.pendingOutput, now: 20 * second)
        #expect(connection.advance(now: 20 * second) == .needsBytes)
        #expect(connection.deadline() == 30 * second)
    }
}
