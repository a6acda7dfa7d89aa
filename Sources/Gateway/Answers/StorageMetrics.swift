import PeerWire
import Records

/// What the nodes say of their files, as metrics.
enum StorageMetrics {
    static func append(_ nodes: [ClusterClient.Node], to text: inout Exposition) {
        func metric(_ name: String, _ help: String, _ value: (StorageStatus) -> UInt64) {
            text.metric(name, "gauge", help)
            for node in nodes {
                text.sample(
                    "{node=\"\(node.id)\"}", node.status.map { value($0.storage) } ?? 0)
            }
        }
        metric("daybook_node_segments", "Files of the log.") { UInt64($0.segments) }
        metric("daybook_node_archived_index", "The last entry of the archive.") {
            $0.archivedThrough.value
        }
        metric("daybook_node_disk_free_bytes", "Bytes that may still be written.") { $0.disk.free }
        metric("daybook_node_disk_watermark_bytes", "Below it no events are taken.") {
            $0.disk.watermark
        }
        metric("daybook_node_disk_low", "1 while less is free than the watermark.") {
            $0.disk.isLow ? 1 : 0
        }
        metric("daybook_node_log_growth_bytes_per_day", "At the rate of the last hour.") {
            $0.bytesPerDay
        }
    }
}
