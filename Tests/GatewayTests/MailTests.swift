import Bytes
import JSON
import Ledger
import PeerWire
import Records
import Testing

@testable import Gateway

/// Gateways that deliver, a log that they report to, and one clock that the test moves.
private struct Post {
    private static let rules = "from = Daybook <a@b.c>\nalert = notes contains \"x\" -> d@e.f"

    var directory = Directory()
    var desks: [MailDesk]
    var now = Instant(nanoseconds: 100_000_000_000)
    /// Of the leader, ahead of the gateways' by so much.
    var aheadMicroseconds = 0
    /// Attempts that are under way, by desk.
    var attempts: [(desk: Int, attempt: MailDesk.Attempt)] = []

    init(desks count: UInt64 = 2) throws {
        desks = (1...count).map {
            MailDesk(gateway: Identifier(high: $0, low: $0), delivers: true)
        }
        try make(.rules(Self.rules))
    }

    var wall: Timestamp { Timestamp(microseconds: Int64(now.nanoseconds / 1_000)) }
    var leaderWall: Timestamp { wall.advanced(byMicroseconds: aheadMicroseconds) }

    mutating func make(_ change: MailChange) throws {
        let fits = directory.apply(.directory(.mail(change)), at: leaderWall)
        try #require(fits, "\(change)")
    }

    mutating func owe(_ user: UInt64 = 1) throws {
        try make(
            .owe([MailOrder(recipient: "u\(user)@b.c", subject: .welcome(UserID(user)))]))
    }

    /// One turn of the desks with these numbers; what they report is in the log at once, unless it
    /// is lost.
    mutating func turn(_ numbers: [Int], loses: Bool = false) throws {
        for _ in 1...2 {
            for number in numbers {
                desks[number].advance(directory.mail, now: now, wall: wall)
                attempts += desks[number].attempts.map { (number, $0) }
                desks[number].attempts.removeAll()
                let reports = desks[number].reports
                desks[number].reports.removeAll()
                guard !loses else { continue }
                let news = reports.filter { directory.mail.isNews($0, at: leaderWall) }
                if !news.isEmpty { try make(.reports(news)) }
            }
        }
    }

    mutating func pass(seconds: Double) {
        now = now.advanced(byNanoseconds: UInt64(seconds * 1_000_000_000))
    }

    /// Ends the oldest attempt.
    mutating func finish(failure: String?) throws {
        let (desk, attempt) = attempts.removeFirst()
        desks[desk].finished(attempt, failure: failure)
        try turn([desk])
    }
}

@Suite struct MailDeskTests {
    @Test func `mail is claimed, tried and reported, and the answer waits until then`() throws {
        var post = try Post()
        try post.owe()
        let owed = MailDesk.owed(for: UserID(1), in: post.directory.mail)
        #expect(owed == [1])
        let answer = CommandReply.Outcome.done(.user(UserID(1)))
        post.desks[1].wait(
            for: owed, .command(answer), exchange: ExchangeID(7), item: 0, now: post.now)
        try post.turn([0, 1])
        #expect(post.attempts.map(\.desk) == [0])
        #expect(post.attempts[0].attempt.timeoutNanoseconds == 2_000_000_000)
        #expect(post.desks[1].settled.isEmpty)
        try post.finish(failure: nil)
        try post.turn([1])
        #expect(post.directory.mail.owed.isEmpty)
        #expect(post.desks[1].settled.map(\.isLate) == [false])
        #expect(post.desks[1].settled.map(\.wait.exchange) == [ExchangeID(7)])
        #expect(post.directory.mail.notifications.isEmpty)
    }

    @Test func `a failed attempt makes the answer late, and is tried again after the pause`() throws
    {
        var post = try Post()
        try post.owe()
        post.desks[0].wait(
            for: [1], .command(.none), exchange: ExchangeID(1), item: 0, now: post.now)
        try post.turn([0, 1])
        try post.finish(failure: "no")
        try post.turn([0])
        #expect(post.desks[0].settled.map(\.isLate) == [true])
        #expect(post.directory.mail.notifications.map(\.reason) == ["no"])
        // An answer that comes behind the failure, from the same read of the link, is late too.
        let owed = MailDesk.owed(for: UserID(1), in: post.directory.mail)
        post.desks[0].wait(
            for: owed, .command(.none), exchange: ExchangeID(2), item: 0, now: post.now)
        try post.turn([0])
        #expect(post.desks[0].settled.map(\.isLate) == [true, true])
        post.pass(seconds: 4.9)
        try post.turn([0, 1])
        #expect(post.attempts.isEmpty)
        post.pass(seconds: 0.2)
        try post.turn([0, 1])
        #expect(post.attempts.map(\.desk) == [0])
        #expect(post.attempts[0].attempt.timeoutNanoseconds == 5_000_000_000)
    }

