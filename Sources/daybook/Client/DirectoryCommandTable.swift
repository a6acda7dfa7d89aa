extension CommandTable {
    private static let person: [Flag] = [
        .value("password-file", "FILE", "a file whose first line is the password"),
        .value("first-name", "NAME", "first name"), .value("last-name", "NAME", "last name"),
        .value("phone", "NUMBER", "telephone number"), .value("company", "NAME", "company"),
        .repeated(
            "record", "KIND", "client, employee or liaison (none: no record); may be repeated"),
        .repeated("role", "APP/ROLE", "a role besides (none: no role); may be repeated"),
        .toggle("remember-me", "sessions neither age nor lapse"), .json,
    ]

    static let directoryCommands: [Command] = [
        Command(
            words: ["user", "create"], operands: "EMAIL", operandCount: 1,
            summary: "make a user who can log in",
            details:
                "A user needs a record to have a role: clients, employees and liaisons have the "
                + "roles of those\nnames. The first administrator of a new cluster is made with the "
                + "founding token.",
            flags: Flag.connection + person,
            examples: [
                "daybook user create ada@example.com --record employee "
                    + "--role planox2/administrator --password-file password "
                    + "--token-file admin-token",
                "daybook user create bob@example.com --record client --first-name Bob",
            ], run: UserCommand.create),
        Command(
            words: ["user", "index"], summary: "list the users",
            flags: Flag.connection + [
                .value("search", "TERM", "those with this in a name or address"), .json,
            ],
            examples: ["daybook user index", "daybook user index --search example.com --json"],
            run: UserCommand.index),
        Command(
            words: ["user", "update"], operands: "ID", operandCount: 1,
            summary: "change a user; what is not named stays",
            details: "A new password ends the user's sessions.",
            flags: Flag.connection + [.value("email", "ADDRESS", "another address")] + person,
            examples: [
                "daybook user update 0123456789abcdef --password-file new-password",
                "daybook user update 0123456789abcdef --record employee --role none",
            ], run: UserCommand.update),
        Command(
            words: ["user", "delete"], operands: "ID", operandCount: 1,
            summary: "delete a user and end the sessions", flags: Flag.connection,
            examples: [
                "daybook user delete 0123456789abcdef",
                "daybook user delete 0123456789abcdef --token-file admin-token",
            ], run: UserCommand.delete),
        Command(
            words: ["role", "create"], operands: "APP/ROLE", operandCount: 1,
            summary: "make a role of an application", flags: Flag.connection + role,
            examples: [
                "daybook role create planox2/auditor --permission audit_events_fmp/index "
                    + "--permission audit_events_fmp/history",
                "daybook role create planoorder/importer --name Importer "
                    + "--permission audit_events_fmp/create",
            ], run: RoleCommand.create),
        Command(
            words: ["role", "index"], summary: "list the roles and what they permit",
            flags: Flag.connection + [.json],
            examples: ["daybook role index", "daybook role index --json"], run: RoleCommand.index),
        Command(
            words: ["role", "update"], operands: "APP/ROLE", operandCount: 1,
            summary: "change a role, for all who have it, at once",
            flags: Flag.connection + role,
            examples: [
                "daybook role update planox2/client --permission audit_events_fmp/create",
                "daybook role update planox2/auditor --name Auditors",
            ], run: RoleCommand.update),
        Command(
            words: ["role", "delete"], operands: "APP/ROLE", operandCount: 1,
            summary: "delete a role that nobody was given",
            flags: Flag.connection + [.json],
            examples: [
                "daybook role delete planoauth/liaison",
                "daybook role delete planoauth/liaison --token-file admin-token",
            ], run: RoleCommand.delete),
    ]

    private static let role: [Flag] = [
        .value("name", "NAME", "what people call it"),
        .repeated("permission", "P", "RESOURCE/ACTION, RESOURCE/* or *; may be repeated"), .json,
    ]
}
