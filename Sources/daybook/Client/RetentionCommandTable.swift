extension CommandTable {
    private static let waits = Flag.toggle(
        "wait", "return when it is over and every node that answers shows it")
    private static let reason = Flag.value("reason", "TEXT", "why; it stays in the log")

    /// What is kept, and what goes.
    static let retentionCommands: [Command] = [
        Command(
            words: ["compact"], summary: "take away what the policy does not keep",
            details:
                "Goes over everything that was recorded before, on all nodes. Revisions that go "
                + "leave a stub:\nrepeated posts are still recognised. Takes an administrator's "
                + "token.",
            flags: Flag.connection + [
                .value("policy", "POLICY", "latest (default) or newer-than:DAYS"),
                .toggle("dry-run", "say what would go, and change nothing"), waits, .json,
            ],
            examples: [
                "daybook compact --dry-run --token-file admin-token",
                "daybook compact --wait", "daybook compact --policy newer-than:365 --wait --json",
            ], run: CompactCommand.run),
        Command(
            words: ["hold", "add"], operands: "UNIQUE_ID", operandCount: 1,
            summary: "keep all revisions of one event, whatever the policy says",
            flags: Flag.connection + [reason],
            examples: [
                "daybook hold add nightly-import-17 --reason 'case 4711'",
                "daybook hold add --reason audit -- --an-id-with-dashes",
            ], run: HoldCommand.add),
        Command(
            words: ["hold", "list"], summary: "list the legal holds",
            flags: Flag.connection + [.json],
            examples: ["daybook hold list", "daybook hold list --json"], run: HoldCommand.list),
        Command(
            words: ["hold", "remove"], operands: "UNIQUE_ID", operandCount: 1,
            summary: "end a legal hold", flags: Flag.connection,
            examples: [
                "daybook hold remove nightly-import-17",
                "daybook hold remove nightly-import-17 --token-file admin-token",
            ], run: HoldCommand.remove),
        Command(
            words: ["erase"], operands: "UNIQUE_ID", operandCount: 1,
            summary: "take one event with all its revisions out of the store, for good",
            details:
                "It is hidden at once, and its bytes leave the files of all nodes soon after. The "
                + "unique_id\nis closed: nothing more is recorded for it. Refused under a legal "
                + "hold.",
            flags: Flag.connection + [reason, waits, .json],
            examples: [
                "daybook erase nightly-import-17 --reason 'request 12' --wait",
                "daybook erase nightly-import-17 --reason gdpr --json",
            ], run: EraseCommand.run),
    ]
}
