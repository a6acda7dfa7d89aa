import JSON
import Linux

/// `daybook member list | add | promote | remove`: who the cluster consists of.
enum MemberCommand {
    static func list(_ arguments: Arguments) throws -> ExitCode {
        try show(HTTPRequest(method: "GET", target: "/v1/cluster/members"), arguments)
    }

    static func add(_ arguments: Arguments) throws -> ExitCode {
        guard let address = arguments.value("address") else {
            throw UsageError("--address HOST:PORT is missing")
        }
        return try change("", address: address, arguments)
    }

    static func promote(_ arguments: Arguments) throws -> ExitCode {
        try change("/promote", arguments)
    }

    static func remove(_ arguments: Arguments) throws -> ExitCode {
        try change("/remove", arguments)
    }

    private static func change(
        _ path: String, address: String? = nil, _ arguments: Arguments
    ) throws -> ExitCode {
        guard let node = UInt32(arguments.positional[0]), node > 0 else {
            throw UsageError("NODE is the number of a node, not \"\(arguments.positional[0])\"")
        }
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("node", Int64(node), to: &body)
        if let address { object.member("address", address, to: &body) }
        object.close(to: &body)
        return try show(
            HTTPRequest(
                method: "POST", target: "/v1/cluster/members" + path,
                contentType: "application/json", body: body), arguments)
    }

    /// Sends the request, and shows the members as they are then.
    private static func show(_ request: HTTPRequest, _ arguments: Arguments) throws -> ExitCode {
        let client = try HTTPClient(arguments)
        let answer = try client.answer(to: request)
        StandardStream.output.write(
            arguments.isSet("json")
                ? answer + (answer.last == 0x0A ? [] : [0x0A])
                : Array(try describe(answer).utf8))
        return .done
    }

    /// The answer for people: a row for each member.
    static func describe(_ body: [UInt8]) throws(CommandFailure) -> String {
        let answer = try JSONAnswer(body)
        var table = Table([
            ("NODE", .right), ("MEMBER", .left), ("ADDRESS", .left), ("ANSWERS", .left),
            ("LAG", .right), ("DISK", .left),
        ])
        for member in answer.elements("members", answer.document.root) {
            let disk = String(answer.text("incarnation", member).prefix(8))
            table.append([
                answer.text("id", member), answer.text("member", member),
                answer.text("address", member),
                answer.isTrue("reachable", member) ? "yes" : "no",
                answer.text("lag_entries", member),
                answer.isTrue("disk_went_back", member) ? disk + " WENT BACK" : disk,
            ])
        }
        return table.text(width: .max)
            + "members as of entry \(answer.text("entry", answer.document.root))\n"
    }
}
