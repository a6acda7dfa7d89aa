import Bytes
import Testing

@testable import HTTPWire

@Suite struct ResponseTests {
    private let get = "GET / HTTP/1.1⏎Host: a⏎⏎"
    private let last = "GET / HTTP/1.1⏎Host: a⏎Connection: close⏎⏎"

    /// A connection whose first request, `text`, waits for its answer.
    private func waiting(_ text: String) -> HTTPConnection {
        var connection = HTTPConnection(now: 0)
        let input = wire(text)
        connection.receive(input.span, now: 0)
        #expect(connection.advance(now: 0) == .head)
        connection.admitBody(limit: 100, now: 0)
        #expect(connection.advance(now: 0) == .request)
        return connection
    }

    private func output(_ connection: HTTPConnection) -> String {
        String(decoding: connection.output[connection.outputStart...], as: UTF8.self)
    }

    private func chunk(_ text: String, _ connection: inout HTTPConnection) {
        let content = Array(text.utf8)
        connection.writeChunk(content.span, now: 0)
    }

    private func respond(
        _ status: Int, _ text: String, headOnly: Bool = false,
        headers: [(StaticString, String)] = [], _ connection: inout HTTPConnection
    ) {
        let body = Array(text.utf8)
        connection.respond(
            status: status, contentType: status == 204 ? nil : "text/plain",
            extraHeaders: headers, body: body.span, headOnly: headOnly, now: 0)
    }

