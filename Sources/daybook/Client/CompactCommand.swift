import Bytes
import Crypto
import JSON
import Linux
import Records

/// `daybook compact`: a run of compactions over all that is sealed, or what one would do.
enum CompactCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let policy = arguments.value("policy") ?? "latest"
        guard CompactionOrder(policy, sealsFirst: true) != nil else {
            throw UsageError("--policy is latest or newer-than:DAYS, not \"\(policy)\"")
        }
        let client = try HTTPClient(arguments)
        if arguments.isSet("dry-run") { return try estimate(policy, client, arguments) }
        let answer = try JSONAnswer(
            try client.answer(to: RetentionRequest.post("/v1/compactions", [("policy", policy)])))
        let run = answer.text("run", answer.document.root)
        guard arguments.isSet("wait") else {
            StandardStream.output.write(
                arguments.isSet("json")
                    ? String(decoding: answer.bytes, as: UTF8.self) + "\n"
                    : "run \(run) has begun; `daybook status` shows how far it is\n")
            return .done
        }
        let result = try Settling.wait(client) { state in state.isOver(run: run) }
        let summary = RunSummary(run: run, result)
        StandardStream.output.write(arguments.isSet("json") ? summary.json : summary.text)
        return summary.state == "completed" ? .done : .refused
    }

    /// Asks for one page after the other.
    private static func estimate(
        _ policy: String, _ client: HTTPClient, _ arguments: Arguments
    ) throws -> ExitCode {
        var total = EstimateSum()
        var next: String? = "0"
        while let place = next {
            var body: [UInt8] = []
            var object = JSONObjectWriter(to: &body)
            object.member("policy", policy, to: &body)
            object.member("dry_run", true, to: &body)
            object.member("from", UInt64(place) ?? 0, to: &body)
            object.close(to: &body)
            let answer = try JSONAnswer(
                try client.answer(to: RetentionRequest.post("/v1/compactions", body)))
            total.add(answer)
            let following = answer.text("next", answer.document.root)
            next = following == "-" ? nil : following
        }
        StandardStream.output.write(
            arguments.isSet("json") ? total.json(policy) : total.text)
        return .done
    }
}

/// What all pages of an estimate come to.
struct EstimateSum {
    private var rows: [String] = []
    private(set) var kept: UInt64 = 0
    private(set) var gone: UInt64 = 0
    private(set) var before: UInt64 = 0
    private(set) var after: UInt64 = 0
    private var table = Table([
        ("SEGMENT", .right), ("GENERATION", .right), ("STAY", .right), ("GO", .right),
        ("BYTES", .right), ("BYTES AFTER", .right),
    ])

    init() {}

    mutating func add(_ answer: JSONAnswer) {
        for segment in answer.elements("segments", answer.document.root) {
            func number(_ name: StaticString) -> UInt64 {
                UInt64(answer.text(name, segment)) ?? 0
            }
            rows.append(answer.raw(segment))
            let goes = number("events_compacted") + number("events_erased")
            kept += number("events_kept")
            gone += goes
            before += number("bytes_before")
            after += number("bytes_after")
            table.append([
                answer.text("first_index", segment), answer.text("generation", segment),
                answer.text("events_kept", segment), "\(goes)",
                answer.text("bytes_before", segment), answer.text("bytes_after", segment),
            ])
        }
    }

    var text: String {
        table.text(width: .max)
            + "\(rows.count) sealed segments: \(gone) events would go, \(kept) stay, "
            + "\(before - min(after, before)) of \(before) bytes come back; "
            + "nothing was changed\n"
    }

    func json(_ policy: String) -> String {
        "{\"dry_run\":true,\"policy\":\"\(policy)\",\"segments\":[\(rows.joined(separator: ","))],"
            + "\"events_kept\":\(kept),\"events_gone\":\(gone),\"bytes_before\":\(before),"
            + "\"bytes_after\":\(after)}\n"
    }
}

/// How a run has ended, as the node knows that has seen most of it.
struct RunSummary {
    let run: String
    let state: String
    private let policy: String
    private let segments: String
    private var compacted: UInt64 = 0
    private var erased: UInt64 = 0
    private var before: UInt64 = 0
    private var after: UInt64 = 0

    init(run: String, _ cluster: ClusterState) {
        self.run = run
        (state, policy, segments) = cluster.run(run)
        let answer = cluster.answer
        for node in answer.elements("nodes", answer.document.root) {
            guard let part = answer.member("compaction", node), answer.text("run", part) == run
            else { continue }
            func number(_ name: StaticString) -> UInt64 { UInt64(answer.text(name, part)) ?? 0 }
            guard number("bytes_before") >= before else { continue }
            compacted = number("events_compacted")
            erased = number("events_erased")
            before = number("bytes_before")
            after = number("bytes_after")
        }
    }

