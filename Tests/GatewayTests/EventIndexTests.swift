import Bytes
import JSON
import PeerWire
import Records
import Testing

@testable import Gateway

/// The index of events against a log that is a list: every way to page through it finds what a naive
/// search finds, whatever is appended meanwhile and however little a page or a request may read.
struct EventIndexTests {
    // MARK: Pages

    private struct Way: Sendable {
        var sort = "sequence"
        var order = "asc"
        var filters: [String] = []
        var term: String?
        var size = 50
        var counts = false
    }

    private static let ways: [Way] = {
        var ways: [Way] = []
        for sort in ["sequence", "recorded_at", "start_time"] {
            for order in ["asc", "desc"] {
                ways.append(Way(sort: sort, order: order, size: 40, counts: true))
                ways.append(
                    Way(sort: sort, order: order, filters: ["running"], term: "SCRIPT 3", size: 7))
                ways.append(
                    Way(
                        sort: sort, order: order,
                        filters: ["finished", "since:2026-11-24T00:10:00Z"], size: 1_000,
                        counts: true))
            }
        }
        return ways
    }()

    @Test(arguments: ways.indices)
    func `pages by cursor are the whole search, while events are appended`(place: Int) throws {
        let way = Self.ways[place]
        for seed in UInt64(0)..<2 {
            var log = ModelLog(seed: seed, count: 500)
            let expected = log.search(way.filters, way.term, way.sort, way.order)
            let answers = try ask(way, of: &log, appending: 3)
            #expect(answers.flatMap(\.sequences) == expected, "\(way), seed \(seed)")
            if way.counts {
                #expect(answers.allSatisfy { $0.count == expected.count }, "\(way)")
            }
            #expect(answers.allSatisfy { $0.isComplete && $0.sequences.count <= way.size })
            #expect(answers.dropLast().allSatisfy { $0.sequences.count == way.size })
        }
    }

    @Test(arguments: ["asc", "desc"])
    func `what is too much for one request is told, and cursors go on`(order: String) throws {
        for seed in UInt64(0)..<2 {
            var log = ModelLog(seed: seed, count: 3_000)
            log.pageSequences = 6
            let way = Way(order: order, filters: ["running"], size: 1_000, counts: true)
            let expected = log.search(way.filters, nil, "sequence", order)
            let answers = try ask(way, of: &log, appending: 2)
            #expect(answers.flatMap(\.sequences) == expected)
            #expect(answers.contains { !$0.isComplete })
            #expect(answers.allSatisfy { $0.pages <= EventIndexScan.pageLimit })
            #expect(answers.last?.count == expected.count)
            #expect(answers.last?.isComplete == true)
        }
    }

    @Test func `a count that takes more than one request is finished by its cursors`() throws {
        var log = ModelLog(seed: 4, count: 3_000)
        log.pageSequences = 6
        let answers = try ask(Way(size: 1, counts: true), of: &log, appending: 1, until: 40)
        let expected = log.search([], nil, "sequence", "asc", before: 3_000).count
        let counts = answers.map(\.count)
        #expect(counts == counts.sorted() && answers[0].count < expected)
        #expect(counts.last == expected)
    }

    @Test(arguments: ["asc", "desc"])
    func `a sort that is cut short is sorted stretch by stretch, and loses nothing`(
        order: String
    ) throws {
        var log = ModelLog(seed: 6, count: 3_000)
        log.pageSequences = 6
        let way = Way(sort: "start_time", order: order, size: 30, counts: true)
        let expected = log.search([], nil, "start_time", order)
        let answers = try ask(way, of: &log, appending: 1)
        let found = answers.flatMap(\.sequences)
        #expect(found.sorted() == expected.sorted() && found != expected)
        #expect(answers.allSatisfy { !$0.isComplete })
        #expect(answers.last?.count == expected.count)
        let times = found.map { log.events[$0].started }
        let turns = zip(times, times.dropFirst()).count { order == "asc" ? $0 > $1 : $0 < $1 }
        #expect(turns <= 3_000 / (6 * EventIndexScan.pageLimit / 2), "\(turns) stretches")
    }

