import Bytes
import JSON
import PeerWire
package import Records

/// Counters of one gateway, for `GET /metrics` (Prometheus text format 0.0.4).
package struct GatewayMetrics: Sendable {
    /// Upper bounds of the latency histogram, in nanoseconds.
    static let bounds: [UInt64] = [
        500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000,
    ]

    package var connections = 0
    package var acceptedConnections: UInt64 = 0
    package var appendedEvents: UInt64 = 0
    package var duplicateEvents: UInt64 = 0
    package var refusedEvents: UInt64 = 0
    package var replayedBytes: UInt64 = 0
    package var indexPages: UInt64 = 0
    package var malformedRequests: UInt64 = 0
    /// Closed to make room for others.
    package var shedConnections: UInt64 = 0
    private var requestsByStatus: [UInt64] = Array(repeating: 0, count: 600)
    private var latencyCounts: [UInt64] = Array(repeating: 0, count: bounds.count + 1)
    private var latencySum: UInt64 = 0

    package init() {}

    package mutating func answered(status: Int) { requestsByStatus[status] += 1 }

    /// An event was acknowledged `nanoseconds` after it was admitted.
    package mutating func appended(after nanoseconds: UInt64) {
        let place = Self.bounds.firstIndex { nanoseconds <= $0 } ?? Self.bounds.count
        latencyCounts[place] += 1
        latencySum += nanoseconds
    }

    /// Appends the whole exposition.
    package func append(
        nodes: [ClusterClient.Node], leader: NodeID?, resent: UInt64, limited: RateRefusals,
        droppedLines: UInt64, residentBytes: Int, processorNanoseconds: UInt64, version: String,
        to output: inout [UInt8]
    ) {
        var text = Exposition()
        text.metric("daybook_build_info", "gauge", "What runs here; always 1.")
        text.sample("{version=\"\(version)\"}", 1)
        text.metric("daybook_gateway_requests_total", "counter", "Requests answered, by status.")
        for (status, count) in requestsByStatus.enumerated() where count > 0 {
            text.sample("{status=\"\(status)\"}", count)
        }
        text.one("daybook_gateway_connections", "gauge", "Open connections.", connections)
        text.one(
            "daybook_gateway_connections_accepted_total", "counter", "Connections accepted.",
            acceptedConnections)
        text.one(
            "daybook_gateway_malformed_requests_total", "counter",
            "Requests that were no HTTP/1.1.", malformedRequests)
        text.one(
            "daybook_gateway_connections_shed_total", "counter",
            "Connections closed to make room for others.", shedConnections)
        text.metric(
            "daybook_gateway_rate_limited_total", "counter",
            "Requests and logins refused for their frequency.")
        text.sample("{by=\"address\"}", limited.addresses)
        text.sample("{by=\"token\"}", limited.tokens)
        text.sample("{by=\"login\"}", limited.logins)
        text.one(
            "daybook_gateway_access_log_dropped_total", "counter",
            "Lines of the access log that were not written.", droppedLines)
        text.one(
            "daybook_gateway_events_appended_total", "counter",
            "Events acknowledged as new revisions.", appendedEvents)
        text.one(
            "daybook_gateway_events_duplicate_total", "counter",
            "Events that were recorded already.", duplicateEvents)
        text.one(
            "daybook_gateway_events_refused_total", "counter",
            "Events that were refused or not appended.", refusedEvents)
        text.one(
            "daybook_gateway_submits_resent_total", "counter",
            "Batches sent again because their outcome was not known.", resent)
        text.one(
            "daybook_gateway_replayed_bytes_total", "counter", "Bytes of replayed rows.",
            replayedBytes)
        text.one(
            "daybook_gateway_index_pages_total", "counter",
            "Pages of the log that nodes read for indexes of events.", indexPages)
        histogram(&text)
        cluster(nodes, leader, &text)
        text.one(
            "daybook_process_resident_memory_bytes", "gauge", "Resident memory.", residentBytes)
        text.metric("daybook_process_cpu_seconds_total", "counter", "Processor time used.")
        text.sample("", Double(processorNanoseconds) / 1_000_000_000)
        output.append(contentsOf: text.text.utf8)
    }

    private func histogram(_ text: inout Exposition) {
        text.metric(
            "daybook_gateway_append_duration_seconds", "histogram",
            "From an event's admission to its acknowledgement.")
        var total: UInt64 = 0
        for (place, bound) in Self.bounds.enumerated() {
            total += latencyCounts[place]
            text.sample("_bucket{le=\"\(Double(bound) / 1_000_000_000)\"}", total)
        }
        total += latencyCounts[Self.bounds.count]
        text.sample("_bucket{le=\"+Inf\"}", total)
        text.sample("_sum", Double(latencySum) / 1_000_000_000)
        text.sample("_count", total)
    }

    private func cluster(
        _ nodes: [ClusterClient.Node], _ leader: NodeID?, _ text: inout Exposition
    ) {
        text.one(
            "daybook_cluster_has_leader", "gauge", "Whether a node leads and takes events.",
            leader == nil ? 0 : 1)
        text.metric("daybook_node_up", "gauge", "Whether the gateway hears the node.")
        for node in nodes { text.sample("{node=\"\(node.id)\"}", node.status == nil ? 0 : 1) }
        text.metric("daybook_node_term", "gauge", "The node's term.")
        for node in nodes {
            text.sample("{node=\"\(node.id)\"}", node.status?.term.value ?? 0)
        }
        text.metric("daybook_node_commit_index", "gauge", "The node's commit index.")
        for node in nodes {
            text.sample("{node=\"\(node.id)\"}", node.status?.commit.value ?? 0)
        }
        text.metric("daybook_node_log_bytes", "gauge", "Bytes of the node's log.")
        for node in nodes { text.sample("{node=\"\(node.id)\"}", node.status?.logBytes ?? 0) }
        members(nodes, leader, &text)
        StorageMetrics.append(nodes, to: &text)
    }

    /// What the leader says of the members; nothing while none is heard.
    private func members(
        _ nodes: [ClusterClient.Node], _ leader: NodeID?, _ text: inout Exposition
    ) {
        let status = nodes.first { $0.id == leader }?.status
        let members = status?.members ?? []
        text.metric("daybook_member_voter", "gauge", "1 for a voter, 0 for a learner.")
        for member in members {
            text.sample("{node=\"\(member.id)\"}", member.role == .voter ? 1 : 0)
        }
        text.metric(
            "daybook_member_lag_entries", "gauge", "Entries that the member has not on disk.")
        for member in members {
            let last = status?.lastIndex.value ?? 0
            text.sample("{node=\"\(member.id)\"}", last - min(member.durable.value, last))
        }
        text.metric(
            "daybook_member_disk_went_back", "gauge", "1 for a disk that forgot what it had.")
        for member in members {
            text.sample("{node=\"\(member.id)\"}", member.isDistrusted ? 1 : 0)
        }
    }
}

/// Builds the text line by line.
struct Exposition {
    var text = ""
    private var name = ""

    mutating func metric(_ name: String, _ type: String, _ help: String) {
        self.name = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ suffix: String, _ value: some CustomStringConvertible) {
        text += "\(name)\(suffix) \(value)\n"
    }

    mutating func one(
        _ name: String, _ type: String, _ help: String, _ value: some CustomStringConvertible
    ) {
        metric(name, type, help)
        sample("", value)
    }
}
