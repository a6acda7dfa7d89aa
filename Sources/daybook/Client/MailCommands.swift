import Gateway
import JSON
import Linux
import Records

/// `daybook alert check | set | show`.
enum AlertCommand {
    static func check(_ arguments: Arguments) throws -> ExitCode {
        let path = arguments.positional[0]
        let rules = try read(path)
        if let events = arguments.value("events") {
            return try tryOut(rules, events, isJSON: arguments.isSet("json"))
        }
        if arguments.isSet("json") {
            StandardStream.output.write(json(rules) + [0x0A])
            return .done
        }
        var text = rules.sender.isEmpty ? "" : "from \(rules.sender)\n"
        text += "welcome \(rules.welcomes ? "on" : "off")\n"
        for alert in rules.alerts { text += "alert \(alert.text)\n" }
        let count = rules.alerts.count
        text += "\(path): \(count) \(count == 1 ? "alert" : "alerts"), nothing wrong\n"
        StandardStream.output.write(Printable.lines(text))
        return .done
    }

    static func set(_ arguments: Arguments) throws -> ExitCode {
        let path = arguments.positional[0]
        let rules = try read(path)
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("rules", rules.source.isEmpty ? "# no rules\n" : rules.source, to: &body)
        object.close(to: &body)
        let answer = try DirectoryCall.call("alerts", "update", body, arguments)
        if arguments.isSet("json") {
            StandardStream.output.write(answer.raw(try DirectoryCall.data(answer)) + "\n")
        } else {
            StandardStream.output.write(
                "the cluster goes by \(Printable.text(path)): \(rules.alerts.count) alerts, "
                    + "welcome \(rules.welcomes ? "on" : "off")\n")
        }
        return .done
    }

    static func show(_ arguments: Arguments) throws -> ExitCode {
        let answer = try DirectoryCall.call(
            "alerts", "read", Array("{\"application_view\":\"none\"}".utf8), arguments)
        let data = try DirectoryCall.data(answer)
        if arguments.isSet("json") {
            StandardStream.output.write(answer.raw(data) + "\n")
            return .done
        }
        let text = answer.text("rules", data)
        StandardStream.output.write(
            Printable.lines(text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"))
        return .done
    }

    private static func read(_ path: String) throws -> MailRules {
        let bytes = try SmallFile.read(path, limit: MailRules.sourceBytes + 1)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure(.local, "\(path) is no UTF-8")
        }
        do throws(MailRulesDefect) {
            return try MailRules(text)
        } catch {
            throw CommandFailure(
                .local, "\(path):\(error.line):\(error.column): \(error.reason)")
        }
    }

    /// Says which rules match each of the events in a file, one JSON object a line.
    private static func tryOut(
        _ rules: MailRules, _ path: String, isJSON: Bool
    ) throws -> ExitCode {
        var trial = AlertTrial(rules)
        var output: [UInt8] = []
        var isWhole = true
        let lines = try SmallFile.read(path, limit: 64 * 1_048_576)
            .split(separator: 0x0A, omittingEmptySubsequences: false)
        for (place, line) in lines.enumerated() where !line.allSatisfy({ $0 <= 0x20 }) {
            var matched: [AlertRule] = []
            var reason: String?
            do throws(Refusal) {
                matched = try trial.matches(Array(line))
            } catch {
                isWhole = false
                let faults = error.faults.map { "\($0.parameter): \($0.kind.rawValue)" }
                reason = faults.isEmpty ? error.message : faults.joined(separator: ", ")
            }
            if isJSON {
                append(place + 1, matched, reason, to: &output)
            } else {
                let text =
                    reason.map { "no event: \($0)" }
                    ?? (matched.isEmpty
                        ? "no alert" : matched.map(\.text).joined(separator: "; "))
                output += "line \(place + 1): \(Printable.text(text))\n".utf8
            }
        }
        StandardStream.output.write(output)
        return isWhole ? .done : .refused
    }

    private static func append(
        _ line: Int, _ rules: [AlertRule], _ reason: String?, to output: inout [UInt8]
    ) {
        var object = JSONObjectWriter(to: &output)
        object.member("line", UInt64(line), to: &output)
        if let reason { object.member("error", reason, to: &output) }
        append(rules, named: "alerts", to: &object, &output)
        object.close(to: &output)
        output.append(0x0A)
    }

    private static func json(_ rules: MailRules) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        object.member("from", rules.sender, to: &output)
        object.member("welcome", rules.welcomes, to: &output)
        append(rules.alerts, named: "alerts", to: &object, &output)
        object.close(to: &output)
        return output
    }

    private static func append(
        _ rules: [AlertRule], named name: StaticString, to object: inout JSONObjectWriter,
        _ output: inout [UInt8]
    ) {
        object.name(name, to: &output)
        var array = JSONArrayWriter(to: &output)
        for rule in rules {
            array.element(to: &output)
            JSONWriter.append(rule.text, to: &output)
        }
        array.close(to: &output)
    }
}

/// `daybook notification list | read`.
enum NotificationCommand {
    static func list(_ arguments: Arguments) throws -> ExitCode {
        let filters = arguments.isSet("unread") ? ["read:false"] : []
        return try DirectoryCall.list(
            "notifications", arguments, filters: filters,
            [
                ("ID", "id"), ("STATE", "state"), ("CREATED", "created_at"),
                ("RECIPIENT", "recipient"), ("ATTEMPTS", "attempts"), ("READ", "read_at"),
                ("REASON", "reason"),
            ])
    }

    static func read(_ arguments: Arguments) throws -> ExitCode {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        object.member("id", arguments.positional[0], to: &body)
        object.close(to: &body)
        let answer = try DirectoryCall.call("notifications", "read", body, arguments)
        let data = try DirectoryCall.data(answer)
        if arguments.isSet("json") {
            StandardStream.output.write(answer.raw(data) + "\n")
            return .done
        }
        var text = Printable.text(answer.text("message", data)) + "\n"
        for name: StaticString in [
            "state", "recipient", "user_id", "alert", "sequence", "attempts", "reason",
            "created_at", "updated_at", "read_at",
        ] where answer.member(name, data) != nil {
            text += "  \(name): \(Printable.text(answer.text(name, data)))\n"
        }
        StandardStream.output.write(text)
        return .done
    }
}
