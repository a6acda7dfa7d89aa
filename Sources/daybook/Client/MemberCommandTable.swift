extension CommandTable {
    static let memberCommands: [Command] = [
        Command(
            words: ["member", "list"],
            summary: "show the cluster's members, as its leader sees them",
            flags: Flag.connection + [.json],
            examples: [
                "daybook member list --token-file admin-token",
                "daybook member list --to http://gateway:7400 --json",
            ], run: MemberCommand.list),
        Command(
            words: ["member", "add"], operands: "NODE", operandCount: 1,
            summary: "let a node receive the log, without a vote",
            details:
                "NODE is a number that no member has. It becomes a learner: it gets everything and "
                + "counts for\nnothing, so that a mistyped address costs nothing. On the new machine:"
                + "\n  daybook init node --genesis FILE --node NODE --data DIR --join\n"
                + "  daybook node --data DIR --listen HOST:PORT",
            flags: Flag.connection + [
                .value(
                    "address", "HOST:PORT", "where members and gateways reach it", isRequired: true),
                .json,
            ],
            examples: [
                "daybook member add 4 --address 10.0.0.4:7401 --token-file admin-token",
                "daybook member add 4 --address node4:7401 --to http://gateway:7400 --json",
            ], run: MemberCommand.add),
        Command(
            words: ["member", "promote"], operands: "NODE", operandCount: 1,
            summary: "give a learner a vote",
            details:
                "Refused until the learner holds the log durably; the refusal says by how much it "
                + "lags.",
            flags: Flag.connection + [.json],
            examples: [
                "daybook member promote 4 --token-file admin-token",
                "daybook member promote 4 --to http://gateway:7400 --json",
            ], run: MemberCommand.promote),
        Command(
            words: ["member", "remove"], operands: "NODE", operandCount: 1,
            summary: "take a member out of the cluster",
            details:
                "A leader hands over first. The node's files stay where they are. Refused where too "
                + "few of the\nother voters answer.",
            flags: Flag.connection + [.json],
            examples: [
                "daybook member remove 2 --token-file admin-token",
                "daybook member remove 2 --to http://gateway:7400 --json",
            ], run: MemberCommand.remove),
    ]
}
