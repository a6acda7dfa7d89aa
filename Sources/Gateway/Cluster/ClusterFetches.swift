package import Bytes
package import PeerWire
package import Records

// Pieces of a node's files, for somebody who makes a backup. Each is asked of the node that was named
// and of no other; who asked verifies what comes.

struct PendingFetch {
    let exchange: ExchangeID
    let id: UInt64
    let node: NodeID
    let deadline: Instant
}

extension ClusterClient {
    package mutating func fetch(
        _ item: FetchItem, from node: NodeID, exchange: ExchangeID, now: Instant
    ) {
        guard nodes.contains(where: { $0.id == node && $0.isOpen }) else {
            deliveries.append(.fetched(exchange, nil))
            return
        }
        let fetch = Fetch(id: takeID(), item: item)
        fetches.append(
            PendingFetch(
                exchange: exchange, id: fetch.id, node: node,
                deadline: now.advanced(byNanoseconds: deadlineNanoseconds)))
        send(.fetch, to: node) { fetch.append(to: &$0) }
    }

    package mutating func fetched(
        _ payload: Range<Int>, _ bytes: Span<UInt8>, from node: NodeID
    ) throws(ByteDefect) {
        let answer = try Fetched(payload, bytes)
        guard
            let place = fetches.firstIndex(where: { $0.id == answer.id && $0.node == node })
        else { return }
        deliveries.append(.fetched(fetches.remove(at: place).exchange, answer))
    }

    mutating func failFetches(from node: NodeID) {
        failFetches { $0.node == node }
    }

    mutating func giveUpFetches(now: Instant) {
        failFetches { $0.deadline <= now }
    }

    private mutating func failFetches(where isOver: (PendingFetch) -> Bool) {
        for fetch in fetches where isOver(fetch) {
            deliveries.append(.fetched(fetch.exchange, nil))
        }
        fetches.removeAll(where: isOver)
    }
}
