import JSON
import Linux

/// `daybook search`: the newest revisions of events that match.
enum SearchCommand {
    /// Rows of one request, and at most where nothing is said.
    static let pageSize: UInt64 = 500
    static let standardLimit: UInt64 = 50

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let query = try SearchQuery(arguments)
        let client = try HTTPClient(arguments)
        return arguments.isSet("count")
            ? try count(query, client) : try list(query, client, arguments)
    }

    /// Prints rows until there are as many as wanted, or no more.
    private static func list(
        _ query: SearchQuery, _ client: HTTPClient, _ arguments: Arguments
    ) throws -> ExitCode {
        var table = Self.table
        var query = query
        var shown: UInt64 = 0
        repeat {
            query.size = min(pageSize, query.limit == 0 ? pageSize : query.limit - shown)
            let page = try SearchPage(try client.answer(to: query.request))
            for row in page.rows {
                if arguments.isSet("json") {
                    StandardStream.output.write(page.answer.raw(row) + "\n")
                } else {
                    table.append(cells(row, page.answer))
                }
            }
            shown += UInt64(page.rows.count)
            query.after = page.next
            if query.isWaiting(for: shown), !page.isComplete {
                StandardStream.error.write("\(shown) events so far; the search goes on\n")
            }
        } while query.isWaiting(for: shown)
        if !arguments.isSet("json") {
            let width = StandardStream.output.terminalColumns ?? .max
            StandardStream.output.write(table.text(width: width))
        }
        if let after = query.after {
            StandardStream.error.write("there may be more: go on with --after \(after)\n")
        }
        return .done
    }

    private static func count(_ query: SearchQuery, _ client: HTTPClient) throws -> ExitCode {
        var query = query
        (query.counts, query.size) = (true, 1)
        while true {
            let page = try SearchPage(try client.answer(to: query.request))
            if page.isComplete || page.next == nil {
                StandardStream.output.write("\(page.count)\n")
                return .done
            }
            StandardStream.error.write("\(page.count) so far; the count goes on\n")
            query.after = page.next
        }
    }

    private static var table: Table {
        Table([
            ("SEQUENCE", .right), ("UNIQUE ID", .left), ("REVISION", .right), ("STARTED", .left),
            ("STOPPED", .left), ("SCRIPT", .left), ("HOST", .left), ("FILE", .left),
        ])
    }

    private static func cells(_ row: Int, _ answer: JSONAnswer) -> [String] {
        let members: [StaticString] = [
            "sequence", "unique_id", "revision", "start_time", "stop_time", "script_name",
            "host_name", "file_name",
        ]
        return members.map { answer.text($0, row) }
    }
}

/// What is searched for.
struct SearchQuery: Equatable, Sendable {
    var term: String?
    var attributes: [String] = []
    var filters: [String] = []
    var sort: String?
    var order = "desc"
    /// 0: all.
    var limit = SearchCommand.standardLimit
    var size: UInt64 = SearchCommand.pageSize
    var after: String?
    var counts = false

    init(_ arguments: Arguments) throws(UsageError) {
        term = arguments.positional.first
        attributes = arguments.all("attribute")
        filters = arguments.all("filter")
        sort = arguments.value("sort")
        order = arguments.value("order") ?? order
        limit = try arguments.number("limit", in: 0...1_000_000_000) ?? limit
        after = arguments.value("after")
        guard order == "asc" || order == "desc" else {
            throw UsageError("--order is asc or desc, not \"\(order)\"")
        }
        guard after == nil || !arguments.isSet("count") else {
            throw UsageError("--count counts from the beginning: not together with --after")
        }
    }

    /// Whether another page is to be asked for.
    func isWaiting(for shown: UInt64) -> Bool { after != nil && (limit == 0 || shown < limit) }

    var request: HTTPRequest {
        HTTPRequest(
            method: "POST", target: "/api/v1/audit_events_fmp/index",
            contentType: "application/json", body: body)
    }

    private var body: [UInt8] {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        if let term { object.member("search.term", term, to: &body) }
        Self.append(attributes, as: "search.attributes", &object, to: &body)
        Self.append(filters, as: "filters", &object, to: &body)
        if counts { object.member("count", true, to: &body) }
        object.member("page.size", size, to: &body)
        if let after { object.member("page.after", after, to: &body) }
        if let sort { object.member("sort.by", sort, to: &body) }
        object.member("sort.order", order, to: &body)
        object.close(to: &body)
        return body
    }

    private static func append(
        _ texts: [String], as name: StaticString, _ object: inout JSONObjectWriter,
        to body: inout [UInt8]
    ) {
        guard !texts.isEmpty else { return }
        object.name(name, to: &body)
        var array = JSONArrayWriter(to: &body)
        for text in texts {
            array.element(to: &body)
            JSONWriter.append(text, to: &body)
        }
        array.close(to: &body)
    }
}

/// One answer of the index.
struct SearchPage {
    let answer: JSONAnswer
    let rows: [Int]
    let next: String?
    let count: String
    /// False when the service did not read all that the request needs.
    let isComplete: Bool

    init(_ bytes: [UInt8]) throws(CommandFailure) {
        answer = try JSONAnswer(bytes)
        let data = try DirectoryCall.data(answer)
        rows = answer.elements("results", data)
        count = answer.text("count", data)
        isComplete = answer.isTrue("complete", data)
        let next = answer.member("next", data)
        self.next = next.flatMap { [answer] in
            answer.document.string($0, from: answer.bytes.span)
        }
    }
}
