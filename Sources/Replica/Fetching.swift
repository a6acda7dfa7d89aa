import Consensus
package import PeerWire
import Records
import SegmentLog

// Pieces of files between nodes: answering what peers ask, and asking them.

extension Replica {
    mutating func receiveFetch(
        _ kind: FrameKind, _ payload: Range<Int>, _ bytes: Span<UInt8>, from peer: NodeID,
        now: Instant, into outcome: inout ReplicaOutcome
    ) {
        do {
            if kind == .fetched {
                take(try Fetched(payload, bytes), from: peer, now: now, into: &outcome)
            } else {
                answer(try Fetch(payload, bytes), to: .peer(peer), into: &outcome)
            }
        } catch {
            outcome.events.append(.peerRefused(peer, "\(error)"))
        }
    }

    /// A question of a gateway, for somebody who makes a backup.
    package func fetch(
        _ fetch: Fetch, from client: ClientID, into outcome: inout ReplicaOutcome
    ) {
        answer(fetch, to: .client(client), into: &outcome)
    }

    private func answer(
        _ fetch: Fetch, to destination: Destination, into outcome: inout ReplicaOutcome
    ) {
        outcome.fetches.append(
            FetchJob(
                destination: destination, fetch: fetch, catalogue: catalogue,
                committed: consensus.commitIndex, term: consensus.durableTerm))
    }

    mutating func sendFetches(now: Instant, into outcome: inout ReplicaOutcome) {
        guard !fetcher.isIdle else { return }
        if fetcher.missesInstallation(transfers.map(\.name)) { abandonInstallation() }
        var sent: [(NodeID, Fetch)] = []
        fetcher.turn(now: now) { sent.append(($0, $1)) }
        for (peer, fetch) in sent {
            outcome.send(to: .peer(peer)) { bytes in
                Frame.append(.fetch, to: &bytes) { fetch.append(to: &$0) }
            }
        }
    }
}
