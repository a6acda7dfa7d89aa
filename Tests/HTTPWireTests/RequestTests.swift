import Bytes
import Testing

@testable import HTTPWire

@Suite struct RequestTests {
    @Test(arguments: RequestCorpus.all)
    func `a request is read or refused, however its bytes arrive`(
        input: String, expected: [String]
    ) {
        let bytes = wire(input)
        let whole = Exchange([bytes[...]])
        #expect(whole.trace == expected)
        #expect(whole.connection.shouldClose)
        let single = Exchange(bytes.indices.map { bytes[$0...$0] })
        #expect(single.trace == expected)
        #expect(single.outputText == whole.outputText)
        for place in bytes.indices {
            let split = Exchange([bytes[..<place], bytes[place...]])
            guard split.trace != expected || split.output != whole.output else { continue }
            Issue.record("split at \(place): \(split.trace) \(split.outputText)")
        }
    }

    @Test func `the corpus is not small`() {
        #expect(RequestCorpus.all.count >= 120)
    }

    private func get(_ headers: String) -> String { "GET / HTTP/1.1⏎Host: a⏎\(headers)⏎" }

    @Test func `a request line of the limit is read and one byte more is 414`() {
        let rest = HTTPLimits.requestLineBytes - "GET / HTTP/1.1".utf8.count
        for (extra, expected) in [(0, "GET"), (1, "414 requestLineTooLong")] {
            let path = "/" + String(repeating: "p", count: rest + extra)
            let bytes = wire("GET \(path) HTTP/1.1⏎Host: a⏎⏎")
            #expect(Exchange([bytes[...]]).trace[0].hasPrefix(expected))
            #expect(Exchange([bytes[..<8_192], bytes[8_192...]]).trace[0].hasPrefix(expected))
        }
        let endless = [UInt8](repeating: 0x47, count: 8_194)
        #expect(Exchange([endless[...]]).trace == ["414 requestLineTooLong", "closed"])
        #expect(Exchange([endless[..<8_193]]).trace == ["closed"])
    }

    @Test func `headers of the limit are read and one byte more is 431`() {
        let fixed = wire("Host: a⏎X: ⏎⏎").count
        for (extra, expected) in [(0, "GET / []"), (1, "431 headersTooLarge")] {
            let value = String(repeating: "v", count: HTTPLimits.headerBytes - fixed + extra)
            let bytes = wire(get("X: \(value)⏎"))
            #expect(Exchange([bytes[...]]).trace[0] == expected)
            #expect(Exchange([bytes[..<30_000], bytes[30_000...]]).trace[0] == expected)
        }
    }

    @Test func `a hundred headers are read and one more is 431`() {
        for (count, expected) in [(99, "GET / []"), (100, "431 tooManyHeaders")] {
            let bytes = wire(get(String(repeating: "X: y⏎", count: count)))
            #expect(Exchange([bytes[...]]).trace[0] == expected)
        }
    }

    @Test func `headers are found without regard to case`() {
        var connection = HTTPConnection(now: 0)
        let input = wire(
            "POST /p?q=1 HTTP/1.1⏎Host: a⏎CONTENT-type: application/json⏎x-One: 1⏎X-ONE: 2⏎"
                + "Content-Length: 3⏎⏎abc")
        connection.receive(input.span, now: 0)
        #expect(connection.advance(now: 0) == .head)
        let head = connection.head
        let received = connection.bytes
        let bytes = received.span
        let type = head.contentType.map { bytes.copy($0) }
        #expect(type == Array("application/json".utf8))
        let one = head.value("x-one", in: bytes).map { bytes.copy($0) }
        #expect(one == Array("1".utf8))
        let counts = [head.count("x-one", in: bytes), head.count("x-on", in: bytes)]
        #expect(counts == [2, 0])
        #expect(head.method == .post && head.minorVersion == 1 && head.keepAlive)
        #expect(head.contentLength == 3 && head.hasBody && !head.isChunked)
        #expect(connection.advance(now: 0) == .needsBytes)
        connection.admitBody(limit: 3, now: 0)
        #expect(connection.advance(now: 0) == .request)
        #expect(connection.advance(now: 0) == .needsBytes)
    }

    @Test func `a client that waits to be asked is asked once its body is admitted`() {
        for body in ["Content-Length: 2⏎", "Transfer-Encoding: chunked⏎"] {
            var exchange = Exchange()
            exchange.receive("POST / HTTP/1.1⏎Host: a⏎Expect: 100-continue⏎\(body)⏎")
            #expect(exchange.outputText == "HTTP/1.1 100 Continue\r\n\r\n")
        }
        var refused = Exchange()
        refused.receive("POST / HTTP/1.1⏎Host: a⏎Expect: 100-continue⏎Content-Length: 101⏎⏎")
        #expect(refused.outputText.hasPrefix("HTTP/1.1 413 "))
        var old = Exchange()
        old.receive("POST / HTTP/1.0⏎Expect: 100-continue⏎Content-Length: 2⏎⏎")
        #expect(old.output.isEmpty)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `random bytes never trap and never grow the buffer past its bound`(seed: UInt64) {
        var generator = SeededGenerator(state: seed)
        let words = [
            "GET ", "POST ", "/", " HTTP/1.1", "⏎", "⏎⏎", "Host: a", "Content-Length: ", "5", "0",
            "Transfer-Encoding: chunked", "\r", "\n", ":", " ", "a", "\u{0}", "é", ";", "ffff",
            "GET / HTTP/1.1⏎Host: a⏎⏎", "Expect: 100-continue⏎", "5⏎hello⏎",
            "POST / HTTP/1.1⏎Host: a⏎Transfer-Encoding: chunked⏎⏎",
        ]
        var exchange = Exchange()
        for _ in 0..<200 {
            var piece: [UInt8] = []
            for _ in 0..<Int.random(in: 0..<6, using: &generator) {
                piece += wire(words.randomElement(using: &generator) ?? "")
            }
            exchange.receive(piece)
            exchange.now += UInt64.random(in: 0..<1_000_000_000, using: &generator)
            _ = exchange.connection.expire(now: exchange.now)
            exchange.pump()
            #expect(exchange.connection.start <= exchange.connection.position)
            #expect(exchange.connection.position <= exchange.connection.bytes.count)
        }
        exchange.end()
        exchange.now += HTTPLimits.idleTime
        _ = exchange.connection.expire(now: exchange.now)
        exchange.takeOutput()
        #expect(exchange.connection.shouldClose)
        #expect(exchange.largestBuffer <= HTTPLimits.headerBytes + HTTPLimits.requestLineBytes)
    }
}

/// SplitMix64, so that a failure comes back with its seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
