import JSON
package import Ledger
import PeerWire
package import Records

/// What `GET /v1/cluster` and `daybook status` tell.
package enum ClusterStatus {
    /// Appends the state of the cluster as the gateway has heard it.
    package static func append(
        _ nodes: [ClusterClient.Node], addresses: [NodeID: String], clusterID: Identifier,
        version: String, mail: MailBook? = nil, to output: inout [UInt8]
    ) {
        let statuses = nodes.compactMap(\.status)
        let leader = statuses.filter { $0.role == .leader }.max { $0.term < $1.term }
        var object = JSONObjectWriter(to: &output)
        object.member("cluster_id", clusterID.description, to: &output)
        object.member("version", version, to: &output)
        object.name("leader", to: &output)
        if let leader {
            JSONWriter.append(UInt64(leader.node.value), to: &output)
        } else {
            JSONWriter.appendNull(to: &output)
        }
        let term = statuses.map(\.term).max() ?? .zero
        object.member("term", term.value, to: &output)
        object.member("serves", leader?.serves ?? false, to: &output)
        let newest = statuses.max { $0.commit < $1.commit }
        object.member("commit", newest?.commit.value ?? 0, to: &output)
        object.member("next_sequence", newest?.nextSequence.value ?? 0, to: &output)
        if let newest = leader ?? newest {
            object.name("compaction", to: &output)
            CompactionAnswer.append(newest.storage.compaction, to: &output)
        }
        if let mail {
            object.name("mail", to: &output)
            MailRow.append(mail, to: &output)
        }
        object.name("nodes", to: &output)
        var array = JSONArrayWriter(to: &output)
        for node in nodes {
            array.element(to: &output)
            append(node, leader, addresses[node.id] ?? "", to: &output)
        }
        array.close(to: &output)
        object.close(to: &output)
    }

    private static func append(
        _ node: ClusterClient.Node, _ leader: NodeStatus?, _ address: String,
        to output: inout [UInt8]
    ) {
        let status = node.status
        let member = leader?.members.first { $0.id == node.id }
        var object = JSONObjectWriter(to: &output)
        object.member("id", UInt64(node.id.value), to: &output)
        object.member("address", address, to: &output)
        object.member("reachable", node.isOpen && status != nil, to: &output)
        object.member("role", status?.role.slug ?? "down", to: &output)
        object.member("term", status?.term.value ?? 0, to: &output)
        object.member("commit", status?.commit.value ?? 0, to: &output)
        object.member("applied", status?.applied.value ?? 0, to: &output)
        object.member("last_index", status?.lastIndex.value ?? 0, to: &output)
        object.member("next_sequence", status?.nextSequence.value ?? 0, to: &output)
        object.member("log_bytes", status?.logBytes ?? 0, to: &output)
        append(status?.storage ?? StorageStatus(), &object, to: &output)
        if let leader, let member {
            MemberAnswer.append(member, &object, to: &output)
            let durable = member.durable
            let lag = leader.lastIndex.value - min(durable.value, leader.lastIndex.value)
            object.member("lag_entries", lag, to: &output)
        }
        object.close(to: &output)
    }

    private static func append(
        _ storage: StorageStatus, _ object: inout JSONObjectWriter, to output: inout [UInt8]
    ) {
        object.member("segments", UInt64(storage.segments), to: &output)
        object.member("archived_through", storage.archivedThrough.value, to: &output)
        object.member("disk_free_bytes", storage.disk.free, to: &output)
        object.member("disk_total_bytes", storage.disk.total, to: &output)
        object.member("disk_watermark_bytes", storage.disk.watermark, to: &output)
        object.member("disk_low", storage.disk.isLow, to: &output)
        object.member("bytes_per_day", storage.bytesPerDay, to: &output)
        object.member("scrub_passes", storage.care.scrubPasses, to: &output)
        object.member("repaired_chunks", storage.care.repairedChunks, to: &output)
        object.member("repaired_entries", storage.care.repairedEntries, to: &output)
        let damaged = storage.care.damaged.map { "\($0.lowerBound)-\($0.upperBound)" }
        object.member("damaged_entries", damaged.joined(separator: " "), to: &output)
        if let takeover = storage.takeover {
            object.name("takeover", to: &output)
            var part = JSONObjectWriter(to: &output)
            part.member("fetched_bytes", takeover.fetchedBytes, to: &output)
            part.member("total_bytes", takeover.totalBytes, to: &output)
            part.close(to: &output)
        }
        object.name("compaction", to: &output)
        CompactionAnswer.appendPart(storage.compaction, to: &output)
        if let days = storage.daysLeft { object.member("days_left", days, to: &output) }
    }
}
