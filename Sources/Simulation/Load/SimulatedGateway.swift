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

    /// The leader's term and the entry that set the members, of those that it follows.
    private var membersAsOf = (term: Term.zero, entry: LogIndex.zero)

    init(place: Int, nodeCount: Int, members: [NodeID], deadline: UInt64) {
        self.place = place
        client = ClusterClient(nodes: members, deadlineNanoseconds: deadline)
        links = (0..<nodeCount).map { _ in .closed }
        lastArrival = links.map { _ in (.zero, .zero) }
    }

    /// Another process of it, that is told `members`.
    func restart(members: [NodeID], deadline: UInt64) {
        life += 1
        client = ClusterClient(nodes: members, deadlineNanoseconds: deadline)
        membersAsOf = (.zero, .zero)
        nextTurn = nil
    }

    /// Follows the members that a leader names, as the product's gateway does. Links to all nodes are
    /// kept open here; those to other nodes say nothing.
    private func follow(_ status: NodeStatus) {
        let asOf = (term: status.term, entry: status.membersIndex)
        guard status.serves, asOf > membersAsOf else { return }
        let isNew = asOf.entry != membersAsOf.entry
        membersAsOf = asOf
        guard isNew else { return }
        let known = client.nodes.map(\.id)
        client.follow(status.members.map(\.id))
        for id in client.nodes.map(\.id) where !known.contains(id) {
            let place = Int(id.value) - 1
            if links.indices.contains(place), case .open = links[place] { client.opened(id) }
        }
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
            case .status:
                let status = try NodeStatus(payload, span)
                client.heard(status)
                follow(status)
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
