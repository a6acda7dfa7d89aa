import Linux
import Server

/// How a gateway is told to hand mail over.
enum MailFlags {
    static let all: [Flag] = [
        .value(
            "mandrill-key-file", "FILE",
            "hand mail over with the Mandrill key in FILE's first line; without it others do"),
        .value(
            "mandrill-endpoint", "URL",
            "where; \(MailEndpoint.standard) by default"),
        .value(
            "mandrill-ca", "FILE", "the authority that certifies it; the system's by default"),
        .toggle(
            "insecure-plain-mail",
            "hand mail over to other hosts without TLS, for all to read: key, addresses, texts"),
    ]

    /// Bytes of a file with a key.
    private static let keyFileBytes = 1_024

    static func delivery(_ arguments: Arguments) throws -> MailDelivery? {
        guard let path = arguments.value("mandrill-key-file") else {
            for flag in ["mandrill-endpoint", "mandrill-ca"] where arguments.value(flag) != nil {
                throw UsageError("--\(flag) is of no use without --mandrill-key-file")
            }
            return nil
        }
        let endpoint: MailEndpoint
        do throws(MailEndpoint.Defect) {
            endpoint = try MailEndpoint(
                arguments.value("mandrill-endpoint") ?? MailEndpoint.standard)
        } catch {
            throw UsageError("--mandrill-endpoint: \(error)")
        }
        let authority = arguments.value("mandrill-ca")
        if !endpoint.isSecure {
            guard authority == nil else {
                throw UsageError("--mandrill-ca is of no use to an endpoint without TLS")
            }
            guard
                SocketAddress.isLoopback(endpoint.authority)
                    || arguments.isSet("insecure-plain-mail")
            else {
                throw UsageError(
                    "\(endpoint) is another host, to which the key and all mail would go in the "
                        + "clear: write https://, or say --insecure-plain-mail")
            }
        }
        let security = endpoint.isSecure ? try TLSContext.client(authority: authority) : nil
        return MailDelivery(endpoint: endpoint, key: try key(path), security: security)
    }

    private static func key(_ path: String) throws -> [UInt8] {
        let line = try SmallFile.read(path, limit: keyFileBytes).prefix { $0 > 0x20 }
        guard !line.isEmpty, line.allSatisfy({ $0 < 0x7F }) else {
            throw UsageError("\(path) holds no Mandrill key in its first line")
        }
        return Array(line)
    }
}
