import Linux
import Server

/// How the servers are told of certificates, and what is refused without any.
enum TLSFlags {
    static let peers: [Flag] = [
        .value("peer-certificate", "FILE", "this process's certificate inside the cluster"),
        .value("peer-key", "FILE", "its key"),
        .value("peer-ca", "FILE", "the cluster's authority; others' certificates are refused"),
        .toggle(
            "insecure-plain-tcp",
            "let nodes and gateways on different hosts speak without TLS, for all to read and forge"
        ),
    ]
    static let web: [Flag] = [
        .value(
            "tls-certificate", "FILE", "serve HTTPS with this certificate; SIGHUP reads it anew"),
        .value("tls-key", "FILE", "its key"),
        .toggle(
            "insecure-plain-http",
            "serve other hosts without TLS, for all to read: tokens, passwords, events"),
    ]

    /// How connections inside the cluster are protected.
    static func security(_ arguments: Arguments) throws -> PeerSecurity {
        let names = ["peer-certificate", "peer-key", "peer-ca"]
        let files = names.map(arguments.value)
        guard files.contains(where: { $0 != nil }) else {
            return arguments.isSet("insecure-plain-tcp") ? .plainBetweenHosts : .plain
        }
        guard let certificate = files[0], let key = files[1], let authority = files[2] else {
            throw UsageError("--peer-certificate, --peer-key and --peer-ca belong together")
        }
        guard !arguments.isSet("insecure-plain-tcp") else {
            throw UsageError("--insecure-plain-tcp contradicts --peer-certificate")
        }
        return .mutual(
            try .mutual(TLSFiles(certificate: certificate, key: key, authority: authority)))
    }

    /// The files of HTTPS; nil for plain HTTP, which other hosts are served only when it is asked for.
    static func webFiles(_ arguments: Arguments, listen: String) throws -> TLSFiles? {
        switch (arguments.value("tls-certificate"), arguments.value("tls-key")) {
        case (let certificate?, let key?): return TLSFiles(certificate: certificate, key: key)
        case (nil, nil):
            guard SocketAddress.isLoopback(listen) || arguments.isSet("insecure-plain-http") else {
                throw UsageError(
                    "\(listen) can be reached by other hosts, which would send tokens in the clear. "
                        + "Give --tls-certificate and --tls-key (`daybook tls issue` makes them), or "
                        + "listen on 127.0.0.1 behind a TLS proxy, or say --insecure-plain-http")
            }
            return nil
        default: throw UsageError("--tls-certificate and --tls-key belong together")
        }
    }
}
