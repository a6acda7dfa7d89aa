import JSON
import Linux

/// `daybook user create | index | update | delete`.
enum UserCommand {
    /// Bytes of a file with a password.
    private static let passwordBytes = 1_025

    static func create(_ arguments: Arguments) throws -> ExitCode {
        try change("create", (name: "email", value: arguments.positional[0]), arguments)
    }

    static func update(_ arguments: Arguments) throws -> ExitCode {
        try change("update", (name: "id", value: arguments.positional[0]), arguments)
    }

    static func delete(_ arguments: Arguments) throws -> ExitCode {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("id", arguments.positional[0], to: &body)
        object.close(to: &body)
        _ = try DirectoryCall.call("users", "delete", body, arguments)
        StandardStream.output.write("deleted \(arguments.positional[0])\n")
        return .done
    }

    static func index(_ arguments: Arguments) throws -> ExitCode {
        try DirectoryCall.list(
            "users", arguments, term: arguments.value("search"),
            [
                ("ID", "id"), ("EMAIL", "email"), ("FIRST", "first_name"), ("LAST", "last_name"),
                ("RECORDS", "records"), ("ROLES", "roles"), ("CREATED", "created_at"),
            ])
    }

    private static func change(
        _ action: String, _ subject: (name: String, value: String), _ arguments: Arguments
    ) throws -> ExitCode {
        let body = try body(subject, arguments)
        let answer = try DirectoryCall.call("users", action, body, arguments)
        let data = try DirectoryCall.data(answer)
        if arguments.isSet("json") {
            StandardStream.output.write(answer.raw(data) + "\n")
        } else {
            StandardStream.output.write(
                "user \(answer.text("id", data)): \(answer.text("email", data))\n")
        }
        return .done
    }

    /// The body of a creation or a change.
    static func body(
        _ subject: (name: String, value: String), _ arguments: Arguments
    ) throws -> [UInt8] {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.name(subject.name, to: &body)
        JSONWriter.append(subject.value, to: &body)
        for (flag, member) in [
            ("email", "email"), ("first-name", "first_name"), ("last-name", "last_name"),
            ("phone", "phone"), ("company", "company_name"),
        ] {
            guard let value = arguments.value(flag) else { continue }
            object.name(member, to: &body)
            JSONWriter.append(value, to: &body)
        }
        if let path = arguments.value("password-file") {
            object.member("password", try password(path), to: &body)
        }
        for (flag, member) in [("record", "records"), ("role", "roles")] {
            let values = arguments.all(flag)
            guard !values.isEmpty else { continue }
            object.name(member, to: &body)
            var array = JSONArrayWriter(to: &body)
            for value in values where value != "none" {
                array.element(to: &body)
                JSONWriter.append(value, to: &body)
            }
            array.close(to: &body)
        }
        if arguments.isSet("remember-me") { object.member("remember_me", true, to: &body) }
        object.close(to: &body)
        return body
    }

    /// The first line of a file: passwords are never in flags, where others can see them.
    private static func password(_ path: String) throws -> String {
        let bytes = try SmallFile.read(path, limit: passwordBytes)
        let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty else {
            throw CommandFailure(.local, "\(path) holds no password in its first line")
        }
        return String(decoding: line, as: UTF8.self)
    }
}

/// `daybook role create | index | update | delete`.
enum RoleCommand {
    static func create(_ arguments: Arguments) throws -> ExitCode {
        try change("create", arguments)
    }

    static func update(_ arguments: Arguments) throws -> ExitCode {
        try change("update", arguments)
    }

    static func delete(_ arguments: Arguments) throws -> ExitCode {
        try change("delete", arguments)
    }

    static func index(_ arguments: Arguments) throws -> ExitCode {
        try DirectoryCall.list(
            "roles", arguments,
            [
                ("APPLICATION", "application"), ("ROLE", "slug"), ("NAME", "name"),
                ("PERMISSIONS", "permissions"),
            ])
    }

    private static func change(_ action: String, _ arguments: Arguments) throws -> ExitCode {
        let name = arguments.positional[0]
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw UsageError(
                "a role is APPLICATION/ROLE, such as planox2/employee, not \"\(name)\"")
        }
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("application", String(parts[0]), to: &body)
        object.member("slug", String(parts[1]), to: &body)
        if let name = arguments.value("name") { object.member("name", name, to: &body) }
        let permissions = arguments.all("permission")
        if !permissions.isEmpty {
            object.name("permissions", to: &body)
            var array = JSONArrayWriter(to: &body)
            for permission in permissions {
                array.element(to: &body)
                JSONWriter.append(permission, to: &body)
            }
            array.close(to: &body)
        }
        object.close(to: &body)
        let answer = try DirectoryCall.call("roles", action, body, arguments)
        if arguments.isSet("json") {
            StandardStream.output.write(answer.raw(try DirectoryCall.data(answer)) + "\n")
        } else {
            StandardStream.output.write("\(action)d \(name)\n")
        }
        return .done
    }
}