    @Test func `an answer waits no longer than its bound, and the log says so first`() throws {
        var post = try Post(desks: 1)
        post.desks = [MailDesk(gateway: Identifier(high: 1, low: 1), delivers: false)]
        try post.owe()
        post.desks[0].wait(
            for: [1], .command(.none), exchange: ExchangeID(1), item: 0, now: post.now)
        try post.turn([0])
        post.pass(seconds: 2.4)
        try post.turn([0])
        #expect(post.desks[0].settled.isEmpty && post.directory.mail.notifications.isEmpty)
        post.pass(seconds: 0.1)
        try post.turn([0])
        #expect(post.desks[0].settled.map(\.isLate) == [true])
        #expect(post.directory.mail.notifications.map(\.attempts) == [0])
        #expect(post.attempts.isEmpty)
        // Without a leader there is no log to say so; the answer goes out all the same.
        try post.owe(2)
        post.desks[0].wait(
            for: [2], .command(.none), exchange: ExchangeID(2), item: 0, now: post.now)
        post.pass(seconds: 4.4)
        try post.turn([0], loses: true)
        #expect(post.desks[0].settled.count == 1)
        post.pass(seconds: 0.1)
        try post.turn([0], loses: true)
        #expect(post.desks[0].settled.map(\.isLate) == [true, true])
    }

    @Test func `another gateway takes over when the first is gone, and not before`() throws {
        var post = try Post()
        try post.owe()
        try post.turn([0, 1])
        #expect(post.attempts.map(\.desk) == [0])
        // The first one dies here.
        post.attempts.removeAll()
        for _ in 0..<19 {
            post.pass(seconds: 1)
            try post.turn([1])
            #expect(post.attempts.isEmpty)
        }
        var seconds = 19
        while post.attempts.isEmpty, seconds < 30 {
            post.pass(seconds: 1)
            seconds += 1
            try post.turn([1])
        }
        #expect(post.attempts.map(\.desk) == [1])
        #expect(seconds <= 22, "\(seconds) s")
    }

    @Test func `a gateway that ends hands the lease on, unless it is at work`() throws {
        var post = try Post()
        try post.owe()
        try post.turn([0, 1])
        #expect(post.desks[0].leave(at: post.now).isEmpty)
        try post.finish(failure: nil)
        let last = post.desks[0].leave(at: post.now)
        #expect(last == [.release(Identifier(high: 1, low: 1))])
        #expect(post.desks[1].leave(at: post.now).isEmpty)
        try post.make(.reports(last))
        try post.owe(2)
        try post.turn([1])
        #expect(post.attempts.map(\.desk) == [1])
    }

    @Test func `a lease counts from when it was asked for, whatever a leader's clock says`() throws
    {
        var post = try Post()
        try post.owe()
        // The claim goes out; the grant is heard 9 s later.
        post.desks[0].advance(post.directory.mail, now: post.now, wall: post.wall)
        let claim = post.desks[0].reports
        #expect(claim.count == 1)
        post.desks[0].reports.removeAll()
        try post.make(.reports(claim))
        post.pass(seconds: 14)
        post.desks[0].advance(post.directory.mail, now: post.now, wall: post.wall)
        // 15 s of 20 count, of which 14 are over: too little for an attempt of 2 s.
        #expect(post.desks[0].attempts.isEmpty)
        // A new leader whose clock is 5 s ahead gives the lease away 15 s after the claim, not before.
        post.aheadMicroseconds = 5_000_000
        post.desks[1].advance(post.directory.mail, now: post.now, wall: post.wall)
        let other = post.desks[1].reports
        #expect(!other.allSatisfy { post.directory.mail.isNews($0, at: post.leaderWall) })
        post.pass(seconds: 1)
        #expect(other.allSatisfy { post.directory.mail.isNews($0, at: post.leaderWall) })
        #expect(!post.desks[0].isDelivering(at: post.now))
    }

