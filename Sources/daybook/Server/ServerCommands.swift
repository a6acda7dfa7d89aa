import Consensus
import Gateway
import Linux
import Records
import Replica
import SegmentLog
import Server

/// The commands that run or make parts of a cluster: init, node, gateway, serve.
enum ServerCommands {
    static func run(_ name: String, _ arguments: Arguments) throws {
        switch name {
        case "init": try initialize(arguments)
        case "node": try runNode(arguments)
        case "gateway": try runGateway(arguments)
        case "serve": try serve(arguments)
        default: preconditionFailure("\(name) is no server command")
        }
    }

    private static func required(_ arguments: Arguments, _ flag: String) throws -> String {
        guard let value = arguments.value(flag) else { throw NodeFailure("--\(flag) is missing") }
        return value
    }

    // MARK: init

    private static func initialize(_ arguments: Arguments) throws {
        switch arguments.positional.first {
        case "cluster": try initializeCluster(arguments)
        case "node": try initializeNode(arguments)
        default: throw NodeFailure("say `daybook init cluster` or `daybook init node`")
        }
    }

    private static func initializeCluster(_ arguments: Arguments) throws {
        let genesisPath = try required(arguments, "genesis")
        let tokenPath = try required(arguments, "admin-token-file")
        for path in [genesisPath, tokenPath] where SmallFile.exists(path) {
            throw NodeFailure("\(path) exists already; a cluster is made once")
        }
        let members = try Founding.members(try required(arguments, "members"))
        let entry = try Founding.writeCluster(members, genesis: genesisPath, token: tokenPath)
        let genesis = try Genesis(entry)
        StandardStream.output.write(
            "cluster \(genesis.clusterID) of \(members.count) members: \(genesisPath)\n"
                + "administrator's token: \(tokenPath)\n"
                + "next: init and run the nodes and a gateway; then the first administrator who logs "
                + "in is\n  daybook user create EMAIL --record employee "
                + "--role planox2/administrator \\\n    --password-file FILE "
                + "--token-file \(tokenPath)\n")
    }

    private static func initializeNode(_ arguments: Arguments) throws {
        let (entry, genesis) = try Founding.readGenesis(try required(arguments, "genesis"))
        guard let number = UInt32(try required(arguments, "node")), number > 0 else {
            throw NodeFailure("--node takes a number, from 1")
        }
        let isJoining = arguments.isSet("join")
        let directory = try required(arguments, "data")
        try NodeDirectory.found(
            directory, genesis: entry, node: NodeID(number),
            incarnation: Founding.makeIdentifier(), joining: isJoining)
        StandardStream.output.write(
            "node \(number) of cluster \(genesis.clusterID): \(directory)\n"
                + (isJoining
                    ? "next: daybook member add \(number) --address HOST:PORT, and\n"
                        + "      daybook node --data \(directory) --listen HOST:PORT\n" : ""))
    }

    // MARK: node

    private static func runNode(_ arguments: Arguments) throws {
        var configuration = NodeConfiguration(directory: try required(arguments, "data"))
        configuration.listen = arguments.value("listen")
        configuration.settings = try replicaSettings(arguments)
        configuration.security = try TLSFlags.security(arguments)
        _ = try Process.raiseDescriptorLimit()
        let signals = try Signals.Watch()
        try NodeServer.run(configuration) { try signals.stop($0) }
    }

    private static func replicaSettings(_ arguments: Arguments) throws -> ReplicaSettings {
        var settings = ReplicaSettings()
        let timeout = try milliseconds(arguments, "election-timeout-ms", default: 500)
        settings.consensus.electionTimeoutNanoseconds = timeout
        settings.consensus.heartbeatNanoseconds = timeout / 5
        settings.statusNanoseconds = min(timeout / 5, settings.statusNanoseconds)
        settings.compactionSchedule = try schedule(arguments)
        if let bytes = try arguments.number("segment-bytes", in: 65_536...1 << 30) {
            settings.segmentBytes = Int(bytes)
        }
        if let seconds = try arguments.number("scrub-period-s", in: 1...31_536_000) {
            settings.scrubPeriodNanoseconds = seconds * 1_000_000_000
        }
        if let rate = try arguments.number("fetch-mib-per-s", in: 1...10_000) {
            settings.fetchBytesPerSecond = rate * 1_024 * 1_024
        }
        return settings
    }

