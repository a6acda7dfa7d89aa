/// One request, made once: before it is sent again only the unique_ids in it change.
struct RequestTemplate {
    /// Bytes of one event, as the figures in docs/performance.md have it.
    static let eventBytes = 429

    private(set) var bytes: [UInt8]
    /// Where the unique_ids of its events begin, each of 32 hexadecimal digits.
    private let identifierOffsets: [Int]

    var eventCount: Int { identifierOffsets.count }

    /// One event posted on the compatible surface.
    static func single(host: String, token: String) -> RequestTemplate {
        RequestTemplate(
            head: head(
                "POST /api/v1/audit_events_fmp/create", host, token, "application/json",
                byteCount: eventBytes), eventCount: 1, separator: [])
    }

    /// `eventCount` events as NDJSON in one request.
    static func bulk(host: String, token: String, eventCount: Int) -> RequestTemplate {
        let byteCount = eventCount * (eventBytes + 1)
        return RequestTemplate(
            head: head(
                "POST /v1/events", host, token, "application/x-ndjson", byteCount: byteCount),
            eventCount: eventCount, separator: [10])
    }

    /// All events from the first one on.
    static func replay(host: String, token: String) -> RequestTemplate {
        let lines = [
            "GET /v1/events?from=0 HTTP/1.1", "Host: \(host)", "Authorization: Bearer \(token)",
            "", "",
        ]
        return RequestTemplate(
            head: Array(lines.joined(separator: "\r\n").utf8), eventCount: 0, separator: [])
    }

    private init(head: [UInt8], eventCount: Int, separator: [UInt8]) {
        let (event, identifierOffset) = Self.event()
        var bytes = head
        var offsets: [Int] = []
        for _ in 0..<eventCount {
            offsets.append(bytes.count + identifierOffset)
            bytes += event + separator
        }
        self.bytes = bytes
        identifierOffsets = offsets
    }

    private static func head(
        _ target: String, _ host: String, _ token: String, _ type: String, byteCount: Int
    ) -> [UInt8] {
        let lines = [
            "\(target) HTTP/1.1", "Host: \(host)", "Authorization: Bearer \(token)",
            "Content-Type: \(type)", "Content-Length: \(byteCount)", "", "",
        ]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    /// An event of `eventBytes` bytes, filled up in its notes, and where its unique_id begins.
    private static func event() -> (bytes: [UInt8], identifierOffset: Int) {
        let start = #"{"unique_id": ""#
        let zeros = String(repeating: "0", count: 32)
        let middle =
            #"", "script_name": "Appt | Create From Web", "host_name": "fms-02.example.net", "#
            + #""file_name": "PlanoX2.fmp12", "start_time": "2026-11-02T06:00:01.053Z", "#
            + #""stop_time": "2026-11-02T06:00:03.736Z", "notes": [""#
        let end = #""], "updated_in": "planox2"}"#
        let fixed = start.utf8.count + zeros.utf8.count + middle.utf8.count + end.utf8.count
        let notes = String(repeating: "n", count: eventBytes - fixed)
        return (Array((start + zeros + middle + notes + end).utf8), start.utf8.count)
    }

    /// Gives every event a new unique_id.
    mutating func renew(_ random: inout RandomDigits) {
        for offset in identifierOffsets { random.write(into: &bytes, at: offset) }
    }
}

/// Hexadecimal digits that do not repeat between runs (SplitMix64, Steele et al. 2014).
struct RandomDigits {
    private var state: UInt64
    private static let digits = Array("0123456789abcdef".utf8)

    init(seed: UInt64) { state = seed }

    private mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// Overwrites 32 bytes.
    mutating func write(into bytes: inout [UInt8], at offset: Int) {
        for half in 0..<2 {
            var number = next()
            for position in 0..<16 {
                bytes[offset + half * 16 + position] = Self.digits[Int(number & 15)]
                number >>= 4
            }
        }
    }
}
