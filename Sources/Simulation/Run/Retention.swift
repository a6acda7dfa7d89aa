import Bytes
import Ledger
import PeerWire
import Records
import Replica
import SegmentLog

// What an operator asks for while everything else goes on: compactions, legal holds, erasures.

extension Simulation {
    func drawRetention() -> History.Request {
        let change: DirectoryCommand.Change
        switch workload.random.below(100) {
        case 0..<45: change = .compact(drawOrder())
        case 45..<60:
            let id = workload.uniqueID()
            workload.held.append(id)
            change = .addHold(NamedID(uniqueID: id), reason: "simulated")
        case 60..<72:
            let known = workload.held.isEmpty ? workload.uniqueID() : workload.takeHeld()
            change = .removeHold(NamedID(uniqueID: known))
        default:
            change = .erase(uniqueID: workload.idToErase(), reason: "simulated")
        }
        return .command(
            DirectoryCommand(
                request: workload.request(), author: administrator, change: change))
    }

    private func drawOrder() -> CompactionOrder {
        let sealsFirst = workload.random.chance(70)
        guard workload.random.chance(25) else {
            return CompactionOrder(policy: .latest, sealsFirst: sealsFirst)
        }
        return CompactionOrder(
            policy: .newerThan, keptMicroseconds: workload.random.below(6_000_000),
            sealsFirst: sealsFirst)
    }

    // MARK: The end

    /// How long compactions and erasures may take once all nodes are healed.
    var retentionPatience: UInt64 { 20_000_000_000 + options.compactionPatience * 4 }

    /// Nothing is under way, on no node, and every archive is where the log says.
    var isRetentionSettled: Bool {
        nodes.filter(isExpected).allSatisfy { node in
            guard let process = node.process else { return false }
            let replica = process.replica
            let retention = replica.ledger.retention
            let archive = replica.catalogue.archive
            return retention.run == nil && retention.open == nil && retention.pending.isEmpty
                && process.maintenance.isEmpty && archive.lastIndex == retention.lastSeal
                && archive.compactedThrough == retention.compactedThrough
                && replica.status(now: now).storage.compaction.isSettled
        }
    }

    /// What is not settled yet, for messages.
    var unsettled: String {
        nodes.map { node in
            guard let replica = node.replica else { return "node \(node.id) down" }
            let retention = replica.ledger.retention
            let archive = replica.catalogue.archive
            return "node \(node.id): run \(retention.run.map { "\($0.index)" } ?? "-"), open "
                + "\(retention.open.map { "\($0.index) \($0.isDone)" } ?? "-"), erasing "
                + "\(retention.pending.count), done \(retention.compactedThrough), swapped "
                + "\(archive.compactedThrough), archived \(archive.lastIndex), sealed "
                + "\(retention.lastSeal), \(replica.status(now: now).storage.compaction.stage), "
                + "\(node.process?.maintenance.count ?? 0) tasks"
        }.joined(separator: "; ")
    }

    /// No file of any node holds an erased unique_id.
    func checkSecrets(_ log: LogAudit) throws(Violation) {
        guard !log.retention.erased.isEmpty else { return }
        for node in nodes where isExpected(node) {
            for name in node.disk.names {
                if FetchedFiles.isName(name), node.replica?.mayHoldFetched ?? true { continue }
                guard let bytes = node.disk.contents(of: name) else { continue }
                let found = SecretCheck.check(
                    bytes, prefix: Workload.idPrefix, end: Workload.idEnd, limit: 40
                ) { log.retention.erased[Array($0)] != nil }
                guard let found else { continue }
                throw Violation(
                    "\(name) of node \(node.id) holds an erased unique_id at offset \(found)")
            }
        }
    }
}
