import Bytes
import HTTPWire
import JSON
import PeerWire
import Records

// Commands about the cluster itself. Only administrators come this far.

extension GatewayCore {
    mutating func admitTransfer(
        _ credential: Credential, _ body: Range<Int>, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        try set.read(bytes, body: body, query: nil)
        return .cluster(.transfer(to: try node(bytes)), author: credential.token.id)
    }

    /// The member that the parameter `node` names.
    private func node(_ bytes: Span<UInt8>) throws(Refusal) -> NodeID {
        let detail = "the number of a node, from 1"
        switch set[.node] {
        case .absent:
            throw Refusal.judging([ParameterFault("node", .missing, detail)])
        case .text: break
        case .value(let node):
            if let number = set.document.integer(node, from: bytes),
                let id = UInt32(exactly: number), id > 0
            {
                return NodeID(id)
            }
        }
        throw Refusal.judging([ParameterFault("node", .wrongType, detail)])
    }
}
