import Crypto
import Glibc
import Linux
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
}