    var text: String {
        Printable.text(
            "run \(run) (\(policy)) \(state): \(segments) segments, \(compacted) events compacted "
                + "away, \(erased) erased, \(before) bytes became \(after)") + "\n"
    }

    var json: String {
        var line: [UInt8] = []
        var object = JSONObjectWriter(to: &line)
        object.member("run", UInt64(run) ?? 0, to: &line)
        object.member("policy", policy, to: &line)
        object.member("state", state, to: &line)
        object.member("segments", UInt64(segments) ?? 0, to: &line)
        object.member("events_compacted", compacted, to: &line)
        object.member("events_erased", erased, to: &line)
        object.member("bytes_before", before, to: &line)
        object.member("bytes_after", after, to: &line)
        object.close(to: &line)
        return String(decoding: line, as: UTF8.self) + "\n"
    }
}

/// Requests that change what is kept. Named by a random key, so that a repeated one is carried out
/// once.
enum RetentionRequest {
    static func post(_ target: String, _ members: [(StaticString, String)]) -> HTTPRequest {
        var body: [UInt8] = []
        var object = JSONObjectWriter(to: &body)
        for (name, value) in members { object.member(name, value, to: &body) }
        object.close(to: &body)
        return post(target, body)
    }

    static func post(_ target: String, _ body: [UInt8]) -> HTTPRequest {
        HTTPRequest(
            method: "POST", target: target, contentType: "application/json", body: body,
            headers: [key])
    }

    static var key: (name: String, value: String) {
        ("Idempotency-Key", Hex.encode(RandomBytes.make(count: 16)))
    }
}

/// What `GET /v1/cluster` says of compactions.
struct ClusterState {
    let answer: JSONAnswer

    /// The leader's word on the log.
    private var log: Int? { answer.member("compaction", answer.document.root) }

    func run(_ run: String) -> (state: String, policy: String, segments: String) {
        guard let log, let found = answer.member("run", log), answer.text("id", found) == run
        else { return ("followed by another", "-", "-") }
        return (
            answer.text("state", found), answer.text("policy", found),
            answer.text("done_segments", found)
        )
    }

    /// Whether the run is over and every node that answers shows what it did.
    func isOver(run: String) -> Bool {
        guard let log, let found = answer.member("run", log),
            let newest = UInt64(answer.text("id", found)), let wanted = UInt64(run),
            newest >= wanted
        else { return false }
        let isUnderWay = answer.text("state", found) == "under-way" && newest == wanted
        return !isUnderWay && isSettled
    }

    /// Whether no erased unique_id is in a file of a node that answers.
    var hasErased: Bool {
        guard let log else { return false }
        return answer.text("pending_erasures", log) == "0" && isSettled
    }

    private var isSettled: Bool {
        guard let log, answer.member("leader", answer.document.root).map(answer.raw) != "null",
            let done = UInt64(answer.text("done_through", log))
        else { return false }
        return answer.elements("nodes", answer.document.root).allSatisfy { node in
            guard answer.isTrue("reachable", node) else { return true }
            guard let part = answer.member("compaction", node) else { return false }
            let swapped = UInt64(answer.text("swapped_through", part)) ?? 0
            return swapped >= done && answer.isTrue("settled", part)
        }
    }

    /// Changes whenever something moves.
    var progress: String {
        var words = log.map { answer.raw($0) } ?? ""
        for node in answer.elements("nodes", answer.document.root) {
            words += answer.member("compaction", node).map { answer.raw($0) } ?? ""
        }
        return words
    }
}

/// Waiting until the cluster has done what it was told.
enum Settling {
    /// Without any progress for so long, the command gives up.
    static let patienceSeconds: UInt64 = 600
    private static let pauseNanoseconds: UInt64 = 200_000_000

    static func wait(
        _ client: HTTPClient, until isDone: (ClusterState) -> Bool
    ) throws -> ClusterState {
        var patience = Patience(seconds: patienceSeconds, now: Clock.monotonicNanoseconds())
        var known = ""
        while true {
            var failure = CommandFailure(.notReady, "it has begun and is not over")
            do throws(CommandFailure) {
                let body = try client.answer(to: HTTPRequest(target: "/v1/cluster"))
                let state = ClusterState(answer: try JSONAnswer(body))
                if isDone(state) { return state }
                if state.progress != known {
                    known = state.progress
                    patience.progress(now: Clock.monotonicNanoseconds())
                }
            } catch {
                guard error.code == .notReady else { throw error }
                failure = error
            }
            guard let pause = patience.pause(now: Clock.monotonicNanoseconds()) else {
                throw failure
            }
            client.pause(nanoseconds: min(pause, pauseNanoseconds))
        }
    }
}