    @Test(arguments: ways.indices)
    func `pages by number are parts of the whole`(place: Int) throws {
        let way = Self.ways[place]
        var log = ModelLog(seed: 9, count: 700)
        let expected = log.search(way.filters, way.term, way.sort, way.order)
        for number in [1, 2, 5, way.sort == "start_time" ? 9 : 400] {
            let answer = try ask(way, of: &log, more: ["page.number": "\(number)"])
            let start = min((number - 1) * way.size, expected.count)
            let end = min(start + way.size, expected.count)
            #expect(answer.sequences == Array(expected[start..<end]), "\(way), page \(number)")
            #expect((answer.next == nil) == (end == expected.count))
        }
    }

    @Test func `rows that page_number passes by stay passed by behind a cursor`() throws {
        var log = ModelLog(seed: 2, count: 3_000)
        log.pageSequences = 6
        for order in ["asc", "desc"] {
            let expected = log.search([], nil, "sequence", order)
            var answer = try ask(
                Way(order: order, size: 100), of: &log, more: ["page.number": "13"])
            #expect(answer.sequences.isEmpty && !answer.isComplete)
            while answer.sequences.isEmpty, let next = answer.next {
                answer = try ask(
                    Way(order: order, size: 100), of: &log, more: ["page.after": "\"\(next)\""])
            }
            #expect(answer.sequences.first == expected[1_200])
        }
    }

    @Test func `an empty log and a search without a match are answered`() throws {
        var log = ModelLog(seed: 1, count: 0)
        for order in ["asc", "desc"] {
            for sort in ["sequence", "start_time"] {
                let way = Way(sort: sort, order: order, counts: true)
                let answer = try ask(way, of: &log, more: [:])
                #expect(answer.sequences.isEmpty && answer.isComplete && answer.next == nil)
                #expect(answer.count == 0)
            }
        }
        log = ModelLog(seed: 1, count: 300)
        let answer = try ask(Way(filters: ["running", "finished"]), of: &log, more: [:])
        #expect(answer.sequences.isEmpty && answer.isComplete && answer.next == nil)
    }

    // MARK: Parameters

