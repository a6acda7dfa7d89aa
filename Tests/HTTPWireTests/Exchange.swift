import Bytes

@testable import HTTPWire

/// `text` as bytes, with CR LF for each return sign.
func wire(_ text: String) -> [UInt8] { Array(text.replacing("⏎", with: "\r\n").utf8) }

/// A connection with a gateway that admits small bodies and echoes them.
struct Exchange {
    var connection = HTTPConnection(now: 0)
    var now: Nanoseconds = 0
    var bodyLimit = 100
    /// What happened, a word for each event and its details.
    var trace: [String] = []
    var output: [UInt8] = []
    var largestBuffer = 0

    var outputText: String { String(decoding: output, as: UTF8.self) }

    /// All events of `input`, fed in `pieces`, and of its end.
    init(_ pieces: [ArraySlice<UInt8>]) {
        for piece in pieces { receive(Array(piece)) }
        end()
    }

    init() {}

    mutating func receive(_ input: [UInt8]) {
        connection.receive(input.span, now: now)
        pump()
    }

    mutating func receive(_ text: String) { receive(wire(text)) }

    mutating func end() {
        connection.receiveEnd()
        pump()
    }

    mutating func takeOutput() {
        output += connection.output[connection.outputStart...]
        connection.didWrite(connection.pendingOutput, now: now)
    }

    mutating func pump() {
        while true {
            largestBuffer = max(largestBuffer, connection.bytes.count)
            let event = connection.advance(now: now)
            handle(event)
            takeOutput()
            if event == .needsBytes || event == .closed { return }
        }
    }

    private mutating func handle(_ event: HTTPConnection.Event) {
        switch event {
        case .needsBytes: break
        case .closed: if trace.last != "closed" { trace.append("closed") }
        case .head: connection.admitBody(limit: bodyLimit, now: now)
        case .malformed(let defect): trace.append("\(defect.status) \(defect)")
        case .bodyTooLarge:
            trace.append("413")
            respond(413, [])
        case .request:
            trace.append(request)
            respond(200, Array(connection.bytes[connection.body]))
        }
    }

    mutating func respond(_ status: Int, _ body: [UInt8]) {
        connection.respond(status: status, contentType: "text/plain", body: body.span, now: now)
    }

    var request: String {
        let head = connection.head
        let query = head.query.map { "?" + text($0) } ?? ""
        return "\(text(head.methodRange)) \(text(head.path))\(query) [\(text(connection.body))]"
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: connection.bytes[range], as: UTF8.self)
    }
}
