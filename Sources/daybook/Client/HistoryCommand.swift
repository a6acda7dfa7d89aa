import JSON
import Linux

/// `daybook history`: all revisions of one event.
enum HistoryCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let client = try HTTPClient(arguments)
        let id = PercentEncoding.encode(arguments.positional[0])
        var target = "/v1/events/\(id)?history=true"
        if arguments.isSet("stale") { target += "&stale=true" }
        let body = try client.answer(to: HTTPRequest(target: target))
        if arguments.isSet("json") {
            StandardStream.output.write(body)
        } else {
            let width = StandardStream.output.terminalColumns ?? .max
            StandardStream.output.write(try table(body).text(width: width))
        }
        return .done
    }

    /// The rows, one JSON object a line, as a table.
    static func table(_ rows: [UInt8]) throws(CommandFailure) -> Table {
        var table = Table([
            ("REVISION", .right), ("SEQUENCE", .right), ("RECORDED AT", .left), ("STARTED", .left),
            ("STOPPED", .left), ("WRITTEN BY", .left), ("NOTES", .left),
        ])
        for line in rows.split(separator: 0x0A) {
            let answer = try JSONAnswer(Array(line))
            let root = answer.document.root
            let isErased = answer.isTrue("erased", root)
            table.append([
                answer.text("revision", root), answer.text("sequence", root),
                answer.text("recorded_at", root), answer.text("start_time", root),
                answer.text("stop_time", root), answer.text("written_by", root),
                isErased ? "(erased)" : answer.text("notes", root),
            ])
        }
        return table
    }
}