    @Test func `all faults are told together, in the order of the parameters`() throws {
        var gateway = TestGateway()
        let answer = try TestAnswer(
            gateway.answer(
                .post(
                    "audit_events_fmp/index",
                    [
                        "sort": "{\"by\":\"host\",\"order\":\"up\"}", "filters": "[\"ran\"]",
                        "page": "{\"after\":\"x\",\"number\":0,\"size\":1001}",
                        "count": "\"perhaps\"", "session_view": "\"all\"",
                        "search": "{\"term\":7,\"attributes\":[\"salt\"]}",
                    ], token: TestGateway.application.text)))
        #expect(answer.code == 400)
        #expect(
            answer.errors == [
                "search.term wrong type", "search.attributes unrecognized", "filters unrecognized",
                "count wrong type", "page.size wrong type", "page.number wrong type",
                "page.after unrecognized", "sort.by unrecognized", "sort.order unrecognized",
                "session_view unrecognized",
            ])
    }

    @Test func `a cursor is good for its own search, order and log alone`() throws {
        var log = ModelLog(seed: 1, count: 300)
        let way = Way(filters: ["running"], size: 5)
        let next = try #require(try ask(way, of: &log, more: [:]).next)
        var others = [way, way, way, way]
        others[0].filters = ["finished"]
        others[1].order = "desc"
        others[2].sort = "recorded_at"
        others[3].term = "script"
        for other in others {
            let refused = try refusal(other, ["page.after": "\"\(next)\""])
            #expect(refused == ["page.after unrecognized"], "\(other)")
        }
        var counting = way
        counting.counts = true
        #expect(try refusal(counting, ["page.after": "\"\(next)\""]) == ["count not allowed"])
        for text in ["e1", "!", "ZTEvMC8w", next + "AAAA", String(next.dropLast(3))] {
            #expect(
                try refusal(way, ["page.after": "\"\(text)\""]) == ["page.after unrecognized"],
                "\(text)")
        }
        // A log that has less than the cursor says is another one.
        var gateway = TestGateway()
        guard
            case .index(var scan) = gateway.admit(
                request(way, ["page.after": "\"\(next)\""])
            ).admission
        else { throw Unexpected() }
        var shorter = ModelLog(seed: 1, count: 200)
        let (head, lines) = shorter.answer(scan.nextPage)
        let isItsLog = scan.take(head, lines)
        #expect(!isItsLog)
    }

    @Test func `cursors survive their text`() {
        let binding = EventIndexBinding(
            cluster: .max, search: 77, sort: .start, isFalling: true)
        var position = EventIndexPosition(
            end: Sequence(90), place: Sequence(5), skipped: 3, count: 8, counted: Sequence(6))
        position.stretchEnd = Sequence(70)
        position.shown = EventIndexKey(time: Timestamp(microseconds: -4), sequence: Sequence(9))
        let text = Base64.decode(binding.cursor(position)) ?? []
        #expect(binding.position(text) == position)
        #expect(
            EventIndexBinding(cluster: 1, search: 77, sort: .start, isFalling: true)
                .position(text) == nil)
    }

    @Test func `numbers of a cursor that no answer ever had are refused`() {
        let binding = EventIndexBinding(cluster: 1, search: 2, sort: .start, isFalling: false)
        let good = EventIndexPosition(
            end: Sequence(9), place: .zero, skipped: 3, count: 4, counted: Sequence(5))
        #expect(binding.position(Base64.decode(binding.cursor(good)) ?? []) == good)
        var positions = [good, good, good, good]
        positions[0].skipped = .max
        positions[1].count = .max
        positions[2].end = Sequence(.max)
        positions[3].counted = Sequence(10)
        for position in positions {
            let text = Base64.decode(binding.cursor(position)) ?? []
            #expect(binding.position(text) == nil, "\(position)")
        }
    }

    @Test(arguments: ["18446744073709551613", "18446744073709551615", "4611686018427387904"])
    func `a sequence that cannot be counted on from is no sequence`(number: String) throws {
        var gateway = TestGateway()
        for target in [
            "/v1/events?from=", "/v1/events?until=", "/v1/events?after=", "/v1/events/a?after=",
        ] {
            let answer = gateway.answer(.get(target + number))
            #expect(answer.status == 400, "\(target)\(number)")
        }
    }

    @Test func `a sort by start_time reaches so many rows by number, and the rest by cursor`()
        throws
    {
        let way = Way(sort: "start_time", size: 1_000)
        #expect(try refusal(way, ["page.number": "11"]) == ["page.number too long"])
        var log = ModelLog(seed: 1, count: 300)
        #expect(try ask(way, of: &log, more: ["page.number": "10"]).sequences.isEmpty)
    }

    // MARK: Asking

    private struct Unexpected: Error {}

    private func request(_ way: Way, _ more: KeyValuePairs<String, String>) -> TestRequest {
        var members = [
            "\"sort.by\":\"\(way.sort)\"", "\"sort.order\":\"\(way.order)\"",
            "\"page.size\":\(way.size)", "\"count\":\(way.counts)",
            "\"filters\":[\(way.filters.map { "\"\($0)\"" }.joined(separator: ","))]",
            "\"token\":\"\(TestGateway.application.text)\"",
        ]
        if let term = way.term { members.append("\"search.term\":\"\(term)\"") }
        members += more.map { "\"\($0.key)\":\($0.value)" }
        var request = TestRequest(target: "/api/v1/audit_events_fmp/index")
        request.body = Array("{\(members.joined(separator: ","))}".utf8)
        return request
    }

    private func refusal(_ way: Way, _ more: KeyValuePairs<String, String>) throws -> [String] {
        var gateway = TestGateway()
        return try TestAnswer(gateway.answer(request(way, more))).errors
    }

    private func ask(
        _ way: Way, of log: inout ModelLog, more: KeyValuePairs<String, String>
    ) throws -> IndexAnswer {
        var gateway = TestGateway()
        guard case .index(var scan) = gateway.admit(request(way, more)).admission else {
            throw Unexpected()
        }
        while !scan.isOver {
            let page = scan.nextPage
            let (head, lines) = log.answer(page)
            let isItsLog = scan.take(head, lines)
            #expect(isItsLog)
        }
        let answer = try TestAnswer(gateway.core.answer(scan, requestID: "r-1"))
        return try IndexAnswer(answer, pages: scan.pageCount)
    }

    /// All pages by cursor; so many events come between two of them.
    private func ask(
        _ way: Way, of log: inout ModelLog, appending count: Int, until limit: Int = 2_000
    ) throws -> [IndexAnswer] {
        var answers = [try ask(way, of: &log, more: [:])]
        while let next = answers.last?.next, answers.count < limit {
            for _ in 0..<count { log.append() }
            answers.append(try ask(way, of: &log, more: ["page.after": "\"\(next)\""]))
        }
        return answers
    }
}

