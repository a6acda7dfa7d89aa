extension CommandTable {
    static let segmentCommands: [Command] = [
        Command(
            words: ["segment", "list"],
            summary: "show what of a node's log is where, and what of it is still needed",
            details: "Reads the files alone, also beside a running node, and changes nothing.",
            flags: [data, .json],
            examples: [
                "daybook segment list --data /var/lib/daybook/1",
                "daybook segment list --data ./daybook-data --json",
            ], run: SegmentListCommand.run),
        Command(
            words: ["segment", "inspect"], operands: "FILE|FIRST-INDEX", operandCount: 1,
            summary: "show the header, the entries and the damage of one segment",
            details: "Ends with 1 when something in it is damaged.",
            flags: [
                .value("data", "DIR", "the node's directory; FILE may be a path instead"),
                .toggle("entries", "one line for each entry"), .json,
            ],
            examples: [
                "daybook segment inspect 1 --data /var/lib/daybook/1",
                "daybook segment inspect --entries /var/lib/daybook/1/00000000000000000001.segment",
            ], run: SegmentInspectCommand.run),
        Command(
            words: ["segment", "verify"],
            summary: "read every byte of a node's directory and name what is damaged",
            details:
                "Reads the files alone, also beside a running node, and changes nothing. Ends with 1 "
                + "when\nsomething is damaged.",
            flags: [data, .json],
            examples: [
                "daybook segment verify --data /var/lib/daybook/1",
                "daybook segment verify --data ./daybook-data --json",
            ], run: SegmentVerifyCommand.run),
    ]

    private static let data = Flag.value(
        "data", "DIR", "directory of a node, or of `daybook serve`", isRequired: true)
}
