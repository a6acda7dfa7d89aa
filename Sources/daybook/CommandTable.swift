/// One command of the program.
struct Command: Sendable {
    /// One word, or two for the commands that come in groups.
    let words: [String]
    /// What stands behind the words, for people.
    var operands = ""
    var operandCount = 0
    /// Whether it does without its last operand.
    var isLastOptional = false
    let summary: String
    var details = ""
    let flags: [Flag]
    let examples: [String]
    let run: @Sendable (Arguments) throws -> ExitCode

    var name: String { words.joined(separator: " ") }
}

/// All commands.
enum CommandTable {
    static let commands: [Command] =
        serverCommands + clientCommands + directoryCommands + mailCommands + memberCommands
        + retentionCommands + segmentCommands + backupCommands + tlsCommands + [
            Command(
                words: ["version"], summary: "print the version", flags: [.json],
                examples: ["daybook version", "daybook version --json"], run: VersionCommand.run)
        ]

    static let serverCommands: [Command] = [
        Command(
            words: ["serve"], summary: "run a one-node cluster and a gateway in one process",
            details: "The first start makes the cluster and its administrator's token in DIR.",
            flags: [
                .value("data", "DIR", "where everything is kept", isRequired: true), listen,
                requestDeadline, clientRegistration, electionTimeout, compactEvery, compactPolicy,
                segmentBytes, scrubPeriod, fetchRate,
            ] + AbuseFlags.all + TLSFlags.web + MailFlags.all,
            examples: [
                "daybook serve --data ./daybook-data",
                "daybook serve --data /var/lib/daybook --listen 0.0.0.0:7400 \\\n"
                    + "    --tls-certificate web.pem --tls-key web.key",
            ], run: server("serve")),
        Command(
            words: ["node"], summary: "run a storage node",
            flags: [
                .value("data", "DIR", "directory that `init node` made", isRequired: true),
                .value(
                    "listen", "ADDRESS",
                    "address to listen on; its member's by default, which a node that joins does "
                        + "not know yet"),
                electionTimeout, compactEvery, compactPolicy, segmentBytes, scrubPeriod,
                fetchRate,
            ] + TLSFlags.peers,
            examples: [
                "daybook node --data /var/lib/daybook/1",
                "daybook node --data /var/lib/daybook/1 --listen 0.0.0.0:7401 --peer-ca ca.pem \\\n"
                    + "    --peer-certificate node-1.pem --peer-key node-1.key",
            ], run: server("node")),
        Command(
            words: ["gateway"], summary: "run an HTTP gateway in front of a cluster",
            flags: [
                genesis, listen, requestDeadline, clientRegistration,
                .value(
                    "nodes", "[ID=]ADDRESS,…",
                    "where members are reached; from the genesis by default"),
            ] + AbuseFlags.all + TLSFlags.web + TLSFlags.peers + MailFlags.all,
            examples: [
                "daybook gateway --genesis genesis --listen 127.0.0.1:7400",
                "daybook gateway --genesis genesis --nodes a:7401,b:7401,c:7401",
                "daybook gateway --genesis genesis --nodes 4=d:7401,5=e:7401",
                "daybook gateway --genesis genesis --mandrill-key-file mandrill-key",
                "daybook gateway --genesis genesis --trusted-proxy 10.0.0.0/24 \\\n"
                    + "    --access-log /var/log/daybook/access.log",
            ], run: server("gateway")),
        Command(
            words: ["init", "cluster"], summary: "make a cluster: genesis and first token",
            flags: [
                genesis,
                .value("admin-token-file", "FILE", "where the token goes", isRequired: true),
                .value("members", "ID=HOST:PORT,…", "the nodes", isRequired: true),
            ],
            examples: [
                "daybook init cluster --genesis genesis --admin-token-file admin-token \\\n"
                    + "    --members 1=10.0.0.1:7401,2=10.0.0.2:7401,3=10.0.0.3:7401",
                "daybook init cluster --genesis g --admin-token-file t "
                    + "--members 1=127.0.0.1:7401",
            ], run: server("init", "cluster")),
        Command(
            words: ["init", "node"], summary: "make the directory of one node",
            flags: [
                genesis, .value("node", "ID", "which member it is", isRequired: true),
                .value("data", "DIR", "the directory, which is new", isRequired: true),
                .toggle("join", "for a cluster that is there, and adds the node (member add)"),
            ],
            examples: [
                "daybook init node --genesis genesis --node 1 --data /var/lib/daybook/1",
                "daybook init node --genesis genesis --node=2 --data=./two",
                "daybook init node --genesis genesis --node 4 --data /var/lib/daybook/4 --join",
            ], run: server("init", "node")),
    ]

    private static let genesis = Flag.value(
        "genesis", "FILE", "the cluster's genesis entry", isRequired: true)
    private static let listen = Flag.value(
        "listen", "ADDRESS", "address to listen on; 127.0.0.1:7400 by default")
    private static let requestDeadline = Flag.value(
        "request-deadline-ms", "N", "how long a request waits for the cluster; 5000 by default")
    private static let clientRegistration = Flag.value(
        "client-registration-url", "URL", "told to users who have no record yet")
    private static let electionTimeout = Flag.value(
        "election-timeout-ms", "N", "silence that begins an election; 500 by default")

    private static let compactEvery = Flag.value(
        "compact-every", "TIME", "begin a compaction so often: 24h, 7d; never by default")
    private static let compactPolicy = Flag.value(
        "compact-policy", "POLICY", "latest (default) or newer-than:DAYS")
    private static let segmentBytes = Flag.value(
        "segment-bytes", "N", "where a segment ends; 16777216 by default. For tests, small disks")
    private static let scrubPeriod = Flag.value(
        "scrub-period-s", "N", "in how long the archive is verified once; 604800 by default")
    private static let fetchRate = Flag.value(
        "fetch-mib-per-s", "N", "how fast a node that is behind takes over segments; 64 by default")

    private static func server(
        _ name: String, _ word: String? = nil
    ) -> @Sendable (Arguments) throws -> ExitCode {
        { arguments in
            let rest = word.map(arguments.prepending) ?? arguments
            try ServerCommands.run(name, rest)
            return .done
        }
    }
}