/// An answer of the index, read.
private struct IndexAnswer {
    let sequences: [Int]
    let next: String?
    let count: Int
    let isComplete: Bool
    let pages: Int

    init(_ answer: TestAnswer, pages: Int) throws {
        try #require(answer.code == 200, "\(answer.text)")
        let rows = answer.raw(try #require(answer.node("data", "results")))
        sequences = rows.split(separator: "\"sequence\":").dropFirst().compactMap {
            Int($0.prefix { $0.isNumber })
        }
        next = answer.node("data", "next").map { String(answer.raw($0).dropFirst().dropLast()) }
        count = answer.node("data", "count").flatMap { Int(answer.raw($0)) } ?? -1
        isComplete = answer.raw(try #require(answer.node("data", "complete"))) == "true"
        self.pages = pages
    }
}

/// A log of events with revisions, and a node that answers pages of it.
private struct ModelLog {
    struct Event {
        let id: Int
        let script: String
        /// Minutes after midnight.
        let started: Int
        let isFinished: Bool
    }

    private(set) var events: [Event] = []
    /// Of each event the sequence of the next revision of its id.
    private var followers: [Int] = []
    private var newest: [Int: Int] = [:]
    /// Sequences of a page at most.
    var pageSequences = 60
    private var random: RandomSource

    init(seed: UInt64, count: Int) {
        random = RandomSource(seed: seed)
        for _ in 0..<count { append() }
    }

    mutating func append() {
        let id = random.below(events.count + 3)
        if let older = newest.updateValue(events.count, forKey: id) {
            followers[older] = events.count
        }
        followers.append(.max)
        events.append(
            Event(
                id: id, script: "Script \(random.below(8))",
                started: random.below(40), isFinished: random.below(3) == 0))
    }

    private func isNewest(_ place: Int, before end: Int) -> Bool {
        followers[place] >= end
    }

    /// Sequences of what a search finds, in its order.
    func search(
        _ filters: [String], _ term: String?, _ sort: String, _ order: String,
        before end: Int? = nil
    ) -> [Int] {
        let end = end ?? events.count
        var found = (0..<end).filter { place in
            let event = events[place]
            return isNewest(place, before: end)
                && filters.allSatisfy { filter in
                    switch filter {
                    case "running": !event.isFinished
                    case "finished": event.isFinished
                    default: event.started >= 10
                    }
                }
                && (term.map { event.script.lowercased().contains($0.lowercased()) } ?? true)
        }
        if sort == "start_time" {
            found.sort { (events[$0].started, $0) < (events[$1].started, $1) }
        }
        return order == "asc" ? found : found.reversed()
    }

    /// What a node answers.
    mutating func answer(_ page: PageRequest) -> (RowsHead, [UInt8]) {
        var head = RowsHead(id: 1, outcome: .found)
        head.end = Sequence(UInt64(events.count))
        let until = min(page.until ?? head.end, head.end)
        guard page.from < until else {
            head.next = page.from
            return (head, [])
        }
        let sequences = 1 + random.below(pageSequences)
        head.next = min(page.from.advanced(by: sequences), until)
        var lines: [UInt8] = []
        let end = min(Int(page.filter.newestBefore?.value ?? 0), events.count)
        for place in Int(page.from.value)..<Int(head.next.value)
        where isNewest(place, before: end) && isWanted(events[place], page.filter) {
            let event = events[place]
            let minutes = event.started < 10 ? "0\(event.started)" : "\(event.started)"
            lines += Array(
                ("{\"unique_id\":\"id \(event.id)\",\"script_name\":\"\(event.script)\","
                    + "\"start_time\":\"2026-11-24T00:\(minutes):00Z\",\"sequence\":\(place)}\n")
                    .utf8)
        }
        return (head, lines)
    }

    private func isWanted(_ event: Event, _ filter: EventFilter) -> Bool {
        let since = filter.since == nil || event.started >= 10
        let state: Bool =
            switch filter.state {
            case .any: true
            case .running: !event.isFinished
            case .finished: event.isFinished
            case .neither: false
            }
        return since && state
            && (filter.search?.isFound(in: Array(event.script.utf8)) ?? true)
    }
}
