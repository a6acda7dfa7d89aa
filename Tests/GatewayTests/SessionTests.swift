import Bytes
import Ledger
import PeerWire
import Records
import Testing

@testable import Gateway

/// Logging in, what sessions are good for, and for how long, on a clock of the test's own.
@Suite struct SessionTests {
    private static let password = "\"correct horse\""

    /// A gateway whose user `ada@example.com` has a password and these records.
    private func gateway(records: String = "[\"client\"]") throws -> TestGateway {
        var gateway = TestGateway()
        let made = try TestAnswer(
            gateway.answer(
                .post(
                    "users/create",
                    [
                        "email": "\"ada@example.com\"", "password": Self.password,
                        "records": records,
                    ])))
        #expect(made.code == 200, "\(made.text)")
        return gateway
    }

    private func login(
        _ gateway: inout TestGateway, email: String = "\"Ada@Example.com\"",
        password: String = SessionTests.password, application: String = "\"planox2\"",
        _ more: KeyValuePairs<String, String> = [:]
    ) throws -> TestAnswer {
        var request = TestRequest.post(
            "sessions/create",
            ["email": email, "password": password, "application": application], token: nil)
        if let (name, value) = more.first {
            request = .post(
                "sessions/create",
                ["email": email, "password": password, "application": application, name: value],
                token: nil)
        }
        return try TestAnswer(gateway.answer(request))
    }

    private func token(_ answer: TestAnswer, _ object: StaticString = "data") throws -> String {
        let node = try #require(answer.node(object, "token"), "\(answer.text)")
        return String(answer.raw(node).dropFirst().dropLast())
    }

    // MARK: Beginning and end

    @Test func `a user logs in, writes, looks at the session and logs out`() throws {
        var gateway = try gateway()
        let begun = try login(&gateway)
        #expect(begun.code == 200 && begun.string("message") == "Logged in.")
        let token = try token(begun)
        #expect(token.hasPrefix("dbk_ses_"))
        #expect(gateway.answer(.create([:], token: token)).status == 200)
        let read = try TestAnswer(gateway.answer(.post("sessions/read", [:], token: token)))
        #expect(read.text.contains("\"email\":\"ada@example.com\""), "\(read.text)")
        #expect(read.text.contains("\"roles\":[\"client\"]"))
        #expect(!read.text.contains("digest") && !read.text.contains("correct"))
        #expect(gateway.answer(.post("sessions/delete", [:], token: token)).status == 200)
        let after = try TestAnswer(gateway.answer(.create([:], token: token)))
        #expect(after.string("status") == "invalid-token")
    }

    @Test func `each reason for which nobody is let in has its name`() throws {
        var gateway = try gateway()
        for (email, password, application, status) in [
            ("\"bob@example.com\"", Self.password, "\"planox2\"", "email-not-found"),
            ("\"ada@example.com\"", "\"wrong horse\"", "\"planox2\"", "invalid-password"),
            ("\"eve@example.com\"", Self.password, "\"planox2\"", "user-has-no-password"),
            ("\"ada@example.com\"", Self.password, "\"planoblue\"", "invalid-param"),
        ] {
            let answer = try login(
                &gateway, email: email, password: password, application: application)
            #expect(answer.string("status") == status, "\(answer.text)")
            #expect(answer.code == 400)
        }
        gateway.make(
            .deleteRole(RoleAssignment(application: "planoorder", role: "client")),
            at: gateway.wall)
        let elsewhere = try login(&gateway, application: "\"planoorder\"")
        #expect(elsewhere.string("status") == "user-requires-role")
    }

    @Test func `an unknown address costs the same hash as a known one`() throws {
        var gateway = try gateway()
        for email in ["\"nobody@example.com\"", "\"ada@example.com\"", "\"eve@example.com\""] {
            let request = TestRequest.post(
                "sessions/create",
                ["email": email, "password": "\"x\"", "application": "\"planox2\""], token: nil)
            guard case .hash(let work) = gateway.admit(request).admission else {
                Issue.record("\(email) is judged without a hash")
                continue
            }
            #expect(work.cost == .current && work.salt.count == PasswordHash.saltByteCount)
        }
    }