    @Test func `at no time do two gateways deliver, over days of failures and lost reports`() throws
    {
        var random = RandomSource(seed: 11)
        var post = try Post(desks: 3)
        var isUp = [true, true, true]
        var tried: [UInt64: Int] = [:]
        for step in 0..<6_000 {
            if step % 40 == 0 { try post.owe(UInt64(step)) }
            post.aheadMicroseconds = Int(random.next() % 5_000_001)
            for desk in 0..<3 where random.next() % 50 == 0 { isUp[desk].toggle() }
            let before = post.attempts.count
            let up = (0..<3).filter { isUp[$0] }
            try post.turn(up, loses: random.next() % 8 == 0)
            for (_, attempt) in post.attempts[before...] { tried[attempt.mail.id, default: 0] += 1 }
            #expect(Set(post.attempts.map(\.desk)).count <= 1, "step \(step)")
            #expect(Set(post.attempts.map(\.attempt.mail.id)).count == post.attempts.count)
            // Attempts end within their time: here, within the same second.
            while !post.attempts.isEmpty {
                let (desk, attempt) = post.attempts.removeFirst()
                let failure = random.next() % 4 == 0 ? "no" : nil
                post.desks[desk].finished(attempt, failure: failure)
            }
            let delivering = post.desks.count { $0.isDelivering(at: post.now) }
            #expect(delivering <= 1, "step \(step)")
            post.pass(seconds: 1)
        }
        #expect(tried.count > 100, "\(tried.count) mails were tried")
    }
}

@Suite struct MandrillTests {
    private static func event(_ script: String = "Nightly\u{7}") throws -> MailOrder {
        var bytes: [UInt8] = []
        bytes.append(counted: "longer than 1 s -> a@b.c")
        bytes.append(littleEndian: UInt64(5))
        bytes.append(littleEndian: UInt32(2))
        for text in ["planox2", "id-1", script, "fms-01", "2026-11-24", ""] {
            bytes.append(counted: text)
        }
        var cursor = ByteCursor(0..<bytes.count)
        return MailOrder(
            recipient: "a@b.c", subject: .alert(try AlertedEvent(&cursor, bytes.span)))
    }

