import JSON
import Linux

/// `daybook hold add | list | remove`: unique_ids of which nothing may be taken away.
enum HoldCommand {
    static func add(_ arguments: Arguments) throws -> ExitCode {
        guard let reason = arguments.value("reason") else {
            throw UsageError("--reason is missing")
        }
        let id = arguments.positional[0]
        let client = try HTTPClient(arguments)
        _ = try client.answer(
            to: RetentionRequest.post("/v1/holds", [("unique_id", id), ("reason", reason)]))
        StandardStream.output.write(Printable.text("held \(id)") + "\n")
        return .done
    }

    static func list(_ arguments: Arguments) throws -> ExitCode {
        let client = try HTTPClient(arguments)
        var table = Table([
            ("UNIQUE_ID", .left), ("SINCE", .left), ("AUTHOR", .left), ("REASON", .left),
        ])
        var target = "/v1/holds"
        while true {
            let answer = try JSONAnswer(try client.answer(to: HTTPRequest(target: target)))
            let rows = answer.elements("holds", answer.document.root)
            for row in rows {
                if arguments.isSet("json") { StandardStream.output.write(answer.raw(row) + "\n") }
                table.append([
                    answer.text("unique_id", row), answer.text("since", row),
                    answer.text("author", row), answer.text("reason", row),
                ])
            }
            guard answer.isTrue("more", answer.document.root), let last = rows.last else { break }
            let id = PercentEncoding.encode(answer.text("unique_id", last))
            target = "/v1/holds?after=\(id)"
        }
        if !arguments.isSet("json") {
            let width = StandardStream.output.terminalColumns ?? .max
            StandardStream.output.write(table.text(width: width))
        }
        return .done
    }

    static func remove(_ arguments: Arguments) throws -> ExitCode {
        let id = arguments.positional[0]
        let client = try HTTPClient(arguments)
        _ = try client.answer(
            to: HTTPRequest(
                method: "DELETE", target: "/v1/holds/\(PercentEncoding.encode(id))",
                headers: [RetentionRequest.key]))
        StandardStream.output.write(Printable.text("no longer held: \(id)") + "\n")
        return .done
    }
}

/// `daybook erase`: takes a unique_id with all its revisions out of the store, for good.
enum EraseCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard let reason = arguments.value("reason") else {
            throw UsageError("--reason is missing")
        }
        let client = try HTTPClient(arguments)
        let answer = try JSONAnswer(
            try client.answer(
                to: RetentionRequest.post(
                    "/v1/erasures",
                    [("unique_id", arguments.positional[0]), ("reason", reason)])))
        let events = answer.text("events", answer.document.root)
        var end = "; their bytes are being taken out of the files"
        if arguments.isSet("wait") {
            _ = try Settling.wait(client) { $0.hasErased }
            end = ", and no file of a node that answers holds them"
        }
        if arguments.isSet("json") {
            StandardStream.output.write(answer.bytes + [0x0A])
        } else {
            StandardStream.output.write("erased: \(events) events are hidden\(end)\n")
        }
        return .done
    }
}
