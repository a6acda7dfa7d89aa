import Bytes
import JSON
import PeerWire
import Records

// What a request to the index of events asks for, and its answer.

extension GatewayCore {
    private static let searchable: [(name: String, attribute: EventFilter.Attributes)] = [
        ("unique_id", .uniqueID), ("script_name", .scriptName), ("host_name", .hostName),
        ("file_name", .fileName), ("notes", .notes), ("updated_in", .updatedIn),
    ]

    mutating func admitEventIndex(
        _ route: Route, _ credential: Credential, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        beginFaults()
        let sorts = EventIndexScan.Sort.allCases.map(\.rawValue)
        let request = indexRequest(
            route, bytes, sorts: sorts, attributes: Self.searchable.map(\.name))
        var filter = EventFilter()
        filter.newestOnly = true
        if !request.term.isEmpty {
            filter.search = EventFilter.Search(
                term: request.term, in: attributes(request.attributes))
        }
        for name in request.filters { read(name, into: &filter) }
        let sort = request.sortBy.flatMap(EventIndexScan.Sort.init) ?? .sequence
        let isFalling = request.order == .desc
        var position: EventIndexScan.Position?
        if let cursor = request.after {
            position = EventIndexScan.position(
                cursor, cluster: settings.clusterTag, sort, isFalling: isFalling)
            if position == nil { fault(.pageAfter, .unrecognized, Self.cursorDetail) }
        }
        if sort == .start, position == nil,
            UInt64(request.skipped + request.size) > EventIndexScan.sortedRows
        {
            fault(
                .pageNumber, .tooLong,
                "\(EventIndexScan.sortedRows) rows at most are sorted by start_time: go on with "
                    + "page.after")
        }
        try judgeFaults()
        return .index(
            EventIndexScan(
                filter, sort, isFalling: isFalling, request, from: position,
                views: views(credential), cluster: settings.clusterTag, times: times))
    }

    private func attributes(_ names: [String]?) -> EventFilter.Attributes {
        guard let names else { return .all }
        var attributes: EventFilter.Attributes = []
        for (name, attribute) in Self.searchable where names.contains(name) {
            attributes.insert(attribute)
        }
        return attributes.isEmpty ? .all : attributes
    }

    /// `running`, `finished`, `since:TIME` or `until:TIME`.
    private mutating func read(_ name: String, into filter: inout EventFilter) {
        switch name {
        case "running": filter.state = filter.state == .finished ? .neither : .running
        case "finished": filter.state = filter.state == .running ? .neither : .finished
        default:
            let parts = name.split(separator: ":", maxSplits: 1)
            let text = parts.count == 2 ? Array(parts[1].utf8) : []
            guard parts.count == 2, parts[0] == "since" || parts[0] == "until" else {
                return fault(
                    .filters, .unrecognized, "running, finished, since:TIME or until:TIME")
            }
            guard let time = times.timestamp(text.span, 0..<text.count) else {
                return fault(.filters, .notATime, "the time of \(name)")
            }
            if parts[0] == "since" {
                filter.since = max(filter.since ?? time, time)
            } else {
                filter.untilTime = min(filter.untilTime ?? time, time)
            }
        }
    }

    /// The answer to a scan that is over.
    package func answer(_ finished: EventIndexScan, requestID: String) -> Answer {
        var scan = finished
        let (rows, next) = scan.finish()
        var body: [UInt8] = []
        Envelope.appendSuccess(
            message: scan.isComplete || scan.hasMore
                ? "Found." : "There was more to read than one answer may: go on with page.after.",
            views: scan.views, requestID: requestID, to: &body
        ) { output in
            var object = JSONObjectWriter(to: &output)
            object.name("results", to: &output)
            var array = JSONArrayWriter(to: &output)
            for row in rows {
                array.element(to: &output)
                if scan.request.view == .full {
                    output.append(contentsOf: row.bytes)
                } else {
                    Self.appendSummary(row.bytes, to: &output)
                }
            }
            array.close(to: &output)
            if scan.request.wantsCount { object.member("count", scan.count, to: &output) }
            object.member(
                "complete", scan.isComplete || (scan.hasMore && !scan.request.wantsCount),
                to: &output)
            if let next { object.member("next", next, to: &output) }
            object.close(to: &output)
        }
        return Answer(status: 200, contentType: Envelope.contentType, body: body)
    }

    private static func appendSummary(_ row: [UInt8], to output: inout [UInt8]) {
        var document = JSONDocument()
        var object = JSONObjectWriter(to: &output)
        if (try? document.parse(row.span)) != nil {
            for name in [
                "unique_id", "script_name", "start_time", "stop_time", "sequence", "revision",
            ] as [StaticString] {
                guard let node = document.member(name, of: document.root, in: row.span) else {
                    continue
                }
                object.name(name, to: &output)
                output.append(row.span.extracting(document[node].range))
            }
        }
        object.close(to: &output)
    }
}
