import Bytes
import Gateway
import PeerWire
import Records

/// One connection between a gateway and a node: in order and without loss until it breaks.
struct GatewayLink: Equatable {
    let gateway: Int
    let node: Int
    /// Never used twice.
    let number: UInt64
}

/// A gateway: the product's own client of the cluster, with links that break.
final class SimulatedGateway {
    enum LinkState {
        case closed
        case opening
        case open(GatewayLink)
    }

    let place: Int
    var client: ClusterClient
    /// By node.
    var links: [LinkState]
    var lastArrival: [(toNode: Instant, toGateway: Instant)]
    var nextTurn: Instant?
    /// How often it was started; what an earlier one was asked is never answered.
    var life = 1
    /// Operations that wait, by place in the history.
    var waiting: [Int] = []

    init(place: Int, nodes: [NodeID], deadline: UInt64) {
        self.place = place
        client = ClusterClient(nodes: nodes, deadlineNanoseconds: deadline)
        links = nodes.map { _ in .closed }
        lastArrival = nodes.map { _ in (.zero, .zero) }
    }

    func isOpen(_ link: GatewayLink) -> Bool {
        if case .open(let open) = links[link.node] { open == link } else { false }
    }

    /// Takes a frame of a node's. Throws on what no node sends.
    func take(_ bytes: [UInt8], from node: NodeID) throws {
        var frames = FrameBuffer()
        frames.payloadLimit = Frame.payloadBytes
        frames.bytes = bytes
        let span = bytes.span
        while let (kind, payload) = try frames.next() {
            switch kind {
            case .status: client.heard(try NodeStatus(payload, span))
            case .receipts: try client.receipts(payload, span, from: node)
            case .rows: try client.rows(payload, span, from: node)
            case .commandAnswer: try client.commandAnswer(payload, span, from: node)
            case .clusterAnswer: try client.clusterAnswer(payload, span, from: node)
            case .directory, .directoryChange: break
            default: throw FrameDefect.kind(kind.rawValue)
            }
        }
    }
}