    @Test func `a mail has Mandrill's form, and one name in all its attempts`() throws {
        let rules = try MailRules("from = The Daybook <audit@b.c>")
        let name = Mandrill.name(of: 7, cluster: Identifier(high: 1, low: 2))
        let body = Mandrill.body(
            key: Array("secret".utf8), name: name, recipient: "a@b.c",
            MailText(try Self.event(), user: nil), from: rules)
        #expect(
            String(decoding: body, as: UTF8.self) == #"""
                {"key":"secret","message":{"subject":"Daybook: Nightly  on fms-01","text":"An event matches the rule\u000a\u000a    longer than 1 s -> a@b.c\u000a\u000ascript_name: Nightly \u000ahost_name: fms-01\u000astart_time: 2026-11-24\u000astop_time: none yet\u000aunique_id: id-1\u000aapplication: planox2\u000arevision: 2\u000asequence: 5\u000a","from_email":"audit@b.c","from_name":"The Daybook","to":[{"email":"a@b.c","type":"to"}],"headers":{"X-Daybook-Mail":"\#(name)"},"important":false,"track_opens":false,"track_clicks":false,"tags":["daybook-alert"],"metadata":{"daybook_mail":"\#(name)"}},"async":false}
                """#)
    }

    @Test(
        arguments: [
            (200, #"[{"email":"a@b.c","status":"sent","reject_reason":null,"_id":"1"}]"#, nil),
            (200, #"[{"email":"a@b.c","status":"queued","_id":"1"}]"#, nil),
            (200, #"[{"email":"a@b.c","status":"scheduled","_id":"1"}]"#, nil),
            (
                200, #"[{"email":"a@b.c","status":"rejected","reject_reason":"hard-bounce"}]"#,
                "rejected: hard-bounce"
            ),
            (200, #"[{"email":"a@b.c","status":"invalid"}]"#, "invalid: no reason is given"),
            (
                500, #"{"status":"error","code":-1,"name":"Invalid_Key","message":"bad key KEY"}"#,
                "Invalid_Key: bad key (the key)"
            ),
            (200, "[]", "HTTP 200, and no answer of Mandrill's in it"),
            (200, #"{"status":"sent"}"#, "HTTP 200, and no answer of Mandrill's in it"),
            (500, #"[{"status":"sent"}]"#, "HTTP 500, and no answer of Mandrill's in it"),
            (502, "<html>", "HTTP 502, and no answer of Mandrill's in it"),
            (204, "", "HTTP 204, and no answer of Mandrill's in it"),
        ] as [(Int, String, String?)])
    func `answers take a mail or say why not, without the key`(
        _ status: Int, _ body: String, _ expected: String?
    ) {
        let found = Mandrill.refusal(
            status: status, body: Array(body.utf8), key: Array("KEY".utf8))
        #expect(found == expected)
    }

    @Test func `a late answer has all the data, in the order of the contract`() throws {
        var gateway = TestGateway()
        let (admission, _) = gateway.admit(.create())
        guard case .append(var event) = admission else {
            Issue.record("not admitted: \(admission)")
            return
        }
        event.isMailLate = true
        var receipt = Receipt(verdict: .appended, revision: Revision(1))
        receipt.recordedAt = Timestamp(microseconds: 5)
        let answer = try TestAnswer(gateway.core.answer(receipt, event, requestID: "r-1"))
        #expect(answer.code == 500 && answer.string("status") == "mandrill-email-failed")
        #expect(
            answer.text.hasPrefix(
                "{\"code\":500,\"status\":\"mandrill-email-failed\",\"message\":\"It is done, "))
        #expect(answer.node("data", "sequence") != nil && answer.node("data", "salt") != nil)
        var line: [UInt8] = []
        gateway.core.appendLine(receipt, uniqueID: [65], isMailLate: true, to: &line)
        #expect(
            String(decoding: line, as: UTF8.self).hasPrefix(
                "{\"code\":500,\"status\":\"mandrill-email-failed\""))
    }
}

@Suite struct MailRouteTests {
    @Test func `rules are set and shown by administrators alone, and faults have a place`() throws {
        var gateway = TestGateway()
        let source = "from = a@b.c\\nalert = notes contains \\\"x\\\" -> d@e.f"
        let set = try TestAnswer(
            gateway.answer(.post("alerts/update", ["rules": "\"\(source)\""])))
        #expect(set.code == 200 && set.text.contains("\"recipients\":[\"d@e.f\"]"), "\(set.text)")
        let shown = try TestAnswer(
            gateway.answer(.post("alerts/read", ["application_view": "\"none\""])))
        #expect(
            shown.text.contains(source.replacing("\\n", with: "\\u000a")),
            "\(shown.text)")
        let wrong = try TestAnswer(
            gateway.answer(.post("alerts/update", ["rules": "\"from = nobody\""])))
        #expect(wrong.errors == ["rules unrecognized"])
        #expect(wrong.text.contains("line 1, column 8: nobody is no address"), "\(wrong.text)")
        for route in ["alerts/update", "alerts/read", "notifications/index", "notifications/read"] {
            let refused = try TestAnswer(
                gateway.answer(
                    .post(
                        route, ["rules": "\"# none\"", "id": "\"1\""],
                        token: TestGateway.application.text)))
            #expect(refused.string("status") == "permission-denied", "\(route)")
        }
    }

    @Test func `notifications are listed, searched and read once`() throws {
        var gateway = TestGateway()
        gateway.make(
            .mail(.owe([MailOrder(recipient: "a@b.c", subject: .welcome(UserID(11)))])),
            at: gateway.wall)
        gateway.make(
            .mail(.reports([.failed(1, attempt: 1, reason: "HTTP 502")])), at: gateway.wall)
        let list = try TestAnswer(
            gateway.answer(.post("notifications/index", ["filters": "[\"read:false\"]"])))
        #expect(list.text.contains("\"reason\":\"HTTP 502\""), "\(list.text)")
        #expect(list.text.contains("\"user_id\":\"000000000000000b\""), "\(list.text)")
        let read = try TestAnswer(gateway.answer(.post("notifications/read", ["id": "\"1\""])))
        #expect(read.code == 200 && read.text.contains("\"read_at\":"), "\(read.text)")
        let version = gateway.core.directory?.version
        let again = try TestAnswer(gateway.answer(.post("notifications/read", ["id": "\"1\""])))
        #expect(again.code == 200 && gateway.core.directory?.version == version)
        let left = try TestAnswer(
            gateway.answer(.post("notifications/index", ["filters": "[\"read:false\"]"])))
        #expect(left.text.contains("\"results\":[]"), "\(left.text)")
        let unknown = try TestAnswer(gateway.answer(.post("notifications/read", ["id": "\"2\""])))
        #expect(unknown.errors == ["id unknown id"])
    }
}
