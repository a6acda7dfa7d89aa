package import Linux
import PeerWire
package import Records

/// How connections inside a cluster are protected.
package enum PeerSecurity: Sendable {
    /// Plain bytes, on one machine alone.
    case plain
    /// Plain bytes wherever the other end is, because the operator says so.
    case plainBetweenHosts
    /// Both ends present a certificate of the cluster's authority; its common name says who they are.
    case mutual(TLSContext)

    /// The common name in the certificate of a node.
    package static func name(of node: NodeID) -> String { "daybook node \(node)" }
    /// What the common name in the certificate of a gateway begins with.
    package static let gatewayPrefix = "daybook gateway "

    /// Refuses an address of this or another process that only TLS should be spoken with.
    package func check(_ address: String) throws(NodeFailure) {
        guard case .plain = self, !SocketAddress.isLoopback(address) else { return }
        throw NodeFailure(
            "\(address) is not this machine alone, and there is no certificate: anybody in between "
                + "could read and forge events. Make certificates with `daybook tls make-ca` and "
                + "`daybook tls issue`, and give --peer-certificate, --peer-key and --peer-ca; or "
                + "say --insecure-plain-tcp")
    }

    /// The end that accepted.
    func accepting(_ socket: consuming StreamSocket) throws(TLSFailure) -> StreamSocket {
        switch self {
        case .plain, .plainBetweenHosts: socket
        case .mutual(let context): try socket.accepting(by: context)
        }
    }

    /// The end that connects.
    func connecting(_ socket: consuming StreamSocket) throws(TLSFailure) -> StreamSocket {
        switch self {
        case .plain, .plainBetweenHosts: socket
        case .mutual(let context): try socket.connecting(by: context)
        }
    }

    /// Why the holder of the certificate at the other end is not who `hello` says; nil when it is.
    func objection(_ socket: borrowing StreamSocket, to hello: Handshake) -> String? {
        guard case .mutual = self else { return nil }
        guard let name = socket.certifiedName else { return "it shows no certificate" }
        let isRight =
            switch hello.role {
            case .node: hello.node.map { name == Self.name(of: $0) } ?? false
            case .gateway: name.hasPrefix(Self.gatewayPrefix)
            }
        return isRight ? nil : "its certificate is that of \"\(name)\""
    }
}