    /// When the leader compacts by itself.
    static func schedule(_ arguments: Arguments) throws(UsageError) -> CompactionSchedule? {
        let policy = arguments.value("compact-policy") ?? "latest"
        guard let order = CompactionOrder(policy, sealsFirst: false) else {
            throw UsageError(
                "--compact-policy is latest or newer-than:DAYS, not \"\(policy)\"")
        }
        guard let text = arguments.value("compact-every") else { return nil }
        let units: [Character: UInt64] = ["m": 60, "h": 3_600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = UInt64(text.dropLast()),
            (1...100_000).contains(count)
        else {
            throw UsageError(
                "--compact-every takes minutes, hours or days, as 30m, 24h or 7d, not \"\(text)\"")
        }
        return CompactionSchedule(periodMicroseconds: count * unit * 1_000_000, order: order)
    }

    private static func milliseconds(
        _ arguments: Arguments, _ flag: String, default standard: UInt64
    ) throws -> UInt64 {
        guard let text = arguments.value(flag) else { return standard * 1_000_000 }
        guard let value = UInt64(text), (10...600_000).contains(value) else {
            throw NodeFailure("--\(flag) takes milliseconds from 10 to 600000")
        }
        return value * 1_000_000
    }

    // MARK: gateway

    private static func runGateway(_ arguments: Arguments) throws {
        // In front of all else: the access log has a thread.
        let signals = try Signals.Watch()
        let (_, genesis) = try Founding.readGenesis(try required(arguments, "genesis"))
        let given = try arguments.value("nodes").map { try nodes($0, of: genesis) }
        var configuration = try gatewayConfiguration(
            arguments, clusterID: genesis.clusterID, members: given ?? genesis.members)
        configuration.addresses = given ?? []
        configuration.security = try TLSFlags.security(arguments)
        for member in given ?? genesis.members {
            try configuration.security.check(member.address)
        }
        _ = try Process.raiseDescriptorLimit()
        let server = try GatewayServer(configuration)
        try signals.stop(server.stopper)
        renew(try webFiles(arguments), signals, server.renewer)
        if let log = configuration.accessLog { signals.onHangUp { log.reopen() } }
        try server.run()
    }

    /// Reads the certificate of HTTPS anew at SIGHUP; one that cannot be read changes nothing.
    private static func renew(
        _ files: TLSFiles?, _ signals: Signals.Watch,
        _ renewer: @escaping @Sendable (TLSContext) -> Void
    ) {
        guard let files else { return }
        signals.onHangUp {
            do throws(TLSFailure) {
                renewer(try .web(files))
            } catch {
                StandardStream.error.write("daybook: keeps its certificate: \(error)\n")
            }
        }
    }

    private static func listenAddress(_ arguments: Arguments) -> String {
        arguments.value("listen") ?? "127.0.0.1:7400"
    }

    private static func webFiles(_ arguments: Arguments) throws -> TLSFiles? {
        try TLSFlags.webFiles(arguments, listen: listenAddress(arguments))
    }

    /// Reads `ID=HOST:PORT,…`, any members, or the addresses of all founders in the order of their ids.
    private static func nodes(_ text: String, of genesis: Genesis) throws -> [Member] {
        guard !text.contains("=") else { return try Founding.members(text) }
        let addresses = text.split(separator: ",").map(String.init)
        guard addresses.count == genesis.members.count else {
            throw NodeFailure(
                "--nodes names \(addresses.count) addresses for \(genesis.members.count) founders; "
                    + "write ID=HOST:PORT,… to name other members")
        }
        return zip(genesis.members, addresses).map { Member(id: $0.id, address: $1) }
    }

    private static func gatewayConfiguration(
        _ arguments: Arguments, clusterID: Identifier, members: [Member]
    ) throws -> GatewayConfiguration {
        var configuration = GatewayConfiguration(
            listen: listenAddress(arguments), clusterID: clusterID,
            members: members, version: Version.text)
        configuration.web = try webFiles(arguments).map { files throws(TLSFailure) in
            try .web(files)
        }
        configuration.settings.requestDeadlineNanoseconds = try milliseconds(
            arguments, "request-deadline-ms", default: 5_000)
        configuration.mail = try MailFlags.delivery(arguments)
        configuration.settings.clientRegistrationURL = arguments.value("client-registration-url")
        try AbuseFlags.read(arguments, into: &configuration)
        return configuration
    }

    // MARK: serve

    /// One process: a one-node cluster and its gateway, joined by a socket pair.
    private static func serve(_ arguments: Arguments) throws {
        let signals = try Signals.Watch()
        let directory = try required(arguments, "data")
        let genesisPath = directory + "/genesis"
        let tokenPath = directory + "/admin-token"
        try SmallFile.createDirectory(directory)
        if !SmallFile.exists(genesisPath) {
            let member = Member(id: NodeID(1), address: "127.0.0.1:7401")
            _ = try Founding.writeCluster([member], genesis: genesisPath, token: tokenPath)
        }
        let (entry, genesis) = try Founding.readGenesis(genesisPath)
        // A restored directory is the node's own.
        let isFlat = SmallFile.exists(directory + "/" + FileName.identity)
        let data = isFlat ? directory : directory + "/node"
        if !SmallFile.exists(data + "/identity") {
            try NodeDirectory.found(
                data, genesis: entry, node: NodeID(1), incarnation: Founding.makeIdentifier())
        }
        _ = try Process.raiseDescriptorLimit()
        let gatewayConfiguration = try gatewayConfiguration(
            arguments, clusterID: genesis.clusterID, members: genesis.members)
        var nodeConfiguration = NodeConfiguration(directory: data)
        nodeConfiguration.inProcess = true
        nodeConfiguration.settings = try replicaSettings(arguments)
        let files = try webFiles(arguments)
        try EmbeddedServer.run(nodeConfiguration, gatewayConfiguration) { port, stopper, renewer in
            try signals.stop(stopper)
            renew(files, signals, renewer)
            if let log = gatewayConfiguration.accessLog { signals.onHangUp { log.reopen() } }
            StandardStream.error.write(
                "daybook serves \(files == nil ? "http" : "https")://127.0.0.1:\(port); "
                    + "administrator's token: \(tokenPath)\n")
        }
    }
}
