import Bytes
import Crypto
import JSON
import Linux

/// Requests of the compatible surface about the directory.
enum DirectoryCall {
    /// One request. Named by a random key, so that a repeated one is carried out once.
    static func call(
        _ resource: String, _ action: String, _ body: [UInt8], _ arguments: Arguments
    ) throws -> JSONAnswer {
        let client = try HTTPClient(arguments)
        let key = Hex.encode(RandomBytes.make(count: 16))
        let request = HTTPRequest(
            method: "POST", target: "/api/v1/\(resource)/\(action)",
            contentType: "application/json", body: body,
            headers: [(name: "Idempotency-Key", value: key)])
        return try JSONAnswer(try client.answer(to: request))
    }

    /// The `data` of an answer.
    static func data(_ answer: JSONAnswer) throws(CommandFailure) -> Int {
        guard let data = answer.member("data", answer.document.root) else {
            throw CommandFailure(.notReady, "the answer holds no data")
        }
        return data
    }

    /// Shows all rows of an index, page by page. `members` are added to each request.
    static func pages(
        _ resource: String, _ arguments: Arguments, term: String? = nil, application: String? = nil,
        filters: [String] = [], _ show: (JSONAnswer, [Int]) throws -> Void
    ) throws {
        var after: String?
        repeat {
            var body: [UInt8] = []
            var object = JSONObjectWriter(to: &body)
            object.member("page.size", UInt64(1_000), to: &body)
            if let after { object.member("page.after", after, to: &body) }
            if let term { object.member("search.term", term, to: &body) }
            if let application { object.member("application", application, to: &body) }
            if !filters.isEmpty {
                object.name("filters", to: &body)
                var array = JSONArrayWriter(to: &body)
                for filter in filters {
                    array.element(to: &body)
                    JSONWriter.append(filter, to: &body)
                }
                array.close(to: &body)
            }
            object.close(to: &body)
            let answer = try call(resource, "index", body, arguments)
            let data = try data(answer)
            try show(answer, answer.elements("results", data))
            after = answer.member("next", data).flatMap {
                answer.document.string($0, from: answer.bytes.span)
            }
        } while after != nil
    }

    /// Shows an index as lines of JSON or as a table of these members.
    static func list(
        _ resource: String, _ arguments: Arguments, term: String? = nil, filters: [String] = [],
        _ columns: [(title: String, member: StaticString)]
    ) throws -> ExitCode {
        var table = Table(columns.map { ($0.title, .left) })
        try pages(
            resource, arguments, term: term, application: arguments.value("application"),
            filters: filters
        ) { answer, rows in
            if arguments.isSet("json") {
                return StandardStream.output.write(rows.map { answer.raw($0) + "\n" }.joined())
            }
            for row in rows { table.append(columns.map { cell($0.member, row, answer) }) }
        }
        if !arguments.isSet("json") {
            let width = StandardStream.output.terminalColumns ?? .max
            StandardStream.output.write(table.text(width: width))
        }
        return .done
    }

    /// A member for people: arrays as their words.
    private static func cell(_ name: StaticString, _ row: Int, _ answer: JSONAnswer) -> String {
        let words = answer.elements(name, row).compactMap {
            answer.document.string($0, from: answer.bytes.span)
        }
        return words.isEmpty ? answer.text(name, row) : words.joined(separator: " ")
    }
}
