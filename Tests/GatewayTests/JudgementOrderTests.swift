import Ledger
import Records
import Testing

@testable import Gateway

/// The order of judgement (http-contract section 2), walked as one table: whatever else is wrong
/// with a request, the first step that fails gives the answer.
@Suite struct JudgementOrderTests {
    struct Parts {
        var request = TestRequest()
        var members: [(String, String)] = [
            ("unique_id", "\"u\""), ("script_name", "\"s\""), ("host_name", "\"h\""),
            ("file_name", "\"f\""), ("start_time", "\"2026-11-24\""),
            ("token", "\"\(TestGateway.application.text)\""),
        ]
        var body: String?
        var withdrawn: [DirectoryChange] = []

        mutating func set(_ name: String, _ value: String?) {
            members.removeAll { $0.0 == name }
            if let value { members.append((name, value)) }
        }

        var built: TestRequest {
            var request = request
            let text =
                body
                ?? "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
            request.body = Array(text.utf8)
            return request
        }
    }

    struct Step: Sendable {
        let name: String
        let code: Int
        let status: String
        var errors: [String] = []
        let spoil: @Sendable (inout Parts) -> Void
    }

    static let steps: [Step] = [
        Step(name: "no such path", code: 500, status: "route-non-existent") {
            $0.request.target = "/api/v1/audit_events_fmp/Create"
        },
        Step(name: "no such method", code: 500, status: "route-non-existent") {
            $0.request.method = "GET"
        },
        Step(name: "service", code: 404, status: "service-not-found") {
            $0.withdrawn += ["audit_events_fmp", "applications"].map { .deployService($0, false) }
        },
        Step(name: "route", code: 404, status: "route-not-found") {
            $0.withdrawn += [
                .deployRoute("audit_events_fmp/create", false),
                .deployRoute("applications/create", false),
            ]
        },
        Step(name: "content type", code: 400, status: "invalid-content-type") {
            $0.request.contentType = "text/plain"
        },
        Step(name: "size", code: 413, status: "payload-too-large") {
            $0.request.isOversized = true
        },
        Step(name: "decoded", code: 400, status: "invalid-encoded-params") { $0.body = "{" },
        Step(name: "any parameters", code: 400, status: "no-params-decoded") { $0.body = "{}" },
        Step(
            name: "no token", code: 400, status: "missing-param", errors: ["token missing"]
        ) { $0.set("token", nil) },
        Step(name: "token", code: 401, status: "invalid-token") {
            $0.set("token", "\"\(TestGateway.revoked.text)\"")
        },
        Step(name: "session age", code: 401, status: "session-expired") {
            $0.set("token", "\"\(TestGateway.expired.text)\"")
        },
        Step(name: "client record", code: 401, status: "client-required") {
            $0.set("token", "\"\(TestGateway.newcomer.text)\"")
        },
        Step(
            name: "application", code: 400, status: "invalid-param",
            errors: ["application unrecognized"]
        ) { $0.set("application", "\"planoblue\"") },
        Step(name: "another application", code: 403, status: "permission-denied") {
            $0.set("application", "\"planoorder\"")
        },
        Step(name: "permission", code: 403, status: "permission-denied") {
            $0.request.target = "/api/v1/applications/create"
        },
        Step(
            name: "missing and invalid", code: 400, status: "missing-param",
            errors: ["host_name missing", "start_time not a time"]
        ) {
            $0.set("host_name", nil)
            $0.set("start_time", "\"soon\"")
        },
        Step(
            name: "invalid", code: 400, status: "invalid-param",
            errors: ["stop_time not a time"]
        ) { $0.set("stop_time", "\"soon\"") },
    ]

