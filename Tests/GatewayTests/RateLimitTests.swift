import HTTPWire
import Records
import Testing

@testable import Gateway

/// Limits of frequency on a virtual clock.
@Suite struct RateLimitTests {
    private static let second: UInt64 = 1_000_000_000

    private func key(_ number: UInt64) -> LimitKey { LimitKey(high: 0, low: number) }

    @Test func `a bucket gives its burst at once, and then its rate`() {
        var buckets = TokenBuckets(ratePerSecond: 10, burst: 20, slots: 64, seed: 1)
        var now = Instant(nanoseconds: 5 * Self.second)
        for _ in 0..<20 { #expect(buckets.take(key(1), at: now) == nil) }
        #expect(buckets.take(key(1), at: now) == Self.second / 10)
        now = now.advanced(byNanoseconds: Self.second / 10 - 1)
        #expect(buckets.take(key(1), at: now) == 1)
        now = now.advanced(byNanoseconds: 1)
        #expect(buckets.take(key(1), at: now) == nil)
        #expect(buckets.take(key(1), at: now) != nil)
        // Refused requests cost nothing: a second later there are ten again.
        now = now.advanced(byNanoseconds: Self.second)
        let given = (0..<30).count { _ in buckets.take(key(1), at: now) == nil }
        #expect(given == 10)
    }

    @Test func `one key's requests are not another's`() {
        var buckets = TokenBuckets(ratePerSecond: 1, burst: 1, slots: 64, seed: 1)
        #expect(buckets.take(key(1), at: .zero) == nil)
        #expect(buckets.take(key(1), at: .zero) != nil)
        #expect(buckets.take(key(2), at: .zero) == nil)
    }

    @Test func `a full table forgets somebody and refuses nobody who is new`() {
        var buckets = TokenBuckets(ratePerSecond: 1, burst: 4, slots: 64, seed: 7)
        for number in 0..<10_000 {
            for _ in 0..<4 { #expect(buckets.take(key(UInt64(number)), at: .zero) == nil) }
        }
    }

    @Test func `who is at its limit is not forgotten for who asks once`() {
        var buckets = TokenBuckets(ratePerSecond: 1, burst: 100, slots: 64, seed: 7)
        for _ in 0..<100 { _ = buckets.take(key(1), at: .zero) }
        for number in 2..<10_000 { _ = buckets.take(key(UInt64(number)), at: .zero) }
        #expect(buckets.take(key(1), at: .zero) != nil)
    }

    private func limited(
        address: Int? = nil, token: Int? = nil
    ) -> TestGateway {
        var gateway = TestGateway()
        var settings = GatewaySettings()
        settings.requestsPerSecondPerAddress = address
        settings.requestsPerSecondPerToken = token
        let directory = gateway.core.directory
        gateway.core = GatewayCore(settings: settings, times: TimeReading(), seed: 1)
        gateway.core.directory = directory
        gateway.source = RequestSource(
            address: ClientAddress(high: 0, low: 0xFFFF_0A00_0001), isForwarded: false)
        return gateway
    }

    @Test(arguments: ["/api/v1/nothing/at_all", "/api/v1/audit_events_fmp/create", "/nothing"])
    func `the address is judged before the route`(_ target: String) throws {
        var gateway = limited(address: 1)
        var request = TestRequest.create()
        request.target = target
        for _ in 0..<2 { #expect(gateway.answer(request).status != 429) }
        let answer = gateway.answer(request)
        #expect(answer.status == 429)
        #expect(answer.headers.contains { "\($0.0): \($0.1)" == "Retry-After: 1" })
        let body = try TestAnswer(answer)
        if target.hasPrefix("/api/") {
            #expect(body.string("status") == "rate-limit-exceeded")
        } else {
            #expect(body.string("type") == "urn:daybook:problem:rate-limit-exceeded")
        }
        #expect(body.string("request_id") == "r-1")
    }

    @Test func `the token is judged behind the token, and before the session's age`() {
        var gateway = limited(token: 1)
        let wrong = TestRequest.create(["token": "\"\(TestGateway.revoked.text)\""])
        let expired = TestRequest.create(["token": "\"\(TestGateway.expired.text)\""])
        for _ in 0..<2 { #expect(gateway.answer(expired).status == 401) }
        #expect(gateway.answer(expired).status == 429)
        for _ in 0..<5 { #expect(gateway.answer(wrong).status == 401) }
        #expect(gateway.answer(.create()).status == 200)
        #expect(gateway.core.rateRefusals.tokens == 1)
    }

    @Test func `processes of this machine are not limited, unless a proxy speaks for others`() {
        var gateway = limited(address: 1, token: 1)
        gateway.source = .local
        for _ in 0..<10 { #expect(gateway.answer(.create()).status == 200) }
        gateway.source = RequestSource(address: RequestSource.local.address, isForwarded: true)
        let refused = (0..<10).contains { _ in gateway.answer(.create()).status == 429 }
        #expect(refused)
    }
}

@Suite struct RequestSourceTests {
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::1", "::1"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("::", "::"), ("1::", "1::"),
        ("fe80::1.2.3.4", "fe80::102:304"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ])
    func `addresses are read and printed in one form`(_ text: String, _ printed: String) {
        #expect(ClientAddress(text.utf8)?.description == printed)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.+4", ":::", "1::2::3", "1:2",
        "12345::", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "::g", "::+1", "1.2.3.4:80", "[::1]",
        "unknown",
    ])
    func `what is no address is none`(_ text: String) {
        #expect(ClientAddress(text.utf8) == nil)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.7", "10.0.0.7", true), ("10.0.0.7", "10.0.0.6", false),
        ("0.0.0.0/0", "9.9.9.9", true), ("0.0.0.0/0", "::1", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("2001:db8::/65", "2001:db8::1", true), ("2001:db8::/65", "2001:db8::8000:0:0:1", false),
        ("::/0", "9.9.9.9", true),
    ])
    func `a block holds the addresses with its first bits`(
        _ block: String, _ address: String, _ isInside: Bool
    ) throws {
        let block = try #require(AddressBlock(block))
        #expect(block.contains(try #require(ClientAddress(address.utf8))) == isInside)
    }

    @Test(arguments: ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "x/8", "::/129", "1.2.3.4/8/8"])
    func `what is no block is none`(_ text: String) { #expect(AddressBlock(text) == nil) }

    private func source(
        _ forwarded: [String], peer: String, trusted: [String]
    ) throws -> RequestSource {
        var connection = HTTPConnection(now: 0)
        let lines = forwarded.map { "X-Forwarded-For: \($0)\r\n" }.joined()
        connection.receive(
            Array("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n".utf8).span, now: 0)
        #expect(connection.advance(now: 0) == .head)
        return RequestSource.of(
            connection.head, in: connection.bytes.span,
            peer: try #require(ClientAddress(peer.utf8)),
            trusted: trusted.compactMap { AddressBlock($0) })
    }

    @Test func `nobody but a trusted proxy says who asks`() throws {
        let found = try source(["9.9.9.9"], peer: "8.8.8.8", trusted: [])
        #expect(found.address.description == "8.8.8.8" && !found.isForwarded)
        let other = try source(["9.9.9.9"], peer: "8.8.8.8", trusted: ["10.0.0.0/8"])
        #expect(other.address.description == "8.8.8.8")
    }

    @Test func `what a client claims in front of the proxy is not believed`() throws {
        let found = try source(
            ["1.1.1.1, 9.9.9.9"], peer: "10.0.0.1", trusted: ["10.0.0.0/8"])
        #expect(found.address.description == "9.9.9.9" && found.isForwarded)
    }

    @Test func `proxies behind each other are walked, over several headers`() throws {
        let found = try source(
            ["1.1.1.1", "9.9.9.9 , 10.0.0.2"], peer: "10.0.0.1", trusted: ["10.0.0.0/8"])
        #expect(found.address.description == "9.9.9.9")
    }

    @Test func `what is no address ends the walk at the proxy that said it`() throws {
        for odd in ["9.9.9.9, unknown", "9.9.9.9,", ",", " ", "9.9.9.9, 1.1.1.1:80"] {
            let found = try source([odd], peer: "10.0.0.1", trusted: ["10.0.0.0/8"])
            #expect(found.address.description == "10.0.0.1", "\(odd)")
        }
    }
}
