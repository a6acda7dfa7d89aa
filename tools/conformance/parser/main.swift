import Bytes
import HTTPWire
import JSON
import Linux

// parse-requests FILE: each line of the file is what a client sends on one connection, as hexadecimal
// text. For each, a line of JSON: `{"requests":[…],"defect":…}`, as `HTTPWire` reads it.

/// Bodies up to this many bytes are admitted.
let bodyLimit = 16 * 1_024 * 1_024
/// Bytes of a file of inputs.
let fileLimit = 256 * 1_024 * 1_024

/// Appends what one connection reads when its input ends there.
func read(_ input: [UInt8], into output: inout [UInt8]) {
    var connection = HTTPConnection(now: 0)
    connection.receive(input.span, now: 0)
    connection.receiveEnd()
    var object = JSONObjectWriter(to: &output)
    object.name("requests", to: &output)
    var list = JSONArrayWriter(to: &output)
    var defect: String?
    reading: while true {
        switch connection.advance(now: 0) {
        case .needsBytes, .closed: break reading
        case .head: connection.admitBody(limit: bodyLimit, now: 0)
        case .bodyTooLarge: defect = "bodyTooLarge"
        case .malformed(let found): defect = "\(found)"
        case .request:
            list.element(to: &output)
            append(connection, to: &output)
            connection.respond(
                status: 200, contentType: "text/plain", body: [UInt8]().span, now: 0)
        }
        if defect != nil { break }
        connection.didWrite(connection.pendingOutput, now: 0)
    }
    list.close(to: &output)
    if let defect { object.member("defect", defect, to: &output) }
    object.close(to: &output)
    output.append(UInt8(ascii: "\n"))
}

/// `{"method","target","version","headers":[name, value, …],"body"}`, bytes as hexadecimal text.
func append(_ connection: HTTPConnection, to output: inout [UInt8]) {
    let head = connection.head
    func hexadecimal(_ range: Range<Int>) -> String { Hex.encode(Array(connection.bytes[range])) }
    let end = head.query?.upperBound ?? head.path.upperBound
    var object = JSONObjectWriter(to: &output)
    object.member("method", hexadecimal(head.methodRange), to: &output)
    object.member("target", hexadecimal(head.path.lowerBound..<end), to: &output)
    object.member("version", Int64(head.minorVersion), to: &output)
    object.name("headers", to: &output)
    var list = JSONArrayWriter(to: &output)
    for field in head.fields {
        for range in [field.name, field.value] {
            list.element(to: &output)
            JSONWriter.append(hexadecimal(range), to: &output)
        }
    }
    list.close(to: &output)
    object.member("body", hexadecimal(connection.body), to: &output)
    object.close(to: &output)
}

guard CommandLine.arguments.count == 2 else {
    StandardStream.error.write("usage: parse-requests FILE\n")
    Process.exit(2)
}
do {
    let file = try SmallFile.read(CommandLine.arguments[1], limit: fileLimit)
    for line in file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        .dropLast()
    {
        guard let input = Hex.decode(Array(line).span) else {
            StandardStream.error.write("parse-requests: a line is not hexadecimal\n")
            Process.exit(1)
        }
        var output: [UInt8] = []
        read(input, into: &output)
        StandardStream.output.write(String(decoding: output, as: UTF8.self))
    }
} catch {
    StandardStream.error.write("parse-requests: \(error)\n")
    Process.exit(1)
}
