import Bytes
import Consensus
import HTTPWire
import JSON
import Ledger
import PeerWire
import Records

/// What is fuzzed: each target takes any bytes, and traps when one of its invariants does not hold.
enum Target: String, CaseIterable {
    case http, json, base64, time, frames

    var words: [[UInt8]] {
        let texts: [String] =
            switch self {
            case .http:
                [
                    "\r\n", "\r\n\r\n", "Content-Length: ", "Transfer-Encoding: chunked\r\n",
                    "Expect: 100-continue\r\n", "Connection: close\r\n", "Host: a\r\n", "HTTP/1.0",
                    "0\r\n\r\n", "ffffffff\r\n", ";a=b", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", " ",
                    "\t",
                ]
            case .json:
                [
                    "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "\\ud800", "\\udc00", "null",
                    "true", "-0", "1e400", "0.10", "\\\"", "{\"a\":1}", "\u{FEFF}",
                ]
            case .base64: ["=", "==", "-", "_", "+", "/", "\n", "AA", "////"]
            case .time:
                [
                    "2026-11-24", "T", "Z", "+14:00", "-00:00", " AM", " PM", ":60", ".999999999",
                    "12/31/9999", "0000", "-", "/", ":",
                ]
            case .frames: []
            }
        return texts.map { Array($0.utf8) }
    }

    func run(_ input: [UInt8], _ random: inout RandomSource) {
        switch self {
        case .http: HTTPTarget.run(input, &random)
        case .json: Self.json(input)
        case .base64: Self.base64(input)
        case .time: Self.time(input)
        case .frames: FrameTarget.run(input, &random)
        }
    }

    /// The canonical form of what parses parses, and is its own canonical form.
    private static func json(_ input: [UInt8]) {
        func canonical(_ text: [UInt8]) -> [UInt8]? {
            var document = JSONDocument()
            guard (try? document.parse(text.span)) != nil else { return nil }
            var output: [UInt8] = []
            document.appendCanonical(document.root, from: text.span, to: &output)
            return output
        }
        guard let first = canonical(input) else { return }
        precondition(canonical(first) == first, "the canonical form is not its own")
    }

    /// What is decoded is encoded to a text that decodes to the same, in both alphabets.
    private static func base64(_ input: [UInt8]) {
        guard let bytes = Base64.decode(input.span) else { return }
        for alphabet in [Base64.Alphabet.standard, .urlSafe] {
            let text = Base64.encode(bytes, alphabet: alphabet)
            precondition(Base64.decode(text) == bytes, "base64 of \(bytes) is \(text)")
        }
    }

    /// A time is printed to a text that names the same moment.
    private static func time(_ input: [UInt8]) {
        let reading = TimeReading()
        guard let time = reading.timestamp(input.span, 0..<input.count) else { return }
        let text = Array(RFC3339.text(time).utf8)
        precondition(
            reading.timestamp(text.span, 0..<text.count) == time,
            "\(String(decoding: input, as: UTF8.self)) is \(String(decoding: text, as: UTF8.self))")
    }
}

/// One connection comes to the same however its input is cut, and never keeps more than it may.
enum HTTPTarget {
    private static let bodyLimit = 300

    static func run(_ input: [UInt8], _ random: inout RandomSource) {
        let whole = trace([input[...]])
        precondition(trace(input.indices.map { input[$0...$0] }) == whole, "byte by byte")
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        while start < input.count {
            let end = min(input.count, start + 1 + random.below(40))
            pieces.append(input[start..<end])
            start = end
        }
        precondition(trace(pieces) == whole, "in pieces")
    }

    private static func trace(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        var connection = HTTPConnection(now: 0)
        var trace: [UInt8] = []
        for piece in pieces {
            connection.receive(Array(piece).span, now: 0)
            pump(&connection, &trace)
        }
        connection.receiveEnd()
        pump(&connection, &trace)
        precondition(connection.advance(now: 0) == .closed, "open behind its end")
        return trace
    }

    private static func pump(_ connection: inout HTTPConnection, _ trace: inout [UInt8]) {
        while true {
            let event = connection.advance(now: 0)
            switch event {
            case .needsBytes, .closed, .malformed: break
            case .head: connection.admitBody(limit: bodyLimit, now: 0)
            case .bodyTooLarge, .request:
                let head = connection.head
                for range in [head.methodRange, head.path, head.query ?? 0..<0, connection.body] {
                    trace += connection.bytes[range] + [0]
                }
                for field in head.fields {
                    trace += connection.bytes[field.name] + [1] + connection.bytes[field.value]
                }
                precondition(connection.body.count <= bodyLimit, "\(connection.body.count) bytes")
                connection.respond(
                    status: event == .request ? 200 : 413, contentType: nil,
                    body: [UInt8]().span, now: 0)
            }
            trace += connection.output[connection.outputStart...]
            connection.didWrite(connection.pendingOutput, now: 0)
            if event == .needsBytes || event == .closed { return }
        }
    }
}

/// Frames come to the same however they are cut; their payloads are read or refused, and what is read
/// is written as it was.
enum FrameTarget {
    static func run(_ input: [UInt8], _ random: inout RandomSource) {
        precondition(frames([input[...]]) == frames(input.indices.map { input[$0...$0] }))
        // The checksum keeps changed payloads out: they are put into frames anew.
        for kind in kinds {
            payload(kind, input)
            guard random.below(8) == 0 else { continue }
            var framed: [UInt8] = []
            Frame.append(kind, to: &framed) { $0 += input }
            precondition(frames([framed[...]]).contains("\(kind) \(input.count)"))
        }
    }

    private static let kinds: [FrameKind] = [
        .hello, .refusal, .voteRequest, .voteResponse, .appendRequest, .appendResponse, .timeoutNow,
        .fetch, .fetched, .compactionReport, .query, .command, .clusterCommand, .commandAnswer,
        .status, .directory, .directoryChange, .clusterAnswer,
    ]

    private static func frames(_ pieces: [ArraySlice<UInt8>]) -> String {
        var buffer = FrameBuffer()
        var trace = ""
        do throws(FrameDefect) {
            for piece in pieces {
                buffer.bytes += piece
                while let (kind, payload) = try buffer.next() {
                    trace += "\(kind) \(payload.count);"
                }
                buffer.compact()
            }
        } catch {
            trace += "\(error)"
        }
        return trace
    }

    private static func payload(_ kind: FrameKind, _ bytes: [UInt8]) {
        let (range, span) = (0..<bytes.count, bytes.span)
        do throws(ByteDefect) {
            switch kind {
            case .hello: _ = try Handshake(range, span)
            case .refusal: _ = HandshakeRefusal(range, span)
            case .fetch: _ = try Fetch(range, span)
            case .fetched: _ = try Fetched(range, span)
            case .compactionReport: _ = try CompactionReport(range, span)
            case .query: _ = try Query(range, span)
            case .command: _ = try CommandRequest(range, span)
            case .commandAnswer: _ = try CommandReply(range, span)
            case .clusterCommand: _ = try ClusterCommand(range, span)
            case .clusterAnswer: _ = try ClusterReply(range, span)
            case .status: _ = try NodeStatus(range, span)
            case .directoryChange: _ = try AppliedChange(range, span)
            case .directory:
                var cursor = ByteCursor(range)
                _ = try Directory(&cursor, span)
            default: _ = try ConsensusFrames.read(kind, range, span)
            }
        } catch {
            // Refused, which is well.
        }
    }
}
