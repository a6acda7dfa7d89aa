import HTTPWire
import JSON
import Linux

/// `daybook replay`: the log's events as rows, each printed once and whole.
enum ReplayCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let query = try ReplayQuery(arguments)
        let now = Clock.monotonicNanoseconds()
        let wait = try arguments.number("wait", in: 0...86_400) ?? Patience.standardSeconds
        let client = try HTTPClient(arguments)
        let output =
            try arguments.value("out").map { path throws(SystemError) in
                try OutputFile(creating: path)
            } ?? OutputFile()
        var run = ReplayRun(
            client: client, query: query, output: output,
            patience: Patience(seconds: wait, now: now))
        try run.carryOut()
        return .done
    }
}

/// What is asked for.
struct ReplayQuery: Equatable, Sendable {
    /// The sequence that comes next; nil from the beginning.
    var from: UInt64?
    var until: UInt64?
    var uniqueID: String?
    var resource: String?
    var isFollowing = false
    var isStale = false

    init() {}

    init(_ arguments: Arguments) throws(UsageError) {
        from = try arguments.number("from", in: 0...(.max - 1))
        until = try arguments.number("until", in: 0...(.max - 1))
        uniqueID = arguments.value("unique-id")
        resource = arguments.value("resource")
        let resources = ["audit_events_fmp", "administration", "all"]
        if let resource, !resources.contains(resource) {
            throw UsageError("--resource is one of \(resources.joined(separator: ", "))")
        }
        isFollowing = arguments.isSet("follow")
        isStale = arguments.isSet("stale")
    }

    var target: String {
        var parts: [String] = []
        if let from { parts.append("from=\(from)") }
        if let until { parts.append("until=\(until)") }
        if let uniqueID { parts.append("unique_id=\(PercentEncoding.encode(uniqueID))") }
        if let resource { parts.append("resource=\(resource)") }
        if isFollowing { parts.append("follow=true") }
        if isStale { parts.append("stale=true") }
        return "/v1/events" + (parts.isEmpty ? "" : "?" + parts.joined(separator: "&"))
    }
}

/// One replay over as many connections as it takes.
struct ReplayRun: ~Copyable {
    /// Bytes of a row. A longer one is no row of this service.
    static let rowLimit = 4 * 1_024 * 1_024
    /// Silence after which a followed stream is asked for again: its connection may be dead.
    static let followNanoseconds: UInt64 = 60_000_000_000

    private let client: HTTPClient
    private var query: ReplayQuery
    private var output: OutputFile
    private var patience: Patience

    init(
        client: HTTPClient, query: ReplayQuery, output: consuming OutputFile, patience: Patience
    ) {
        self.client = client
        self.query = query
        self.output = output
        self.patience = patience
    }

    /// Prints until the end. With `follow` there is one only where `until` sets it.
    mutating func carryOut() throws {
        while true {
            let interruption = try printRows()
            guard let interruption else { break }
            let now = Clock.monotonicNanoseconds()
            guard
                let pause = patience.pause(
                    now: now, retryAfterSeconds: interruption.retryAfterSeconds)
            else { throw giveUp(interruption.reason) }
            client.pause(nanoseconds: pause)
        }
        try output.finish()
    }

    private struct Interruption {
        let reason: String
        var retryAfterSeconds: UInt64?
    }

    /// Prints what one connection brings. Returns why it ended too early, nil at the end.
    private mutating func printRows() throws -> Interruption? {
        let idle = query.isFollowing ? Self.followNanoseconds : HTTPClient.idleNanoseconds
        var bytes: [UInt8] = []
        do {
            let head = try client.send(HTTPRequest(target: query.target))
            guard head.status == 200 else {
                let body = try client.collectBody(limit: HTTPClient.answerLimit)
                let refusal = ServiceRefusal(head, body)
                guard refusal.isTransient else { throw refusal.failure }
                return Interruption(
                    reason: refusal.description, retryAfterSeconds: refusal.retryAfterSeconds)
            }
            if query.isFollowing { patience.progress(now: Clock.monotonicNanoseconds()) }
            while try client.readBody(into: &bytes, idleNanoseconds: idle) {
                try printWhole(&bytes)
            }
        } catch let failure as HTTPFailure {
            return Interruption(reason: "\(failure)")
        }
        guard bytes.isEmpty else { return Interruption(reason: "the last row is not whole") }
        let isOver = !query.isFollowing || query.until != nil
        return isOver ? nil : Interruption(reason: "the stream ended")
    }

    /// Prints the rows that are whole and takes them out of `bytes`.
    private mutating func printWhole(_ bytes: inout [UInt8]) throws {
        guard let feed = bytes.lastIndex(of: 0x0A) else {
            guard bytes.count <= Self.rowLimit else { throw HTTPFailure.tooLong(Self.rowLimit) }
            return
        }
        let start = bytes[..<feed].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        let last = try JSONAnswer(Array(bytes[start..<feed]))
        guard let sequence = UInt64(last.text("sequence", last.document.root)) else {
            throw CommandFailure(.notReady, "a row without a sequence came")
        }
        do throws(SystemError) {
            try output.write(bytes, 0..<(feed + 1))
        } catch {
            throw CommandFailure(.local, "\(error)\(place)")
        }
        bytes.removeSubrange(0...feed)
        query.from = sequence + 1
        patience.progress(now: Clock.monotonicNanoseconds())
    }

    private func giveUp(_ reason: String) -> CommandFailure {
        CommandFailure(.notReady, Printable.text("no progress for too long (\(reason))\(place)"))
    }

    /// Where a later run goes on.
    private var place: String { query.from.map { "; go on with --from \($0)" } ?? "" }
}
