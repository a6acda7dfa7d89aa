import Linux

/// From words to a command and its end.
enum CommandLineProgram {
    static func run(_ words: [String]) -> ExitCode {
        do {
            return try dispatch(words)
        } catch {
            let code = exitCode(of: error)
            let text = "daybook: \(Printable.text("\(error)"))\n"
            StandardStream.error.write(text + (code == .usage ? hint(words) : ""))
            return code
        }
    }

    private static func dispatch(_ words: [String]) throws -> ExitCode {
        guard let first = words.first else {
            StandardStream.error.write(Help.overview)
            return .usage
        }
        if first == "help" || first == "--help" || first == "-h" {
            return try help(Array(words.dropFirst()))
        }
        if first == "--version" { return try dispatch(["version"]) }
        guard let command = find(words) else {
            if isGroup(words) {
                StandardStream.output.write(Help.group(first))
                return .done
            }
            throw unknown(words)
        }
        let arguments = try Arguments(
            Array(words.dropFirst(command.words.count)), flags: command.flags)
        if arguments.asksForHelp {
            StandardStream.output.write(Help.text(command))
            return .done
        }
        try checkOperands(command, arguments)
        return try command.run(arguments)
    }

    private static func help(_ words: [String]) throws -> ExitCode {
        if words.isEmpty {
            StandardStream.output.write(Help.overview)
        } else if let command = find(words) {
            StandardStream.output.write(Help.text(command))
        } else if words.count == 1, isGroup(words + ["--help"]) {
            StandardStream.output.write(Help.group(words[0]))
        } else {
            throw unknown(words)
        }
        return .done
    }

    private static func find(_ words: [String]) -> Command? {
        CommandTable.commands.first { words.starts(with: $0.words) }
    }

    /// Whether the words ask for the help of a group, such as `token --help`.
    private static func isGroup(_ words: [String]) -> Bool {
        guard words.count == 2, words[1] == "--help" || words[1] == "-h" else { return false }
        return CommandTable.commands.contains { $0.words.count == 2 && $0.words[0] == words[0] }
    }

    private static func checkOperands(
        _ command: Command, _ arguments: Arguments
    ) throws(UsageError) {
        let count = arguments.positional.count
        if count > command.operandCount {
            throw UsageError(
                "\"\(arguments.positional[command.operandCount])\" is more than "
                    + "`\(command.name)` takes")
        }
        let least = command.operandCount - (command.isLastOptional ? 1 : 0)
        if count < least { throw UsageError("\(command.operands) is missing") }
    }

    private static func unknown(_ words: [String]) -> UsageError {
        let names = CommandTable.commands.map(\.name)
        let group = names.filter { $0.hasPrefix(words[0] + " ") }
        if !group.isEmpty {
            return UsageError("say one of: \(group.joined(separator: ", "))")
        }
        let candidates = CommandTable.commands.map { $0.words[0] } + ["help"]
        let near = Spelling.nearest(to: words[0], among: candidates)
        return UsageError(
            "there is no command \(words[0])" + (near.map { "; did you mean \($0)?" } ?? ""))
    }

    private static func hint(_ words: [String]) -> String {
        "Try `daybook \(find(words).map { "\($0.name) --help" } ?? "help")`.\n"
    }

    private static func exitCode(of error: any Error) -> ExitCode {
        switch error {
        case is UsageError: .usage
        case let failure as CommandFailure: failure.code
        // The kernel, and what a server command says of files and addresses.
        default: .local
        }
    }
}

/// What `help` and `--help` print.
enum Help {
    static var overview: String {
        let width = (CommandTable.commands.map(\.name.count).max() ?? 0) + 2
        let lines = CommandTable.commands.map { command in
            "  " + pad(command.name, width) + command.summary + "\n"
        }
        return "daybook: a replicated store of audit events\n\n"
            + "usage: daybook COMMAND [FLAGS]\n\n" + lines.joined()
            + "\n`daybook COMMAND --help` shows a command's flags with examples.\n"
            + "Each flag can be set as a variable: --token-file as DAYBOOK_TOKEN_FILE.\n"
            + "Ends with: 0 done, 1 refused or some events not recorded, 2 usage, "
            + "3 not reachable or not ready, 4 a file or the terminal here.\n"
    }

    static func group(_ word: String) -> String {
        CommandTable.commands.filter { $0.words.count == 2 && $0.words[0] == word }
            .map { "daybook \($0.name): \($0.summary)\n" }.joined()
    }

    static func text(_ command: Command) -> String {
        let operands = command.operands.isEmpty ? "" : " " + command.operands
        let flags = command.flags.map { (title(of: $0), $0.summary) }
        let width = (flags.map(\.0.count).max() ?? 0) + 2
        return "daybook \(command.name): \(command.summary)\n\n"
            + "usage: daybook \(command.name)\(operands) [FLAGS]\n"
            + (command.details.isEmpty ? "" : "\n" + command.details + "\n")
            + "\nflags:\n" + flags.map { "  " + pad($0.0, width) + $0.1 + "\n" }.joined()
            + "\nexamples:\n" + command.examples.map { "  \($0)\n" }.joined()
    }

    private static func title(of flag: Flag) -> String {
        switch flag.form {
        case .toggle: "--\(flag.name)"
        case .value(let placeholder), .repeated(let placeholder): "--\(flag.name) \(placeholder)"
        }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }
}