    @Test func `a response carries its length and the connection stays`() {
        var connection = waiting(get)
        respond(200, "hello", headers: [("Retry-After", "5")], &connection)
        #expect(
            output(connection)
                == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nRetry-After: 5\r\n"
                + "Content-Length: 5\r\n\r\nhello")
        #expect(!connection.shouldClose && !connection.shouldEndOutput)
        #expect(connection.advance(now: 0) == .needsBytes)
    }

    @Test func `the last response says that it is`() {
        var connection = waiting(last)
        respond(404, "x", &connection)
        #expect(output(connection).contains("404 Not Found\r\n"))
        #expect(output(connection).contains("\r\nConnection: close\r\n"))
        #expect(connection.advance(now: 0) == .closed)
        #expect(!connection.shouldClose)
        connection.didWrite(connection.pendingOutput, now: 0)
        #expect(connection.shouldClose && connection.shouldEndOutput)
    }

    @Test func `an old client that asks to stay is told that it may`() {
        var connection = waiting("GET / HTTP/1.0⏎Connection: keep-alive⏎⏎")
        respond(200, "", &connection)
        #expect(output(connection).contains("\r\nConnection: keep-alive\r\n"))
        var plain = waiting("GET / HTTP/1.0⏎⏎")
        respond(200, "", &plain)
        #expect(output(plain).contains("\r\nConnection: close\r\n"))
    }

    @Test func `HEAD and head-only responses count the body and leave it out`() {
        var head = waiting("HEAD / HTTP/1.1⏎Host: a⏎⏎")
        respond(200, "hello", &head)
        #expect(output(head).hasSuffix("Content-Length: 5\r\n\r\n"))
        var only = waiting(get)
        respond(200, "hello", headOnly: true, &only)
        #expect(output(only).hasSuffix("Content-Length: 5\r\n\r\n"))
        var none = waiting(get)
        respond(204, "", &none)
        #expect(output(none) == "HTTP/1.1 204 No Content\r\n\r\n")
    }

    @Test func `a stream is chunked and the next request follows it`() {
        var connection = waiting(get + "GET /2 HTTP/1.1⏎Host: a⏎⏎")
        connection.beginStream(status: 200, contentType: "application/x-ndjson", now: 0)
        chunk("", &connection)
        chunk("hello", &connection)
        chunk(String(repeating: "x", count: 26), &connection)
        #expect(connection.advance(now: 0) == .needsBytes)
        connection.endStream(now: 0)
        let text = output(connection)
        #expect(
            text == "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\n"
                + String(repeating: "x", count: 26) + "\r\n0\r\n\r\n")
        #expect(connection.advance(now: 0) == .head)
    }

    @Test func `an old client's stream ends with the connection`() {
        var connection = waiting("GET / HTTP/1.0⏎Connection: keep-alive⏎⏎")
        connection.beginStream(status: 200, contentType: "text/plain", now: 0)
        chunk("hello", &connection)
        connection.endStream(now: 0)
        #expect(
            output(connection) == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                + "Connection: close\r\n\r\nhello")
        #expect(connection.advance(now: 0) == .closed)
    }

    @Test func `the stream of a HEAD request has no chunks`() {
        var connection = waiting("HEAD / HTTP/1.1⏎Host: a⏎⏎")
        connection.beginStream(status: 200, contentType: "text/plain", now: 0)
        chunk("hello", &connection)
        connection.endStream(now: 0)
        #expect(output(connection).hasSuffix("Transfer-Encoding: chunked\r\n\r\n"))
        #expect(connection.advance(now: 0) == .needsBytes)
    }

    @Test func `an aborted stream closes without its last chunk`() {
        var connection = waiting(get)
        connection.beginStream(status: 200, contentType: "text/plain", now: 0)
        chunk("hello", &connection)
        connection.abortStream(now: 0)
        #expect(output(connection).hasSuffix("5\r\nhello\r\n"))
        #expect(connection.advance(now: 0) == .closed)
        connection.didWrite(connection.pendingOutput, now: 0)
        #expect(connection.shouldClose)
    }

    @Test func `a request may be answered without its body`() {
        var connection = HTTPConnection(now: 0)
        let input = wire("POST / HTTP/1.1⏎Host: a⏎Content-Length: 5⏎⏎he")
        connection.receive(input.span, now: 0)
        #expect(connection.advance(now: 0) == .head)
        respond(429, "", &connection)
        #expect(output(connection).contains("Connection: close\r\n"))
        #expect(connection.advance(now: 0) == .needsBytes)
        let rest = Array("llo".utf8)
        connection.receive(rest.span, now: 0)
        #expect(connection.advance(now: 0) == .closed)
        var bodiless = HTTPConnection(now: 0)
        let second = wire(get)
        bodiless.receive(second.span, now: 0)
        #expect(bodiless.advance(now: 0) == .head)
        respond(429, "", &bodiless)
        #expect(!output(bodiless).contains("Connection: close\r\n"))
        #expect(bodiless.advance(now: 0) == .needsBytes)
    }

    @Test func `behind a 413 the declared body is drained and then the connection closes`() {
        var exchange = Exchange()
        exchange.receive("POST / HTTP/1.1⏎Host: a⏎Content-Length: 1000000⏎⏎")
        #expect(exchange.trace == ["413"])
        #expect(exchange.connection.shouldEndOutput && !exchange.connection.shouldClose)
        let piece = [UInt8](repeating: 0x78, count: 1_000)
        for _ in 0..<999 { exchange.receive(piece) }
        #expect(!exchange.connection.shouldClose)
        exchange.receive(piece)
        #expect(exchange.connection.shouldClose)
        #expect(exchange.largestBuffer < 200)
    }

    @Test func `no more than the limit is drained`() {
        for head in ["Content-Length: 999999999999", "Transfer-Encoding: chunked"] {
            var exchange = Exchange()
            exchange.receive("POST / HTTP/1.1⏎Host: a⏎\(head)⏎⏎" + "fffff⏎")
            #expect(exchange.trace == ["413"])
            let piece = [UInt8](repeating: 0x78, count: 65_536)
            for _ in 0..<31 { exchange.receive(piece) }
            #expect(!exchange.connection.shouldClose)
            exchange.receive(piece)
            #expect(exchange.connection.shouldClose)
        }
    }

    @Test func `behind a malformed request input is dropped until the peer ends`() {
        var exchange = Exchange()
        exchange.receive("BAD\u{1}⏎⏎")
        #expect(exchange.outputText.contains("\r\nConnection: close\r\n"))
        #expect(exchange.outputText.hasSuffix("\"detail\":\"The method is no token.\"}"))
        exchange.receive(get)
        #expect(exchange.trace == ["400 method"])
        exchange.end()
        #expect(exchange.trace == ["400 method", "closed"])
        #expect(exchange.connection.shouldClose)
    }

    @Test(arguments: HTTPDefect.allCases)
    func `every defect is answered with its status and a whole response`(defect: HTTPDefect) {
        var connection = HTTPConnection(now: 0)
        connection.respondToDefect(defect, now: 0)
        let text = output(connection)
        #expect(text.hasPrefix("HTTP/1.1 \(defect.status) "))
        #expect(!text.contains("Unknown"))
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(text.contains("Content-Length: \(parts[1].utf8.count)\r\n"))
    }

    @Test func `whoever has shut down its side is still answered`() {
        var connection = waiting(get + "GET /2 HTTP/1.1⏎Host: a⏎⏎")
        connection.receiveEnd()
        #expect(!connection.wantsBytes)
        respond(200, "1", &connection)
        #expect(!output(connection).contains("Connection: close"))
        #expect(connection.advance(now: 0) == .head)
        connection.admitBody(limit: 0, now: 0)
        #expect(connection.advance(now: 0) == .request)
        respond(200, "2", &connection)
        #expect(output(connection).contains("Connection: close"))
        #expect(connection.advance(now: 0) == .closed)
    }

    @Test func `closing when idle answers what is owed first`() {
        var idle = HTTPConnection(now: 0)
        idle.closeWhenIdle()
        #expect(idle.shouldClose)
        var connection = waiting(get)
        connection.closeWhenIdle()
        #expect(!connection.shouldClose)
        respond(200, "", &connection)
        #expect(output(connection).contains("Connection: close"))
        #expect(connection.advance(now: 0) == .closed)
        var answered = waiting(get)
        respond(200, "", &answered)
        answered.closeWhenIdle()
        #expect(answered.advance(now: 0) == .closed && !answered.shouldClose)
        answered.didWrite(answered.pendingOutput, now: 0)
        #expect(answered.shouldClose)
        var stream = waiting(get)
        stream.beginStream(status: 200, contentType: "text/plain", now: 0)
        stream.closeWhenIdle()
        stream.endStream(now: 0)
        #expect(stream.advance(now: 0) == .closed)
    }

    @Test func `later requests wait and reading stops at the limit`() {
        var connection = waiting(get)
        let request = wire(get)
        while connection.wantsBytes { connection.receive(request.span, now: 0) }
        let unread = connection.bytes.count - connection.position
        #expect(unread >= HTTPLimits.pipelinedBytes)
        #expect(unread < HTTPLimits.pipelinedBytes + request.count)
        var answered = 0
        while connection.phase == .response {
            respond(200, "", &connection)
            answered += 1
            if connection.advance(now: 0) == .head {
                connection.admitBody(limit: 0, now: 0)
                _ = connection.advance(now: 0)
            }
        }
        #expect(answered == 1 + unread / request.count)
        #expect(connection.bytes.capacity <= 2 * HTTPLimits.keptCapacity)
    }

    @Test func `no request is begun behind too much output`() {
        var connection = waiting(get + get)
        let body = [UInt8](repeating: 0, count: HTTPLimits.pendingOutputBytes)
        connection.respond(status: 200, contentType: nil, body: body.span, now: 0)
        #expect(connection.advance(now: 0) == .needsBytes)
        #expect(connection.deadline() == HTTPLimits.writeTime)
        connection.didWrite(1_000, now: 0)
        #expect(connection.advance(now: 0) == .head)
    }

    @Test func `output is written in pieces of any size`() {
        var connection = waiting(get)
        connection.beginStream(status: 200, contentType: "text/plain", now: 0)
        var written: [UInt8] = []
        var expected = output(connection)
        for round in 0..<1_000 {
            let text = "line \(round)"
            chunk(text, &connection)
            expected += String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n"
            let count = min(connection.pendingOutput, round % 29)
            let first = connection.outputStart
            written += connection.output[first..<(first + count)]
            connection.didWrite(count, now: 0)
        }
        written += connection.output[connection.outputStart...]
        #expect(String(decoding: written, as: UTF8.self) == expected)
        #expect(connection.outputStart <= connection.pendingOutput)
    }

    @Test func `buffers shrink behind a big body`() {
        var exchange = Exchange()
        exchange.bodyLimit = 1_000_000
        exchange.receive("POST / HTTP/1.1⏎Host: a⏎Content-Length: 1000000⏎⏎")
        let piece = [UInt8](repeating: 0x78, count: 10_000)
        for _ in 0..<100 { exchange.receive(piece) }
        #expect(exchange.trace.count == 1)
        #expect(exchange.connection.bytes.capacity <= HTTPLimits.keptCapacity)
        #expect(exchange.connection.output.capacity <= HTTPLimits.keptCapacity)
    }

    @Test func `requests that never end with a read do not add up in the buffer`() {
        var exchange = Exchange()
        let request = wire(get)
        exchange.receive(Array(request[..<1]))
        for _ in 0..<5_000 { exchange.receive(Array(request[1...] + request[..<1])) }
        #expect(exchange.trace.count == 5_000)
        #expect(exchange.largestBuffer < 4 * request.count)
    }

    @Test func `chunk framing does not add up in the buffer`() {
        var exchange = Exchange()
        exchange.bodyLimit = 20_000
        exchange.receive("POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎")
        for _ in 0..<2_000 { exchange.receive("5⏎abcde⏎5⏎fghij⏎") }
        exchange.receive("0⏎⏎")
        #expect(exchange.trace.first?.utf8.count == "POST / []".utf8.count + 20_000)
        #expect(exchange.largestBuffer < 20_200)
    }
}
