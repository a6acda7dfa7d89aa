extension CommandTable {
    /// Mail: who is told of what, and what became of it.
    static let mailCommands: [Command] = [
        Command(
            words: ["alert", "check"], operands: "FILE", operandCount: 1,
            summary: "read a file of mail rules and say what is wrong with it, here alone",
            details:
                "A rule is a line such as\n"
                + "  alert = notes contains \"error\" -> devs@example.com\n"
                + "Errors name line and column. docs/guides/alerts.md has the whole grammar.",
            flags: [
                .value(
                    "events", "FILE",
                    "say which rules match each of these events, one JSON object a line"), .json,
            ],
            examples: [
                "daybook alert check rules.conf",
                "daybook alert check rules.conf --events sample.ndjson",
            ], run: AlertCommand.check),
        Command(
            words: ["alert", "set"], operands: "FILE", operandCount: 1,
            summary: "let the whole cluster go by a file of mail rules, from now on",
            details:
                "The rules go into the log: all gateways have the same. An empty file ends all "
                + "mail. Takes an\nadministrator's token.",
            flags: Flag.connection + [.json],
            examples: [
                "daybook alert set rules.conf --token-file admin-token",
                "daybook alert set /dev/null",
            ], run: AlertCommand.set),
        Command(
            words: ["alert", "show"], summary: "show the mail rules that the cluster goes by",
            flags: Flag.connection + [.json],
            examples: ["daybook alert show > rules.conf", "daybook alert show --json"],
            run: AlertCommand.show),
        Command(
            words: ["notification", "list"],
            summary: "list what developers are told: mail that failed",
            flags: Flag.connection + [.toggle("unread", "those that nobody has read"), .json],
            examples: ["daybook notification list", "daybook notification list --unread --json"],
            run: NotificationCommand.list),
        Command(
            words: ["notification", "read"], operands: "ID", operandCount: 1,
            summary: "show a notification, and note that it was read",
            flags: Flag.connection + [.json],
            examples: [
                "daybook notification read 7",
                "daybook notification read 7 --json --token-file admin-token",
            ], run: NotificationCommand.read),
    ]
}
