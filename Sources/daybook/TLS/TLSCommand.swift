import Crypto
import Linux
import Records
import Server

/// `daybook tls`: certificates for one cluster, from an authority of its own.
enum TLSCommand {
    static let limit = 64 * 1_024
    static let standardDays: UInt64 = 825

    static func makeAuthority(_ arguments: Arguments) throws -> ExitCode {
        let directory = arguments.value("dir") ?? "."
        let files = paths(directory, "ca")
        try refuseExisting(files)
        try SmallFile.createDirectory(directory)
        let name = arguments.value("name") ?? "daybook cluster"
        try write(try CertificateAuthority.make(name: name), files)
        StandardStream.output.write(
            """
            authority: \(files.certificate), valid for ten years; every node and gateway needs it
            its key:   \(files.key); keep it away from all hosts, it makes members

            """)
        return .done
    }

    static func issue(_ arguments: Arguments) throws -> ExitCode {
        let directory = arguments.value("dir") ?? "."
        let (file, name) = try holder(arguments)
        let files = paths(directory, file)
        try refuseExisting(files)
        let authority = paths(directory, "ca")
        let days = try arguments.number("days", in: 1...3_650) ?? standardDays
        let made = try CertificateAuthority.issue(
            by: CertifiedKey(
                certificate: try SmallFile.read(authority.certificate, limit: limit),
                key: try SmallFile.read(authority.key, limit: limit)),
            name: name, hosts: arguments.all("host"), seconds: Int(days) * 86_400)
        try write(made, files)
        StandardStream.output.write(
            "\(name): \(files.certificate) and \(files.key), valid for \(days) days\n")
        return .done
    }

    /// The name of the files, and that in the certificate.
    private static func holder(_ arguments: Arguments) throws -> (file: String, name: String) {
        let node = try arguments.number("node", in: 1...UInt64(UInt32.max))
        switch (node, arguments.value("gateway"), arguments.isSet("web")) {
        case (let node?, nil, false):
            return ("node-\(node)", PeerSecurity.name(of: NodeID(UInt32(node))))
        case (nil, let name?, false):
            guard !name.isEmpty, name.utf8.allSatisfy(isPlain) else {
                throw UsageError("--gateway takes a name of letters, digits and dashes")
            }
            return ("gateway-\(name)", PeerSecurity.gatewayPrefix + name)
        case (nil, nil, true):
            guard let first = arguments.all("host").first else {
                throw UsageError("--web needs --host NAME: whom clients ask for")
            }
            return ("web-\(first)", first)
        default: throw UsageError("say one of --node ID, --gateway NAME and --web")
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func paths(
        _ directory: String, _ name: String
    ) -> (certificate: String, key: String) {
        ("\(directory)/\(name).pem", "\(directory)/\(name).key")
    }

    private static func refuseExisting(_ files: (certificate: String, key: String)) throws {
        for path in [files.certificate, files.key] where SmallFile.exists(path) {
            throw UsageError("\(path) exists already; remove it to make another")
        }
    }

    /// The key first: a certificate without it is of no use.
    private static func write(
        _ made: CertifiedKey, _ files: (certificate: String, key: String)
    ) throws {
        try SmallFile.writeDurably(files.key, made.key, mode: 0o600)
        try SmallFile.writeDurably(files.certificate, made.certificate, mode: 0o644)
    }
}

extension CommandTable {
    static let tlsCommands: [Command] = [
        Command(
            words: ["tls", "make-ca"], summary: "make the authority that a cluster's members trust",
            details: "Writes DIR/ca.pem and DIR/ca.key.",
            flags: [directory, .value("name", "TEXT", "its name; \"daybook cluster\" by default")],
            examples: [
                "daybook tls make-ca --dir tls", "daybook tls make-ca --dir tls --name 'orders EU'",
            ], run: TLSCommand.makeAuthority),
        Command(
            words: ["tls", "issue"],
            summary: "make the certificate of a node, a gateway or a website",
            details:
                "Signed by DIR/ca.key. Nodes and gateways are known by the name in it, wherever they "
                + "run;\n--web is for HTTPS clients, who ask for a host by name.",
            flags: [
                directory, .value("node", "ID", "for this node: DIR/node-ID.pem and .key"),
                .value("gateway", "NAME", "for a gateway's links: DIR/gateway-NAME.pem and .key"),
                .toggle("web", "for HTTPS: DIR/web-HOST.pem and .key"),
                .repeated("host", "NAME", "a DNS name or address that it is for; may be repeated"),
                .value("days", "N", "how long it is valid; \(TLSCommand.standardDays) by default"),
            ],
            examples: [
                "daybook tls issue --dir tls --node 1",
                "daybook tls issue --dir tls --gateway front",
                "daybook tls issue --dir tls --web --host audit.example.com --host 10.0.0.5",
            ], run: TLSCommand.issue),
    ]

    private static let directory = Flag.value("dir", "DIR", "where the files are; . by default")
}
