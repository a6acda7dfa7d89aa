extension CommandTable {
    static let clientCommands: [Command] = [
        Command(
            words: ["append"], operands: "FILE|-", operandCount: 1,
            summary: "post the events of a file, one JSON object a line",
            details:
                "Sends until each event is recorded or refused, in the file's order. Repeating a "
                + "run is\nsafe: events that are there already are recognised.",
            flags: Flag.connection + [
                Flag.wait,
                .value("from-line", "N", "begin at this line of the file"),
                .value("checkpoint", "FILE", "keep the next line there, and go on from it"), .json,
            ],
            examples: [
                "daybook append events.ndjson --token-file imports.token",
                "daybook append events.ndjson --checkpoint events.checkpoint --wait 600",
                "tail -n +1 -F today.ndjson | daybook append -",
            ], run: AppendCommand.run),
        Command(
            words: ["replay"], summary: "print events in the order of the log, one a line",
            details: "A lost connection is made again, and the rows go on behind the last one.",
            flags: Flag.connection + [
                .value("from", "SEQ", "begin at this sequence"),
                .value("until", "SEQ", "end before this sequence"),
                .value("unique-id", "ID", "the revisions of this event alone"),
                .value("resource", "NAME", "audit_events_fmp (default), administration or all"),
                .toggle("follow", "go on with what is recorded from now on"),
                .toggle("stale", "accept what one node knows, without a majority"),
                .value("out", "FILE", "write to this new file instead"), Flag.wait,
            ],
            examples: [
                "daybook replay --from 1000 --until 2000 > part.ndjson",
                "daybook replay --unique-id nightly-import-17",
                "daybook replay --follow --resource all",
            ], run: ReplayCommand.run),
        Command(
            words: ["status"], summary: "show the cluster's nodes and whether it takes events",
            details: "Ends with 3 when the cluster takes no events.",
            flags: Flag.connection + [.json],
            examples: [
                "daybook status --token-file admin-token",
                "daybook status --to http://gateway:7400 --json",
            ], run: StatusCommand.run),
        Command(
            words: ["transfer"], operands: "NODE", operandCount: 1,
            summary: "make another node the leader",
            details:
                "Returns once NODE leads and takes events; meanwhile, for less than an election "
                + "timeout as\na rule, events wait at the gateway. Takes an administrator's token.",
            flags: Flag.connection + [.json],
            examples: [
                "daybook transfer 2 --token-file admin-token",
                "daybook transfer 2 --to http://gateway:7400 --json",
            ], run: TransferCommand.run),
        Command(
            words: ["history"], operands: "UNIQUE_ID", operandCount: 1,
            summary: "show all revisions of one event",
            flags: Flag.connection + [
                .json, .toggle("stale", "accept what one node knows, without a majority"),
            ],
            examples: [
                "daybook history nightly-import-17", "daybook history --json nightly-import-17",
                "daybook history --json -- --an-id-with-dashes",
            ], run: HistoryCommand.run),
        Command(
            words: ["search"], operands: "[TERM]", operandCount: 1, isLastOptional: true,
            summary: "find events: the newest revision of each",
            details:
                "TERM is looked for in the event's texts, the case of ASCII letters aside. Without "
                + "it the\nfilters alone decide. What is found is as of the first answer.",
            flags: Flag.connection + [
                .repeated(
                    "attribute", "NAME",
                    "look in this alone: unique_id, script_name, host_name, file_name, notes, "
                        + "updated_in"),
                .repeated(
                    "filter", "FILTER",
                    "running, finished, since:TIME or until:TIME (of start_time); all must hold"),
                .value("sort", "NAME", "sequence (default), start_time or recorded_at"),
                .value("order", "ORDER", "desc (default: the newest first) or asc"),
                .value("limit", "N", "print at most so many events; 50 by default, 0 for all"),
                .value("after", "CURSOR", "go on where an earlier search with this order ended"),
                .toggle("count", "print the number of matches alone"), .json,
            ],
            examples: [
                "daybook search import --attribute script_name --filter running",
                "daybook search --filter since:2026-11-24 --filter until:2026-11-25 --limit 0 "
                    + "--json",
                "daybook search error --attribute notes --count",
            ], run: SearchCommand.run),
        Command(
            words: ["token", "create"], summary: "make a token and show its secret once",
            flags: Flag.connection + [
                .value("application", "SLUG", "the application that it belongs to"),
                .value("name", "NAME", "what people call it"),
                .repeated("permission", "P", "RESOURCE/ACTION, RESOURCE/* or *; may be repeated"),
                .value("kind", "KIND", "app or admin; app by default"),
                .value("out", "FILE", "write the secret there, for the owner alone, unseen"), .json,
            ],
            examples: [
                "daybook token create --application planoorder --name imports --out imports.token",
                "daybook token create --application planox2 --permission audit_events_fmp/create",
                "daybook token create --kind admin --name second --out second.token",
            ], run: TokenCommand.create),
        Command(
            words: ["token", "index"], summary: "list the tokens, without their secrets",
            flags: Flag.connection + [.json],
            examples: ["daybook token index", "daybook token index --json"],
            run: TokenCommand.index),
        Command(
            words: ["token", "revoke"], operands: "ID", operandCount: 1,
            summary: "end a token for good", flags: Flag.connection,
            examples: [
                "daybook token revoke 0123456789abcdef",
                "daybook token revoke 0123456789abcdef --token-file admin-token",
            ], run: TokenCommand.revoke),
    ]
}
