import Consensus
import Ledger
package import PeerWire
package import Records
import SegmentLog

// What gateways are told: the node's status and the directory.

extension Replica {
    /// A gateway or tool has connected: it hears the directory and the status at once.
    package mutating func clientConnected(
        _ client: ClientID, now: Instant, into outcome: inout ReplicaOutcome
    ) {
        clients.append(client)
        sendDirectory(to: client, into: &outcome)
        send(status(now: now), to: client, into: &outcome)
    }

    /// The connection is gone; nothing more is sent to it.
    package mutating func clientGone(_ client: ClientID) {
        clients.removeAll { $0 == client }
        queries.removeAll { $0.client == client }
        parkedPages.removeAll { $0.client == client }
        refusals.forget(client)
    }

    /// Tells clients of each change of the directory, in front of the answer to who asked for it;
    /// all of it where the state was taken over from a peer.
    mutating func reportDirectory(into outcome: inout ReplicaOutcome) {
        let changes = ledger.takeChanges()
        let version = ledger.directory.version
        guard version != sentDirectoryVersion else { return }
        let follows = changes.first?.version == sentDirectoryVersion + 1
        sentDirectoryVersion = version
        for client in clients {
            guard follows else {
                sendDirectory(to: client, into: &outcome)
                continue
            }
            outcome.send(to: .client(client)) { bytes in
                for change in changes {
                    Frame.append(.directoryChange, to: &bytes) { change.append(to: &$0) }
                }
            }
        }
    }

    /// Tells clients of the status when it is due.
    mutating func reportStatus(now: Instant, into outcome: inout ReplicaOutcome) {
        guard now >= statusDeadline else { return }
        statusDeadline = now.advanced(byNanoseconds: settings.statusNanoseconds)
        guard !clients.isEmpty else { return }
        let status = status(now: now)
        for client in clients { send(status, to: client, into: &outcome) }
    }

    /// What this node says of itself.
    package func status(now: Instant) -> NodeStatus {
        var status = NodeStatus(node: identity.nodeID)
        switch consensus.role {
        case .leader: status.role = .leader
        case .candidate, .preCandidate: status.role = .candidate
        case .follower:
            let isVoter = consensus.configuration.hasVoter(identity.nodeID)
            status.role = isVoter ? .follower : .learner
        }
        status.term = consensus.term
        status.leader = consensus.leader
        status.serves = serves
        status.commit = consensus.commitIndex
        status.applied = ledger.applied
        status.lastIndex = consensus.lastPosition.index
        status.nextSequence = ledger.nextSequence
        status.heardMilliseconds = heardMilliseconds(now: now)
        status.logBytes = UInt64(catalogue.byteCount)
        status.storage.disk = disks.own
        status.storage.bytesPerDay = disks.bytesPerDay(status.logBytes, now: now)
        status.storage.segments = UInt32(catalogue.segmentCount)
        status.storage.archivedThrough = catalogue.archive.lastIndex
        status.storage.care = care
        status.storage.takeover = installation?.progress
        status.storage.compaction = compactionStatus
        status.membersIndex = ledger.membership.index
        status.members = memberStatuses(now: now)
        return status
    }

    private var care: ArchiveCare {
        var care = ArchiveCare()
        care.scrubbedBytes = scrub.bytes
        care.scrubPasses = scrub.passes
        care.lastScrub = scrub.lastPass
        care.repairedChunks = repairs.chunks
        care.repairedEntries = settings.repairedEntries
        care.damaged = repairs.segments.map {
            $0.transfer.segment.firstIndex...$0.transfer.segment.lastIndex
        }
        return care
    }

    private func sendDirectory(to client: ClientID, into outcome: inout ReplicaOutcome) {
        outcome.send(to: .client(client)) { bytes in
            Frame.append(.directory, to: &bytes) { ledger.directory.append(to: &$0) }
        }
    }

    func send(
        _ status: NodeStatus, to client: ClientID, into outcome: inout ReplicaOutcome
    ) {
        outcome.send(to: .client(client)) { bytes in
            Frame.append(.status, to: &bytes) { status.append(to: &$0) }
        }
    }
}