    private func check(_ spoiled: [Int], sourceLocation: SourceLocation = #_sourceLocation) throws {
        // Steps that spoil the same part: the earlier one has the last word.
        var parts = Parts()
        for place in spoiled.reversed() { Self.steps[place].spoil(&parts) }
        let first = try #require(spoiled.first)
        let step = Self.steps[first]
        var gateway = TestGateway()
        for change in parts.withdrawn { gateway.make(change, at: TestGateway.start) }
        let answer = try TestAnswer(gateway.answer(parts.built))
        let names = spoiled.map { Self.steps[$0].name }.joined(separator: ", ")
        #expect(answer.code == step.code, "\(names)", sourceLocation: sourceLocation)
        #expect(answer.string("status") == step.status, "\(names)", sourceLocation: sourceLocation)
        if first < Self.steps.count - 2 {
            #expect(answer.errors == step.errors, "\(names)", sourceLocation: sourceLocation)
        } else {
            for error in step.errors {
                #expect(answer.errors.contains(error), "\(names)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test func `nothing wrong is a success`() throws {
        var gateway = TestGateway()
        let answer = try TestAnswer(gateway.answer(Parts().built))
        #expect(answer.code == 200)
        #expect(answer.string("status") == "action-successful")
    }

    @Test(arguments: steps.indices)
    func `a step's failure hides every later one`(first: Int) throws {
        try check([first])
        for second in (first + 1)..<max(Self.steps.count, first + 1) { try check([first, second]) }
        try check(Array(first..<Self.steps.count))
    }

    @Test func `another application is denied for that reason, not for the permission`() throws {
        var gateway = TestGateway()
        let answer = try TestAnswer(gateway.answer(.create(["application": "\"planoorder\""])))
        #expect(answer.string("message")?.contains("planoorder") == true)
        var administrator = TestRequest.create(
            ["application": "\"planoorder\""], token: TestGateway.administrator.text)
        #expect(gateway.answer(administrator).status == 200)
        administrator = .create(["application": "\"\""], token: TestGateway.administrator.text)
        #expect(gateway.answer(administrator).status == 200)
    }

    // MARK: The native surface

    @Test func `native requests are judged by content type, size, token, permission, parameters`()
        throws
    {
        var gateway = TestGateway()
        func code(_ request: TestRequest) -> Int? {
            guard case .answer(let answer) = gateway.admit(request).admission else { return nil }
            #expect(answer.contentType.map { "\($0)" } == "application/problem+json")
            return answer.status
        }
        var bulk = TestRequest(target: "/v1/events", contentType: "text/plain")
        bulk.isOversized = true
        #expect(code(bulk) == 400)
        bulk.contentType = "application/x-ndjson"
        #expect(code(bulk) == 413)
        bulk.isOversized = false
        #expect(code(bulk) == 401)
        bulk.headers = [("Authorization", "Bearer \(TestGateway.application.text)")]
        #expect(code(bulk) == nil)
        let replay = "/v1/events?from=x&until=-1&since=soon&resource=both"
        #expect(code(.get(replay, bearer: nil)) == 401)
        #expect(code(.get(replay, bearer: "nonsense")) == 401)
        #expect(code(.get(replay, bearer: TestGateway.revoked.text)) == 401)
        #expect(code(.get(replay, bearer: TestGateway.creator.text)) == 403)
        #expect(code(.get(replay)) == 400)
        #expect(code(.get("/v1/events?from=2&until=9&resource=all")) == nil)
        #expect(code(.get("/v1/nothing")) == 404)
        #expect(code(TestRequest(method: "PUT", target: "/v1/events")) == 405)
        #expect(code(.get("/v1/events/%zz")) == 400)
        #expect(code(.get("/v1/events/%ff")) == 400)
        #expect(code(.get("/v1/events/a/b")) == 404)
        #expect(code(.get("/v1/events/a%2Fb")) == nil)
    }

    @Test func `a replay says which faults it has, all of them`() throws {
        var gateway = TestGateway()
        let request = TestRequest.get("/v1/events?from=x&until=-1&since=soon&resource=both")
        let answer = try TestAnswer(gateway.answer(request))
        #expect(
            answer.errors == [
                "from wrong type", "until wrong type", "since not a time", "resource unrecognized",
            ])
    }

    @Test func `a missing or bad bearer names its scheme, and an unready one is tried again`() {
        var gateway = TestGateway()
        let refused = gateway.answer(.get("/v1/events", bearer: nil))
        #expect(refused.headers.contains { "\($0.0)" == "WWW-Authenticate" })
        let unready = gateway.core.refuse(
            Refusal(.notReady, isOutcomeUnknown: true), on: .compatible, requestID: "r")
        #expect(unready.status == 503)
        #expect(unready.headers.contains { "\($0.0)" == "Retry-After" && $0.1 == "1" })
        #expect(String(decoding: unready.body, as: UTF8.self).contains("\"outcome\":\"unknown\""))
    }

    @Test func `what needs no token asks for none, with or without a directory`() {
        for hasDirectory in [true, false] {
            var gateway = TestGateway(hasDirectory: hasDirectory)
            for path in ["/health/live", "/health/ready", "/health/ready?verbose", "/metrics"] {
                let (admission, _) = gateway.admit(.get(path, bearer: nil))
                if case .answer(let answer) = admission {
                    Issue.record("\(path) is answered with \(answer.status)")
                }
            }
        }
        var gateway = TestGateway(hasDirectory: false)
        #expect(gateway.answer(.create()).status == 401)
    }

    @Test func `OPTIONS and HEAD are answered where they are due`() {
        var gateway = TestGateway()
        var request = TestRequest.get("/v1/events")
        request.method = "OPTIONS"
        let options = gateway.answer(request)
        #expect(options.status == 204)
        #expect(
            options.headers.contains { "\($0.0)" == "Allow" && $0.1 == "POST, GET, HEAD, OPTIONS" })
        request.method = "HEAD"
        if case .replay = gateway.admit(request).admission {} else { Issue.record("no replay") }
        request = TestRequest()
        request.method = "OPTIONS"
        #expect(gateway.answer(request).status == 500)
    }
}
