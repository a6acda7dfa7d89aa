import PeerWire
import Records

/// What the nodes say of their files, as metrics.
enum StorageMetrics {
    static func append(_ nodes: [ClusterClient.Node], to text: inout Exposition) {
        func metric(
            _ name: String, _ help: String, _ type: String,
            _ value: (StorageStatus) -> UInt64
        ) {
            text.metric(name, type, help)
            for node in nodes {
                text.sample(
                    "{node=\"\(node.id)\"}", node.status.map { value($0.storage) } ?? 0)
            }
        }
        appendFiles(metric)
        appendCare(metric)
        appendCompaction(metric)
    }

    private typealias Metric = (String, String, String, (StorageStatus) -> UInt64) -> Void

    private static func appendFiles(_ metric: Metric) {
        metric("daybook_node_segments", "Files of the log.", "gauge") { UInt64($0.segments) }
        metric("daybook_node_archived_index", "The last entry of the archive.", "gauge") {
            $0.archivedThrough.value
        }
        metric("daybook_node_disk_free_bytes", "Bytes that may still be written.", "gauge") {
            $0.disk.free
        }
        metric("daybook_node_disk_watermark_bytes", "Below it no events are taken.", "gauge") {
            $0.disk.watermark
        }
        metric("daybook_node_disk_low", "1 while less is free than the watermark.", "gauge") {
            $0.disk.isLow ? 1 : 0
        }
        metric("daybook_node_log_growth_bytes_per_day", "At the rate of the last hour.", "gauge") {
            $0.bytesPerDay
        }
    }

    private static func appendCare(_ metric: Metric) {
        metric(
            "daybook_scrub_bytes_total", "Bytes of the archive that were read and verified.",
            "counter"
        ) { $0.care.scrubbedBytes }
        metric(
            "daybook_scrub_passes_total", "How often all of the archive was.", "counter"
        ) { $0.care.scrubPasses }
        metric("daybook_scrub_last_pass_seconds", "When it was last; 0 for not yet.", "gauge") {
            UInt64(max(0, $0.care.lastScrub?.microseconds ?? 0)) / 1_000_000
        }
        metric(
            "daybook_repair_chunks_total", "Chunks of 64 KiB that came from peers.",
            "counter"
        ) { $0.care.repairedChunks }
        metric(
            "daybook_repair_entries_total", "Entries of the log's end that came from peers.",
            "counter"
        ) { $0.care.repairedEntries }
        metric("daybook_damaged_segments", "Archived segments that are being repaired.", "gauge") {
            UInt64($0.care.damaged.count)
        }
    }

    private static func appendCompaction(_ metric: Metric) {
        metric(
            "daybook_node_compacted_index", "The newest compaction that its files show.", "gauge"
        ) {
            $0.compaction.swappedThrough.value
        }
        metric(
            "daybook_node_compaction_failed", "1 while it takes no part in a compaction.", "gauge"
        ) {
            $0.compaction.stage == .failed || $0.compaction.stage == .withheld ? 1 : 0
        }
        metric(
            "daybook_node_compaction_abandoned", "1 while the last run had no majority.", "gauge"
        ) {
            $0.compaction.run?.outcome == .noMajority ? 1 : 0
        }
        metric("daybook_node_compaction_settled", "1 when no replaced file is left.", "gauge") {
            $0.compaction.isSettled ? 1 : 0
        }
        metric("daybook_node_erasures_pending", "Erased unique_ids that are in files yet.", "gauge")
        {
            UInt64($0.compaction.pendingErasures)
        }
        metric("daybook_node_holds", "Legal holds.", "gauge") { UInt64($0.compaction.holds) }
        metric(
            "daybook_node_events_compacted_total", "Events that it took away.", "counter"
        ) { $0.compaction.total.compacted + $0.compaction.total.erased }
        metric(
            "daybook_node_compaction_read_bytes_total", "Bytes of segments that it replaced.",
            "counter"
        ) { $0.compaction.total.bytesBefore }
        metric(
            "daybook_node_compaction_written_bytes_total", "Bytes of those in their place.",
            "counter"
        ) { $0.compaction.total.bytesAfter }
    }
}
