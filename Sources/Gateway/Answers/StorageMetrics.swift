import PeerWire
import Records

/// What the nodes say of their files, as metrics.
enum StorageMetrics {
    static func append(_ nodes: [ClusterClient.Node], to exposition: inout Exposition) {
        var text = NodeText(nodes: nodes, exposition: exposition)
        appendFiles(to: &text)
        appendCare(to: &text)
        appendTakeover(to: &text)
        appendCompaction(to: &text)
        exposition = text.exposition
    }

    private static func appendFiles(to text: inout NodeText) {
        text.metric("daybook_node_segments", "Files of the log.") { UInt64($0.segments) }
        text.metric("daybook_node_archived_index", "The last entry of the archive.") {
            $0.archivedThrough.value
        }
        text.metric("daybook_node_disk_free_bytes", "Bytes that may still be written.") {
            $0.disk.free
        }
        text.metric("daybook_node_disk_watermark_bytes", "Below it no events are taken.") {
            $0.disk.watermark
        }
        text.metric("daybook_node_disk_low", "1 while less is free than the watermark.") {
            $0.disk.isLow ? 1 : 0
        }
        text.metric("daybook_node_log_growth_bytes_per_day", "At the rate of the last hour.") {
            $0.bytesPerDay
        }
    }

    private static func appendCare(to text: inout NodeText) {
        text.metric(
            "daybook_scrub_bytes_total", "Bytes of the archive that were read and verified.",
            type: "counter"
        ) { $0.care.scrubbedBytes }
        text.metric(
            "daybook_scrub_passes_total", "How often all of the archive was.", type: "counter"
        ) { $0.care.scrubPasses }
        text.metric("daybook_scrub_last_pass_seconds", "When it was last; 0 for not yet.") {
            UInt64(max(0, $0.care.lastScrub?.microseconds ?? 0)) / 1_000_000
        }
        text.metric(
            "daybook_repair_chunks_total", "Chunks of 64 KiB that came from peers.",
            type: "counter"
        ) { $0.care.repairedChunks }
        text.metric(
            "daybook_repair_entries_total", "Entries of the log's end that came from peers.",
            type: "counter"
        ) { $0.care.repairedEntries }
        text.metric("daybook_damaged_segments", "Archived segments that are being repaired.") {
            UInt64($0.care.damaged.count)
        }
    }

    private static func appendTakeover(to text: inout NodeText) {
        text.metric(
            "daybook_node_takeover_fetched_bytes", "Of a peer's archive that is taken over now."
        ) { $0.takeover?.fetchedBytes ?? 0 }
        text.metric("daybook_node_takeover_bytes", "What it lacked of it; 0 for no takeover.") {
            $0.takeover?.totalBytes ?? 0
        }
    }

    private static func appendCompaction(to text: inout NodeText) {
        text.metric("daybook_node_compacted_index", "The newest compaction that its files show.") {
            $0.compaction.swappedThrough.value
        }
        text.metric("daybook_node_compaction_failed", "1 while it takes no part in a compaction.") {
            $0.compaction.stage == .failed || $0.compaction.stage == .withheld ? 1 : 0
        }
        text.metric("daybook_node_compaction_abandoned", "1 while the last run had no majority.") {
            $0.compaction.run?.outcome == .noMajority ? 1 : 0
        }
        text.metric("daybook_node_compaction_settled", "1 when no replaced file is left.") {
            $0.compaction.isSettled ? 1 : 0
        }
        text.metric("daybook_node_erasures_pending", "Erased unique_ids that are in files yet.") {
            UInt64($0.compaction.pendingErasures)
        }
        text.metric("daybook_node_holds", "Legal holds.") { UInt64($0.compaction.holds) }
        text.metric(
            "daybook_node_events_compacted_total", "Events that it took away.", type: "counter"
        ) { $0.compaction.total.compacted + $0.compaction.total.erased }
        text.metric(
            "daybook_node_compaction_read_bytes_total", "Bytes of segments that it replaced.",
            type: "counter"
        ) { $0.compaction.total.bytesBefore }
        text.metric(
            "daybook_node_compaction_written_bytes_total", "Bytes of those in their place.",
            type: "counter"
        ) { $0.compaction.total.bytesAfter }
    }
}

/// Metrics with one sample for each node.
private struct NodeText {
    let nodes: [ClusterClient.Node]
    var exposition: Exposition

    mutating func metric(
        _ name: String, _ help: String, type: String = "gauge",
        _ value: (StorageStatus) -> UInt64
    ) {
        exposition.metric(name, type, help)
        for node in nodes {
            exposition.sample(
                "{node=\"\(node.id)\"}", node.status.map { value($0.storage) } ?? 0)
        }
    }
}
