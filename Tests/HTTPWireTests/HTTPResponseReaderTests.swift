import Testing

@testable import HTTPWire

struct HTTPResponseReaderTests {
    /// Reads `text` in pieces of `step` bytes; the bodies joined, one for each response.
    private func read(
        _ text: String, step: Int, closes: Bool = false
    ) throws(HTTPResponseDefect) -> [(head: HTTPResponseHead, body: String)] {
        var reader = HTTPResponseReader()
        var rest = Array(text.utf8)[...]
        var responses: [(head: HTTPResponseHead, body: String)] = []
        while true {
            switch try reader.next() {
            case .head(let head): responses.append((head, ""))
            case .body(let range):
                responses[responses.count - 1].body += String(
                    decoding: reader.bytes[range], as: UTF8.self)
            case .end: continue
            case .needsBytes:
                if rest.isEmpty {
                    if closes { _ = try reader.endOfStream() }
                    return responses
                }
                reader.bytes.append(contentsOf: rest.prefix(step))
                rest = rest.dropFirst(step)
            }
        }
    }

    @Test(arguments: [1, 2, 3, 7, 1_000])
    func `responses are read the same however their bytes come`(_ step: Int) throws {
        let text =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello"
            + "HTTP/1.1 204 No Content\r\n\r\n"
            + "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0A\r\n0123456789\r\n"
            + "0\r\nTrailer: x\r\n\r\nHTTP/1.1 503 X\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
        let responses = try read(text, step: step)
        #expect(responses.map(\.head.status) == [200, 204, 200, 503])
        #expect(responses.map(\.body) == ["hello", "", "abc0123456789", ""])
        #expect(responses[0].head.value("x-a") == "b")
        #expect(responses[3].head.value("retry-after") == "1")
    }

    @Test func `a body without a length ends with the connection`() throws {
        let responses = try read("HTTP/1.1 200 OK\r\n\r\nabc", step: 2, closes: true)
        #expect(responses.map(\.body) == ["abc"])
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ]) func `a connection that ends inside a response is no end`(_ text: String) {
        #expect(throws: HTTPResponseDefect.truncated) {
            try read(text, step: 4, closes: true)
        }
    }

    @Test(arguments: [
        ("HTTP/2 200 OK\r\n\r\n", HTTPResponseDefect.statusLine),
        ("HTTP/1.1 99 OK\r\n\r\n", .statusLine), ("HTTP/1.1 2000\r\n\r\n", .statusLine),
        ("SSH-2.0-x\r\n\r\n", .statusLine), ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", .header),
        ("HTTP/1.1 200 OK\r\na b: c\r\n\r\n", .header),
        ("HTTP/1.1 200 OK\nA: b\r\n\r\n", .statusLine),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .length),
        ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", .length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", .length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .length),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .length),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .length),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", .chunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", .chunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", .chunk),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", .chunk),
    ]) func `what two readers could read two ways is a defect`(
        _ text: String, _ defect: HTTPResponseDefect
    ) {
        for step in [1, 5, 1_000] {
            #expect(throws: defect) { try read(text, step: step) }
        }
    }

    @Test func `a head or a chunk's size without an end is not collected for ever`() {
        let head = "HTTP/1.1 200 OK\r\nA: " + String(repeating: "a", count: 70_000)
        #expect(throws: HTTPResponseDefect.headTooLong) { try read(head, step: 1_024) }
        let chunk =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + String(repeating: "0", count: 5_000)
        #expect(throws: HTTPResponseDefect.chunk) { try read(chunk, step: 1_024) }
    }

    @Test(arguments: [
        ("HTTP/1.1 204 X\r\n\r\n", true), ("HTTP/1.0 204 X\r\n\r\n", false),
        ("HTTP/1.1 204 X\r\nConnection: Close\r\n\r\n", false),
        ("HTTP/1.1 200 X\r\n\r\n", false),
    ]) func `a connection is kept only where the response allows it`(
        _ text: String, _ keeps: Bool
    ) throws {
        var reader = HTTPResponseReader()
        reader.bytes = Array(text.utf8)
        _ = try reader.next()
        #expect(reader.keepsAlive == keeps)
    }
}
