import Bytes
import Crypto
import JSON
import Linux

/// `daybook token create | index | revoke`.
enum TokenCommand {
    static func create(_ arguments: Arguments) throws -> ExitCode {
        let body = try parameters(arguments)
        let path = arguments.value("out")
        if let path, SmallFile.exists(path) {
            throw CommandFailure(.local, "\(path) exists already; a token gets a file of its own")
        }
        let answer = try call("create", body, arguments)
        guard let data = answer.member("data", answer.document.root) else {
            throw CommandFailure(.notReady, "the answer holds no data")
        }
        let id = answer.text("id", data)
        guard let secret = answer.member("token", data).map({ answer.raw($0) }) else {
            throw CommandFailure(
                .refused, "token \(id) was made, but its secret did not come: revoke it")
        }
        try hand(over: String(secret.dropFirst().dropLast()), id: id, path, arguments)
        return .done
    }

    static func index(_ arguments: Arguments) throws -> ExitCode {
        // A body without any parameter is refused, wherever the token comes from.
        let answer = try call("index", Array("{\"count\":false}".utf8), arguments)
        guard let data = answer.member("data", answer.document.root) else {
            throw CommandFailure(.notReady, "the answer holds no data")
        }
        let rows = answer.elements("results", data)
        if arguments.isSet("json") {
            StandardStream.output.write(rows.map { answer.raw($0) + "\n" }.joined())
        } else {
            let width = StandardStream.output.terminalColumns ?? .max
            StandardStream.output.write(table(answer, rows).text(width: width))
        }
        return .done
    }

    static func revoke(_ arguments: Arguments) throws -> ExitCode {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("id", arguments.positional[0], to: &body)
        object.close(to: &body)
        _ = try call("revoke", body, arguments)
        StandardStream.output.write("revoked \(arguments.positional[0])\n")
        return .done
    }

    static func table(_ answer: JSONAnswer, _ rows: [Int]) -> Table {
        var table = Table([
            ("ID", .left), ("KIND", .left), ("APPLICATION", .left), ("NAME", .left),
            ("CREATED", .left), ("REVOKED", .left), ("PERMISSIONS", .left),
        ])
        for row in rows {
            let permissions = answer.elements("permissions", row).compactMap {
                answer.document.string($0, from: answer.bytes.span)
            }
            table.append([
                answer.text("id", row), answer.text("kind", row), answer.text("application", row),
                answer.text("name", row), answer.text("created_at", row),
                answer.text("revoked_at", row), permissions.joined(separator: " "),
            ])
        }
        return table
    }

    /// The body that asks for a token.
    static func parameters(_ arguments: Arguments) throws(UsageError) -> [UInt8] {
        let kind = arguments.value("kind") ?? "app"
        guard kind == "app" || kind == "admin" else {
            throw UsageError("--kind is app or admin, not \"\(kind)\"")
        }
        let application = arguments.value("application")
        guard application != nil || kind == "admin" else {
            throw UsageError("--application is missing: an application's token belongs to one")
        }
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("kind", kind, to: &body)
        if let application { object.member("application", application, to: &body) }
        if let name = arguments.value("name") { object.member("name", name, to: &body) }
        if case let permissions = arguments.all("permission"), !permissions.isEmpty {
            object.name("permissions", to: &body)
            var array = JSONArrayWriter(to: &body)
            for permission in permissions {
                array.element(to: &body)
                JSONWriter.append(permission, to: &body)
            }
            array.close(to: &body)
        }
        object.close(to: &body)
        return body
    }

    /// Shows the secret, or writes it where it is not seen.
    private static func hand(
        over secret: String, id: String, _ path: String?, _ arguments: Arguments
    ) throws(CommandFailure) {
        if let path {
            do throws(SystemError) {
                try SmallFile.writeDurably(path, Array((secret + "\n").utf8), mode: 0o600)
            } catch {
                throw CommandFailure(
                    .local, "\(error); token \(id) was made and its secret is lost: revoke it")
            }
        }
        if arguments.isSet("json") {
            var line: [UInt8] = []
            var object = JSONObjectWriter(to: &line)
            object.member("id", id, to: &line)
            if path == nil { object.member("token", secret, to: &line) }
            object.close(to: &line)
            StandardStream.output.write(line + [0x0A])
        } else if let path {
            StandardStream.output.write("token \(id): \(path)\n")
        } else {
            StandardStream.output.write(secret + "\n")
            StandardStream.error.write("token \(id); the secret is not shown again\n")
        }
    }

    /// One request of the compatible surface. Named by a random key, so that a repeated one is
    /// carried out once.
    private static func call(
        _ action: String, _ body: [UInt8], _ arguments: Arguments
    ) throws -> JSONAnswer {
        let client = try HTTPClient(arguments)
        let key = Hex.encode(RandomBytes.make(count: 16))
        let request = HTTPRequest(
            method: "POST", target: "/api/v1/tokens/\(action)", contentType: "application/json",
            body: body, headers: [(name: "Idempotency-Key", value: key)])
        return try JSONAnswer(try client.answer(to: request))
    }
}
