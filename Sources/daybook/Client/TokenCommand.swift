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
        let answer = try DirectoryCall.call("tokens", "create", body, arguments)
        let data = try DirectoryCall.data(answer)
        let id = answer.text("id", data)
        guard let secret = answer.member("token", data).map({ answer.raw($0) }) else {
            throw CommandFailure(
                .refused, "token \(id) was made, but its secret did not come: revoke it")
        }
        try hand(over: String(secret.dropFirst().dropLast()), id: id, path, arguments)
        return .done
    }

    static func index(_ arguments: Arguments) throws -> ExitCode {
        try DirectoryCall.list(
            "tokens", arguments,
            [
                ("ID", "id"), ("KIND", "kind"), ("APPLICATION", "application"), ("NAME", "name"),
                ("CREATED", "created_at"), ("REVOKED", "revoked_at"),
                ("PERMISSIONS", "permissions"),
            ])
    }

    static func revoke(_ arguments: Arguments) throws -> ExitCode {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("id", arguments.positional[0], to: &body)
        object.close(to: &body)
        _ = try DirectoryCall.call("tokens", "revoke", body, arguments)
        StandardStream.output.write("revoked \(arguments.positional[0])\n")
        return .done
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
}
