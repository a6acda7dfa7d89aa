import Crypto
import Glibc
import Linux
import SegmentLog
import Testing

@Suite struct ServerTests {
    private let secret = RandomBytes.make(count: 32)

    private func temporaryPath(_ name: String) -> String {
        "/tmp/daybook-server-\(name)-\(Process.identifier)-\(Clock.monotonicNanoseconds())"
    }

    private func remove(_ path: String) { _ = unsafe system("rm -rf '\(path)'") }

    @Test func `events that were acknowledged are there after a restart`() throws {
        let path = temporaryPath("restart")
        defer { remove(path) }
        let first = try EmbeddedService(directory: path, secret: secret)
        for number in 0..<20 {
            let answer = try first.post(
                "/api/v1/audit_events_fmp/create", EmbeddedService.event("id-\(number)"))
            #expect(answer.contains("\"sequence\":\(number),\"revision\":1"), "\(answer)")
        }
        #expect(first.stop() == nil)
        let second = try EmbeddedService(directory: path, secret: secret)
        let again = try second.post(
            "/api/v1/audit_events_fmp/create", EmbeddedService.event("id-3"))
        #expect(again.contains("\"sequence\":3,\"revision\":1"))
        #expect(again.contains("\"duplicate\":true"))
        let replay = try second.get("/v1/events?from=0")
        for number in 0..<20 { #expect(replay.contains("\"unique_id\":\"id-\(number)\"")) }
        #expect(second.stop() == nil)
    }

    @Test func `a bulk body is answered line by line, across sealed segments`() throws {
        let path = temporaryPath("bulk")
        defer { remove(path) }
        let service = try EmbeddedService(directory: path, secret: secret)
        let filler = String(repeating: "x", count: 1_000)
        var body = ""
        for number in 0..<500 {
            body += EmbeddedService.event("id-\(number)", notes: "[\"\(filler)\"]") + "\n"
        }
        let answer = try service.post("/v1/events", body, type: "application/x-ndjson")
        #expect(answer.split(separator: "{\"code\":200,").count == 501)
        let segments = try DirectoryDisk(path: path).list().filter { $0.hasSuffix(".segment") }
        #expect(segments.count > 1, "\(segments)")
        let history = try service.post(
            "/api/v1/audit_events_fmp/history", "{\"unique_id\":\"id-0\"}")
        #expect(history.contains("\"results\":[{\"unique_id\":\"id-0\""))
        #expect(service.stop() == nil)
    }

    @Test func `two processes cannot have one directory`() throws {
        let path = temporaryPath("lock")
        defer { remove(path) }
        let service = try EmbeddedService(directory: path, secret: secret)
        #expect(throws: (any Error).self) { _ = try SmallFile.lock(path + "/lock") }
        #expect(service.stop() == nil)
    }

    @Test func `many connections at once are served, and what is no HTTP is refused`() throws {
        let path = temporaryPath("connections")
        defer { remove(path) }
        let service = try EmbeddedService(directory: path, secret: secret)
        #expect(try service.exchange("nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400"))
        #expect(try service.get("/nowhere").hasPrefix("HTTP/1.1 404"))
        #expect(try service.get("/health/live").hasPrefix("HTTP/1.1 200"))
        #expect(try service.get("/metrics").contains("daybook_gateway_connections 1\n"))
        #expect(service.stop() == nil)
    }

    @Test func `a client that vanishes with a bulk in flight leaves nothing to the next one`()
        throws
    {
        let path = temporaryPath("vanish")
        defer { remove(path) }
        let service = try EmbeddedService(directory: path, secret: secret)
        var body = ""
        for number in 0..<20_000 { body += EmbeddedService.event("gone-\(number)") + "\n" }
        for round in 0..<3 {
            try service.abandon(service.bulk(body))
            for number in 0..<20 {
                let id = "here-\(round)-\(number)"
                let answer = try service.post(
                    "/api/v1/audit_events_fmp/create", EmbeddedService.event(id))
                #expect(answer.contains("\"unique_id\":\"\(id)\""), "\(answer)")
                #expect(answer.contains("\"duplicate\":false"), "\(answer)")
            }
        }
        #expect(service.stop() == nil)
    }

    @Test func `lines that are all refused are answered one by one`() throws {
        let path = temporaryPath("refused")
        defer { remove(path) }
        let service = try EmbeddedService(directory: path, secret: secret)
        let body = String(repeating: "0\n", count: 20_000)
        let answer = try service.post("/v1/events", body, type: "application/x-ndjson")
        #expect(answer.split(separator: "\"no-params-decoded\"").count == 20_001)
        #expect(service.stop() == nil)
    }

    @Test func `a token is given only permissions that are some and that its maker holds`() throws {
        let path = temporaryPath("permissions")
        defer { remove(path) }
        let service = try EmbeddedService(directory: path, secret: secret)
        let odd = Array(repeating: "\"\(String(repeating: "\\u0001", count: 255))\"", count: 64)
        let refused = try service.post(
            "/api/v1/tokens/create",
            "{\"application\":\"planox2\",\"permissions\":[\(odd.joined(separator: ","))]}")
        #expect(refused.hasPrefix("HTTP/1.1 400"), "\(refused)")
        let made = try service.post(
            "/api/v1/tokens/create",
            "{\"kind\":\"admin\",\"permissions\":[\"tokens/create\"]}")
        let token = try #require(
            made.split(separator: "\"token\":\"").last?.split(separator: "\"").first)
        let body = "{\"kind\":\"admin\",\"token\":\"\(token)\"}"
        let escalated = try service.exchange(
            "POST /api/v1/tokens/create HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        #expect(escalated.hasPrefix("HTTP/1.1 403"), "\(escalated)")
        #expect(service.stop() == nil)
    }

    @Test func `the log takes at most 1.15 times the bytes that clients sent`() throws {
        let path = temporaryPath("bytes")
        defer { remove(path) }
        let service = try EmbeddedService(directory: path, secret: secret)
        let source = "\(#filePath)".split(separator: "/").dropLast(2).joined(separator: "/")
        let events = try SmallFile.read(
            "/\(source)/cluster/data/events-2k.ndjson", limit: 4 * 1_024 * 1_024)
        let text = String(decoding: events, as: UTF8.self)
        let answer = try service.post("/v1/events", text, type: "application/x-ndjson")
        #expect(answer.split(separator: "{\"code\":200,").count == 2_001)
        #expect(service.stop() == nil)
        let log = try LogDirectory.inspect(disk: try DirectoryDisk(path: path)).catalogue
        let stored = log.segmentSizes.reduce(0) { $0 + $1.byteCount }
        let lines = text.split(separator: "\n")
        let sent = Set(lines).reduce(0) { $0 + $1.utf8.count }
        #expect(stored * 100 <= sent * 115, "\(stored) bytes stored of \(sent) sent")
    }
}