    @Test func `all faulty parameters of a login are told together`() throws {
        var gateway = try gateway()
        let request = TestRequest.post(
            "sessions/create",
            ["password": "\"\"", "redirect_url": "\"javascript:x\"", "remember_me": "3"],
            token: nil)
        let answer = try TestAnswer(gateway.answer(request))
        #expect(answer.string("status") == "missing-param")
        #expect(
            answer.errors == [
                "email missing", "password empty", "application missing",
                "redirect_url not allowed", "remember_me wrong type",
            ])
    }

    @Test func `who has no record is let in to register, and to nothing else`() throws {
        var gateway = try gateway(records: "[]")
        let begun = try login(&gateway)
        #expect(begun.code == 401 && begun.string("status") == "client-required")
        let token = try token(begun, "session")
        let denied = try TestAnswer(gateway.answer(.create([:], token: token)))
        #expect(denied.string("status") == "client-required")
        #expect(try self.token(denied, "session") == token)
        #expect(gateway.answer(.post("sessions/read", [:], token: token)).status == 200)

        let odd = TestRequest.post(
            "users/client_register",
            ["first_name": "\"1\"", "last_name": "\"B\"", "phone": "\"call me\""], token: token)
        let failed = try TestAnswer(gateway.answer(odd))
        #expect(failed.string("status") == "client-validation-failed")
        #expect(failed.errors == ["first_name not allowed", "phone not allowed"])
        let good = TestRequest.post(
            "users/client_register",
            ["first_name": "\"Ada\"", "last_name": "\"B\"", "phone": "\"+1 (555) 0100\""],
            token: token)
        let registered = try TestAnswer(gateway.answer(good))
        #expect(registered.code == 200, "\(registered.text)")
        #expect(registered.text.contains("\"records\":[\"client\"]"))
        #expect(gateway.answer(.create([:], token: token)).status == 200)
        let again = try TestAnswer(gateway.answer(good))
        #expect(again.string("status") == "email-already-registered")
    }

    @Test func `views show the session and the application, never to a token without one`() throws {
        var gateway = try gateway()
        let token = try token(try login(&gateway))
        let both = TestRequest.create(
            ["session_view": "\"summary\"", "application_view": "\"full\""], token: token)
        let answer = try TestAnswer(gateway.answer(both))
        #expect(answer.node("session", "expires_at") != nil, "\(answer.text)")
        #expect(answer.node("session", "user") == nil)
        #expect(answer.node("application", "permissions") != nil)
        let full = try TestAnswer(
            gateway.answer(.create(["session_view": "\"full\""], token: token)))
        #expect(full.node("session", "user") != nil && full.node("application") == nil)
        let plain = try TestAnswer(gateway.answer(.create(["session_view": "\"full\""])))
        #expect(plain.node("session") == nil)
    }

    // MARK: Age

    @Test func `a session of a week, on a clock that jumps`() throws {
        var gateway = try gateway()
        let token = try token(try login(&gateway))
        let begun = gateway.wall
        for hour in stride(from: 1, to: 24 * 7, by: 7) {
            gateway.wall = begun.advanced(byMicroseconds: hour * 3_600_000_000)
            #expect(gateway.answer(.create([:], token: token)).status == 200, "hour \(hour)")
        }
        gateway.wall = begun.advanced(byMicroseconds: SessionRules.lifetime)
        let late = try TestAnswer(gateway.answer(.create([:], token: token)))
        #expect(late.code == 401 && late.string("status") == "session-expired")
    }

    @Test func `remember_me at the login lifts the ages`() throws {
        var gateway = try gateway()
        let begun = try login(&gateway, ["remember_me": "true"])
        #expect(begun.node("data", "expires_at").map(begun.raw) == "null")
        let token = try token(begun)
        gateway.wall = gateway.wall.advanced(byMicroseconds: 40 * 86_400_000_000)
        #expect(gateway.answer(.create([:], token: token)).status == 200)
    }

    /// Random uses over days, by gateways that lose what they have not reported, under leaders that
    /// lose what they were told: the session ends 72 hours after its last use, never later, and at
    /// most 60 seconds earlier.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `expiry is never late and at most a minute early`(seed: UInt64) throws {
        var random = RandomSource(seed: seed)
        var gateway = TestGateway()
        gateway.core.directory?.apply(quiet: .useSessions([]), at: gateway.wall)
        let text = TestGateway.employee.text
        var lastUse = gateway.wall
        let minute = 60_000_000
        for _ in 0..<400 {
            let pauses = [1, 30, 59, 61, 600, 40_000, 260_000, 259_190]
            let pause = pauses[random.below(pauses.count)] * 1_000_000 + random.below(1_000_000)
            gateway.wall = gateway.wall.advanced(byMicroseconds: pause)
            gateway.now = gateway.now.advanced(byNanoseconds: UInt64(pause) * 1_000)
            gateway.core.heardAt = gateway.now
            if random.below(5) == 0 {
                // Another gateway, or this one after a restart, with the same directory.
                var other = TestGateway()
                (other.wall, other.now) = (gateway.wall, gateway.now)
                other.core.directory = gateway.core.directory
                other.core.heardAt = gateway.now
                gateway = other
            }
            if random.below(4) == 0 {
                // A use that is asked for and reported, and lost with its leader: not carried out.
                _ = gateway.admit(.create([:], token: text))
                _ = gateway.core.takeUses(now: gateway.now)
                gateway.core.reportUsesAgain()
            }
            let idle = gateway.wall.microseconds - lastUse.microseconds
            let answer = try TestAnswer(gateway.answer(.create([:], token: text)))
            let week = gateway.wall.microseconds - TestGateway.start.microseconds
            if answer.code == 200 {
                #expect(idle < SessionRules.idleTime && week < SessionRules.lifetime)
                lastUse = gateway.wall
            } else {
                #expect(answer.string("status") == "session-expired")
                #expect(
                    idle >= SessionRules.idleTime - minute || week >= SessionRules.lifetime,
                    "expired after \(idle) µs")
                return
            }
        }
    }

    // MARK: Cut off

    @Test func `a gateway that hears no leader for ten seconds refuses, but for stale reads`()
        throws
    {
        var gateway = TestGateway()
        gateway.core.heardAt = Instant(nanoseconds: 5)
        gateway.now = Instant(nanoseconds: 5 + GatewayCore.silenceNanoseconds)
        #expect(gateway.answer(.create()).status == 200)
        gateway.now = gateway.now.advanced(byNanoseconds: 1)
        let cut = try TestAnswer(gateway.answer(.create()))
        #expect(cut.code == 503 && cut.string("status") == "not-ready")
        for (target, isAdmitted) in [
            ("/v1/events?stale=true", true), ("/v1/events/u?stale=true", true),
            ("/v1/events", false), ("/v1/events/u?stale=false", false), ("/v1/cluster", true),
        ] {
            let admission = gateway.admit(.get(target)).admission
            if case .answer(let answer) = admission {
                #expect(!isAdmitted && answer.status == 503, "\(target)")
            } else {
                #expect(isAdmitted, "\(target)")
            }
        }
        if case .answer = gateway.admit(.get("/health/live", bearer: nil)).admission {
            Issue.record("health is not answered")
        }
    }

    // MARK: What makes no sense

    @Test func `a nonsensical answer of a node is a crash, and says nothing was half done`() throws
    {
        var gateway = TestGateway()
        let request = TestRequest.post("tokens/create", ["application": "\"planox2\""])
        guard case .command(let command) = gateway.admit(request).admission else {
            Issue.record("not admitted")
            return
        }
        let answer = gateway.core.answer(.done(.held), command, requestID: "r")
        #expect(answer.status == 500)
        #expect(try TestAnswer(answer).string("status") == "application-crash")
    }

    @Test func `a directory that cannot be read leaves requests unidentified`() throws {
        var gateway = TestGateway(hasDirectory: false)
        gateway.core.isDirectoryUnreadable = true
        let answer = try TestAnswer(gateway.answer(.create()))
        #expect(answer.code == 500 && answer.string("status") == "identify-request-error")
        #expect(gateway.answer(.get("/v1/cluster")).status == 500)
        if case .answer = gateway.admit(.get("/health/live", bearer: nil)).admission {
            Issue.record("health is not answered")
        }
        #expect(TestGateway(hasDirectory: true).core.directory != nil)
    }
}

extension Directory {
    fileprivate mutating func apply(quiet change: DirectoryChange, at time: Timestamp) {
        _ = apply(.directory(change), at: time)
    }
}
