import HTTPWire
import JSON
import Testing

@testable import daybook

struct EventLineCutterTests {
    private func lines(_ text: String, step: Int) -> [EventLine] {
        var cutter = EventLineCutter()
        var rest = Array(text.utf8)[...]
        var found: [EventLine] = []
        while true {
            while let line = cutter.next(isAtEnd: rest.isEmpty) { found.append(line) }
            if rest.isEmpty { return found }
            cutter.bytes.append(contentsOf: rest.prefix(step))
            rest = rest.dropFirst(step)
        }
    }

    @Test(arguments: [1, 2, 3, 100])
    func `blank lines count and are left out, and the last needs no line feed`(_ step: Int) {
        let found = lines("a\n\n \t\r\nb\r\n\nlast", step: step)
        #expect(found.map(\.number) == [1, 4, 6])
        #expect(found.map { String(decoding: $0.content, as: UTF8.self) } == ["a", "b\r", "last"])
    }

    @Test(arguments: [40_000, 3_000_000])
    func `a line that is too long is one line, and the next is read as ever`(_ step: Int) {
        let long = String(repeating: "x", count: EventLineCutter.lineLimit + 100_000)
        let fits = String(repeating: "y", count: EventLineCutter.lineLimit)
        let found = lines("a\n\(long)\nb\n\(fits)\n\(long)", step: step)
        #expect(found.map(\.number) == [1, 2, 3, 4, 5])
        #expect(found.map(\.isTooLong) == [false, true, false, false, true])
        #expect(found[3].content.count == EventLineCutter.lineLimit)
    }
}

/// A window whose calls can stand inside an expectation.
private final class SentWindow {
    private var window = AppendWindow()

    init(_ count: UInt64) {
        for number in 0..<count {
            let content = Array("{\(number + 1)}".utf8)
            window.append(EventLine(number: number + 1, content: content, isTooLong: false))
        }
    }

    var isEmpty: Bool { window.isEmpty }
    var count: Int { window.count }
    var firstNumber: UInt64? { window.firstNumber }
    var isAnswered: Bool { window.isAnswered }
    var interruption: LineAnswer? { window.interruption }

    func hasRoom(for line: EventLine) -> Bool { window.hasRoom(for: line) }
    func append(_ line: EventLine) { window.append(line) }
    func begin() -> String { String(decoding: window.begin(), as: UTF8.self) }
    func take(_ answer: LineAnswer) -> Bool { window.take(answer) }
    func removeSettled() -> [AppendWindow.Settled] { window.removeSettled() }
}

struct AppendWindowTests {
    private func answer(_ code: Int, _ slug: String) throws -> LineAnswer {
        let line = "{\"code\":\(code),\"status\":\"\(slug)\",\"message\":\"m\"}"
        return try #require(LineAnswer(Array(line.utf8)))
    }

    @Test func `a window takes 512 lines or one mebibyte, and always one line`() {
        var sent = SentWindow(512)
        let small = EventLine(number: 1, content: [1], isTooLong: false)
        #expect(!sent.hasRoom(for: small))
        sent = SentWindow(0)
        let large = EventLine(
            number: 1, content: [UInt8](repeating: 1, count: 1_024 * 1_024), isTooLong: false)
        #expect(sent.hasRoom(for: large))
        sent.append(large)
        #expect(!sent.hasRoom(for: small))
    }

    @Test func `events are settled up to the first that is not, and the rest is sent again`() throws
    {
        let sent = SentWindow(4)
        #expect(sent.begin() == "{1}\n{2}\n{3}\n{4}\n")
        let refused = try answer(400, "invalid-param")
        let answers = [refused, try answer(503, "not-ready"), .recorded(sequence: 7), refused]
        for answer in answers { #expect(sent.take(answer)) }
        #expect(sent.isAnswered)
        #expect(sent.removeSettled().map(\.line.number) == [1])
        #expect(sent.begin() == "{2}\n{3}\n{4}\n")
        // What was recorded behind it is now a duplicate of itself.
        for answer in [.recorded(sequence: 9), .duplicate(sequence: 7), refused] {
            #expect(sent.take(answer))
        }
        #expect(sent.interruption == nil)
        #expect(
            sent.removeSettled().map(\.answer)
                == [.recorded(sequence: 9), .recorded(sequence: 7), refused])
        #expect(sent.isEmpty)
    }

    @Test func `answers that came before a connection was lost count`() {
        let sent = SentWindow(3)
        _ = sent.begin()
        #expect(sent.take(.recorded(sequence: 1)))
        #expect(!sent.isAnswered)
        #expect(sent.removeSettled().count == 1)
        _ = sent.begin()
        #expect(sent.removeSettled().isEmpty)
        #expect(sent.firstNumber == 2 && sent.count == 2)
    }

    @Test func `more answers than events are refused`() {
        let sent = SentWindow(1)
        _ = sent.begin()
        #expect(sent.take(.recorded(sequence: 1)))
        #expect(!sent.take(.recorded(sequence: 2)))
    }

