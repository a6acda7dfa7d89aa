extension CommandTable {
    static let backupCommands: [Command] = [
        Command(
            words: ["backup"], operands: "DIR", operandCount: 1,
            summary: "copy the log of a running cluster into a directory",
            details:
                "All that was acknowledged before the command began is in it. DIR is made, or brought "
                + "up to\ndate: only segments that it has not yet are copied. Takes an administrator's "
                + "token.",
            flags: Flag.connection + [Flag.wait, .json],
            examples: [
                "daybook backup /backup/daybook --token-file admin-token",
                "daybook backup /backup/daybook --to http://gateway:7400 --json",
            ], run: BackupCommand.run),
        Command(
            words: ["restore"], operands: "DIR", operandCount: 1,
            summary: "make a new cluster of a backup",
            details:
                "The cluster is a new one, with a new administrator's token; the events keep their "
                + "sequences\nand times. Without --genesis it has one member, and `daybook serve --data "
                + "NEW` runs it.",
            flags: [
                .value("data", "NEW", "the node's directory, which is new", isRequired: true),
                .value("until", "SEQ", "leave out the events from this sequence on"),
                .toggle("keep-tokens", "tokens of the backed-up cluster stay valid"),
                .value("genesis", "FILE", "genesis that `init cluster` made for the new cluster"),
                .value("node", "ID", "which member of it this is; 1 by default"),
                .value("members", "ID=HOST:PORT,…", "without --genesis: the new cluster's nodes"),
                .value("admin-token-file", "FILE", "without --genesis: where the token goes"),
                .json,
            ],
            examples: [
                "daybook restore /backup/daybook --data ./restored",
                "daybook restore /backup/daybook --data ./part --until 46120",
                "daybook restore /backup/daybook --data /var/lib/daybook/2 --genesis genesis "
                    + "--node 2",
            ], run: RestoreCommand.run),
        Command(
            words: ["verify"], operands: "DIR", operandCount: 1,
            summary: "say whether a backup or a node's directory is as it was written",
            details:
                "Reads the files alone and changes nothing. Ends with 1 when something is damaged.",
            flags: [.json],
            examples: ["daybook verify /backup/daybook", "daybook verify /var/lib/daybook/1"],
            run: VerifyCommand.run),
    ]
}
