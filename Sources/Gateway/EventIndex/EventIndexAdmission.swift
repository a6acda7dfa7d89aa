import Bytes
import JSON
import PeerWire
import Records

// What a request to the index of events asks for, and its answer.

extension GatewayCore {
    private static let searchable: [(name: String, attribute: EventSearch.Attributes)] = [
        ("unique_id", .uniqueID), ("script_name", .scriptName), ("host_name", .hostName),
        ("file_name", .fileName), ("notes", .notes), ("updated_in", .updatedIn),
    ]

    mutating func admitEventIndex(
        _ route: Route, _ credential: Credential, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        beginFaults()
        let request = indexRequest(
            route, bytes, sorts: EventIndexSort.allCases.map(\.rawValue),
            attributes: Self.searchable.map(\.name))
        let filter = filter(request)
        let binding = EventIndexBinding(
            cluster: settings.clusterTag, search: Self.checksum(filter),
            sort: request.sortBy.flatMap(EventIndexSort.init) ?? .sequence,
            isFalling: request.order == .desc)
        let position = request.after.flatMap(binding.position)
        if request.after != nil, position == nil {
            fault(.pageAfter, .unrecognized, Self.cursorDetail)
        }
        if let position, request.wantsCount, position.count == nil {
            fault(
                .count, .notAllowed,
                "ask for it with the first page: its cursors go on with the count")
        }
        if binding.sort == .start, request.after == nil,
            request.skipped + request.size > EventIndexScan.sortedRows
        {
            fault(
                .pageNumber, .tooLong,
                "\(EventIndexScan.sortedRows) rows of a sort by start_time; go on with page.after")
        }
        try judgeFaults(inOrderOf: route)
        return .index(
            EventIndexScan(
                filter, request, from: position, binding: binding, views: views(credential),
                times: times))
    }

    private mutating func filter(_ request: IndexRequest) -> EventFilter {
        var filter = EventFilter()
        if !request.term.isEmpty {
            var attributes: EventSearch.Attributes = []
            for (name, attribute) in Self.searchable
            where request.attributes?.contains(name) ?? false {
                attributes.insert(attribute)
            }
            filter.search = EventSearch(
                term: request.term, in: attributes.isEmpty ? .all : attributes)
        }
        for name in request.filters {
            guard read(name, into: &filter) else { break }
        }
        return filter
    }

    /// `running`, `finished`, `since:TIME` or `until:TIME`; false when it is none of them.
    private mutating func read(_ name: String, into filter: inout EventFilter) -> Bool {
        switch name {
        case "running": filter.state = filter.state == .finished ? .neither : .running
        case "finished": filter.state = filter.state == .running ? .neither : .finished
        default:
            let parts = name.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0] == "since" || parts[0] == "until" else {
                fault(.filters, .unrecognized, "running, finished, since:TIME or until:TIME")
                return false
            }
            let text = Array(parts[1].utf8)
            guard let time = times.timestamp(text.span, 0..<text.count) else {
                fault(.filters, .notATime, "the time of since: or until: is as a start_time")
                return false
            }
            if parts[0] == "since" {
                filter.since = max(filter.since ?? time, time)
            } else {
                filter.untilTime = min(filter.untilTime ?? time, time)
            }
        }
        return true
    }

    /// Of what an event is searched for and filtered by.
    private static func checksum(_ filter: EventFilter) -> UInt32 {
        var bytes: [UInt8] = [filter.state.rawValue, filter.search?.attributes.rawValue ?? 0]
        bytes.append(littleEndian: (filter.since ?? .absent).microseconds)
        bytes.append(littleEndian: (filter.untilTime ?? .absent).microseconds)
        bytes += filter.search?.folded ?? []
        return CRC32C.checksum(bytes.span)
    }

    // MARK: The answer

    /// The answer to a scan that is over.
    package func answer(_ finished: EventIndexScan, requestID: String) -> Answer {
        var scan = finished
        let result = scan.finish()
        var body: [UInt8] = []
        Envelope.appendSuccess(
            message: result.isComplete
                ? "Found." : "There is more to read than one answer may: go on with page.after.",
            views: scan.views, requestID: requestID, to: &body
        ) { output in
            var object = JSONObjectWriter(to: &output)
            object.name("results", to: &output)
            var array = JSONArrayWriter(to: &output)
            for row in result.rows {
                array.element(to: &output)
                if scan.request.view == .full {
                    output.append(contentsOf: row.bytes)
                } else {
                    Self.appendSummary(row.bytes, to: &output)
                }
            }
            array.close(to: &output)
            if let count = result.count { object.member("count", count, to: &output) }
            object.member("complete", result.isComplete, to: &output)
            if let next = result.next {
                object.member("next", scan.binding.cursor(next), to: &output)
            }
            object.close(to: &output)
        }
        return Answer(status: 200, contentType: Envelope.contentType, body: body)
    }

    /// The answer to a cursor that is of another log.
    package func refuseCursor(requestID: String) -> Answer {
        refuse(
            Refusal.judging([
                ParameterFault(ParameterName.pageAfter.text, .unrecognized, Self.cursorDetail)
            ]), on: .compatible, requestID: requestID)
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