    @Test func `a token that is refused ends the window`() throws {
        let sent = SentWindow(2)
        _ = sent.begin()
        let fatal = try answer(401, "invalid-token")
        #expect(sent.take(fatal))
        #expect(sent.take(.recorded(sequence: 2)))
        #expect(sent.interruption == fatal)
        #expect(sent.removeSettled().isEmpty)
    }
}

struct LineAnswerTests {
    @Test func `a success tells the sequence and whether it was there`() {
        let line =
            "{\"code\":200,\"status\":\"action-successful\",\"data\":{\"sequence\":12,\"duplicate\":"
        #expect(LineAnswer(Array((line + "false}}").utf8)) == .recorded(sequence: 12))
        #expect(LineAnswer(Array((line + "true}}").utf8)) == .duplicate(sequence: 12))
    }

    @Test(arguments: [
        "", "{}", "[]", "{\"code\":200}", "{\"code\":200,\"data\":{}}", "{\"code\":\"200\"}",
        "<html>",
        "{\"code\":200,\"data\":{\"sequence\":-1}}",
    ]) func `what says nothing of an event is no answer`(_ line: String) {
        #expect(LineAnswer(Array(line.utf8)) == nil)
    }

    @Test func `a refusal tells every fault of the line`() throws {
        let line =
            "{\"code\":400,\"status\":\"missing-param\",\"message\":\"m\",\"errors\":["
            + "{\"attr\":\"host_name\",\"message\":\"missing\",\"detail\":\"it is required\"},"
            + "{\"attr\":\"notes\",\"message\":\"wrong type\"}]}"
        guard case .refused(let refusal)? = LineAnswer(Array(line.utf8)) else {
            Issue.record("no refusal")
            return
        }
        #expect(
            refusal.description
                == "missing-param: host_name: missing (it is required); notes: wrong type")
    }

    @Test(arguments: [
        (503, "not-ready", true), (429, "rate-limit-exceeded", true), (502, "x", true),
        (500, "application-crash", true), (500, "route-non-existent", false),
        (403, "permission-denied", false), (413, "payload-too-large", false),
    ]) func `only what may pass is tried again`(_ code: Int, _ slug: String, _ passes: Bool) {
        let body = Array("{\"status\":\"\(slug)\"}".utf8)
        let refusal = ServiceRefusal(HTTPResponseHead(status: code), body)
        #expect(refusal.isTransient == passes)
        #expect(refusal.failure.code == (passes ? .notReady : .refused))
    }
}

struct AppendTellingTests {
    @Test func `the summary counts what was measured`() {
        var totals = AppendTotals()
        totals.count(.recorded(sequence: 9))
        totals.count(.duplicate(sequence: 4))
        #expect(totals.text == "2 events: 1 recorded, 1 already there, 0 refused\n")
        totals.notRecorded = 3
        #expect(totals.text.hasSuffix("0 refused, 3 not recorded\n"))
        #expect(
            String(decoding: totals.json(milliseconds: 1_007, nextLine: 3), as: UTF8.self)
                == "{\"lines\":5,\"recorded\":1,\"duplicates\":1,\"refused\":0,\"not_recorded\":3,"
                + "\"seconds\":1.007,\"last_sequence\":9,\"next_line\":3}\n")
    }

    @Test func `a checkpoint is read back for its own input alone`() throws {
        let text = AppendCheckpoint.text(nextLine: 513, input: "a \"b\"")
        #expect(try AppendCheckpoint.line(text, path: "c", input: "a \"b\"") == 513)
        for (bytes, input) in [
            (text, "other"), (Array("{}".utf8), "a"), ([], "a"),
            (AppendCheckpoint.text(nextLine: 0, input: "a"), "a"),
        ] {
            #expect(throws: CommandFailure.self) {
                try AppendCheckpoint.line(bytes, path: "c", input: input)
            }
        }
    }

    @Test func `progress shows a share only where the end is known`() {
        let second: UInt64 = 1_000_000_000
        #expect(
            ProgressLine.text(events: 500, bytes: 50, total: nil, nanoseconds: 2 * second)
                == "500 events, 250/s")
        let text = ProgressLine.text(events: 500, bytes: 50, total: 200, nanoseconds: 2 * second)
        #expect(text == "[######..................] 25%  500 events, 250/s  ETA 0:06")
        #expect(ProgressLine.clock(7_209) == "2:00:09")
    }

    @Test func `patience ends after its time without progress, in growing pauses`() {
        var patience = Patience(seconds: 10, now: 0)
        var now: UInt64 = 0
        var pauses: [UInt64] = []
        while let pause = patience.pause(now: now) {
            pauses.append(pause / 1_000_000)
            now += pause
        }
        #expect(pauses == [50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000, 850])
        #expect(now == 10_000_000_000)
        patience.progress(now: now)
        let (first, asked) = (
            patience.pause(now: now), patience.pause(now: now, retryAfterSeconds: 1)
        )
        #expect(first == 50_000_000)
        #expect(asked == 1_000_000_000)
        var none = Patience(seconds: 0, now: 5)
        let pause = none.pause(now: 5)
        #expect(pause == nil)
    }
}
