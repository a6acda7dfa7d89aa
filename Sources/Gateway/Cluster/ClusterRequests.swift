package import Bytes
package import PeerWire
package import Records

// Commands about the cluster: sent to whoever leads until one says that it is so, or why not.

extension ClusterClient {
    struct PendingRequest {
        let exchange: ExchangeID
        let command: ClusterCommand
        let deadline: Instant
        var node: NodeID?
        /// Somebody may have begun it: then what holds now may have come of it.
        var mayBeBegun = false
    }

    package mutating func request(
        _ action: ClusterCommand.Action, author: TokenID, exchange: ExchangeID, now: Instant
    ) {
        requests.append(
            PendingRequest(
                exchange: exchange,
                command: ClusterCommand(id: takeID(), author: author, action: action),
                deadline: now.advanced(byNanoseconds: deadlineNanoseconds)))
    }

    /// The answer to a command about the cluster.
    package mutating func clusterAnswer(
        _ payload: Range<Int>, _ bytes: Span<UInt8>, from node: NodeID
    ) throws(ByteDefect) {
        let reply = try ClusterReply(payload, bytes)
        guard let place = requests.firstIndex(where: { $0.command.id == reply.id }) else { return }
        switch reply.outcome {
        case .none, .unknown:
            guard requests[place].node == node else { return }
            if reply.outcome == .unknown { requests[place].mayBeBegun = true }
            requests[place].node = nil
            update(node) { $0.isRefusing = true }
        case .leads, .estimate, .holds, .sealed, .members, .refused:
            let request = requests.remove(at: place)
            deliveries.append(
                .cluster(request.exchange, reply.outcome, wasSo: !request.mayBeBegun))
        }
    }

    /// What was sent to `node` and not answered is sent again, to whoever leads then.
    mutating func recallRequests(from node: NodeID) {
        for place in requests.indices where requests[place].node == node {
            requests[place].node = nil
            requests[place].mayBeBegun = true
        }
    }

    mutating func sendRequests(to leader: NodeID) {
        for place in requests.indices where requests[place].node == nil {
            requests[place].node = leader
            let command = requests[place].command
            send(.clusterCommand, to: leader) { command.append(to: &$0) }
        }
    }

    mutating func giveUpRequests(now: Instant) {
        for request in requests where request.deadline <= now {
            let isUnknown = request.mayBeBegun || request.node != nil
            deliveries.append(
                .cluster(request.exchange, isUnknown ? .unknown : .none, wasSo: false))
        }
        requests.removeAll { $0.deadline <= now }
    }
}
