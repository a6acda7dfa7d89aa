import Linux

/// `daybook version`.
enum VersionCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        StandardStream.output.write(
            arguments.isSet("json")
                ? "{\"version\":\"\(Version.text)\"}\n" : "daybook \(Version.text)\n")
        return .done
    }
}
