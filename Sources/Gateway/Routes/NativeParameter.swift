import HTTPWire

/// What the route table says of a parameter of a native route that stands in path or query; those in
/// bodies are `RouteParameter`s.
package struct NativeParameter: Sendable {
    package enum Place: String, Sendable { case path, query }

    package enum Kind: Sendable {
        case text
        case time
        /// `true` or `false`.
        case flag
        /// A whole number from 0.
        case number(UInt64)
        case words([String])
    }

    package let name: StaticString
    package let place: Place
    package let kind: Kind
    package let summary: StaticString

    static func query(_ name: StaticString, _ kind: Kind, _ summary: StaticString) -> Self {
        Self(name: name, place: .query, kind: kind, summary: summary)
    }

    static func path(_ name: StaticString, _ summary: StaticString) -> Self {
        Self(name: name, place: .path, kind: .text, summary: summary)
    }
}

/// The parameters of native routes.
enum NativeParameters {
    private static let after = NativeParameter.query(
        "after", .number(.max >> 2), "the answer holds everything recorded through this sequence")
    private static let stale = NativeParameter.query(
        "stale", .flag, "what one node knows, without a majority; not together with after")
    private static let subject = NativeParameter.path("unique_id", "the event's, percent-encoded")

    static let replay: [NativeParameter] = [
        .query("from", .number(.max >> 2), "the first sequence"),
        .query("until", .number(.max >> 2), "the sequence to stop at, itself excluded"),
        .query("unique_id", .text, "exactly this value"),
        .query("script_name", .text, "exactly this value"),
        .query("host_name", .text, "exactly this value"),
        .query("file_name", .text, "exactly this value"),
        .query("since", .time, "started at or after this time"),
        .query("until_time", .time, "started before this time"),
        .query(
            "resource", .words(["audit_events_fmp", "administration", "all"]),
            "which events; audit events by default"),
        .query("follow", .flag, "go on with what is recorded from now on"),
        .query("format", .words(["ndjson"]), "the form of the rows"), after, stale,
    ]

    static let event: [NativeParameter] = [
        subject, .query("history", .flag, "all revisions, as lines"), after, stale,
    ]

    static let hold: [NativeParameter] = [subject]
    static let holds: [NativeParameter] = [
        .query("after", .text, "list those behind this unique_id")
    ]

    static let files: [NativeParameter] = [
        .query("node", .number(UInt64(UInt32.max)), "the node whose files are read"),
        .query("piece", .words(["manifest", "state", "digests", "chunk"]), "what is read"),
        .query("index", .number(.max >> 2), "the segment's first index, or the SEAL's"),
        .query("generation", .number(UInt64(UInt32.max)), "how often it was compacted"),
        .query("chunk", .number(UInt64(UInt32.max)), "the number of the chunk"),
    ]

    static let readiness: [NativeParameter] = [
        .query("verbose", .text, "name the reasons even where there are none")
    ]
}

/// The query string of a native request. Nothing can be asked of it that the route's table does not
/// have.
struct NativeQuery {
    private var query = QueryParameters()
    private let route: Route

    init(_ range: Range<Int>?, _ bytes: Span<UInt8>, of route: Route) throws(Refusal) {
        self.route = route
        guard let range else { return }
        do {
            try query.parse(bytes, in: range)
        } catch {
            throw Refusal(.invalidEncodedParams, "The query string is malformed: \(error).")
        }
    }

    /// The value of a parameter; nil when it is absent or empty.
    func text(_ name: StaticString) -> [UInt8]? {
        precondition(
            route.query.contains { $0.place == .query && "\($0.name)" == "\(name)" },
            "\(route.label) does not know \(name)")
        guard let range = query.value(name), !range.isEmpty else { return nil }
        return Array(query.text[range])
    }
}
