import Ledger
import Records
import Testing

@testable import Gateway

@Suite struct BulkReadingTests {
    /// A word for each event of the body, `unique_id` or what was refused, in order.
    private func read(
        _ body: String, isArray: Bool = false, token: TestGateway.Token = TestGateway.application
    ) throws -> [String] {
        var gateway = TestGateway()
        let authority = try #require(
            gateway.core.directory?.authority(of: token.row.id, application: ""))
        var bulk = try BulkReading(
            Array(body.utf8), isArray: isArray, credential: Credential(authority))
        var words: [String] = []
        var draftBytes = 0
        while true {
            switch gateway.core.nextEvent(&bulk) {
            case .end: return words
            case .refused(let refusal):
                let faults = refusal.faults.map { " \($0.parameter) \($0.kind.rawValue)" }
                words.append("\(refusal.status.slug)" + faults.joined())
                #expect(gateway.core.draft.count == draftBytes, "a refused event left a draft")
            case .event(let uniqueID, let expected):
                words.append(
                    String(decoding: uniqueID, as: UTF8.self)
                        + (expected.map { " expects \($0)" } ?? ""))
                let draft = gateway.core.draft
                let view = try RecordView(decoding: draft.span, at: draftBytes, end: draft.count)
                #expect(Array(draft[view.uniqueID]) == uniqueID)
                draftBytes = draft.count
                #expect(view.range.upperBound == draftBytes)
            }
        }
    }

    private func event(_ id: String, _ more: String = "") -> String {
        "{\"unique_id\":\"\(id)\",\"script_name\":\"s\",\"host_name\":\"h\",\"file_name\":\"f\","
            + "\"start_time\":\"2026-11-24\"\(more)}"
    }

    @Test func `lines come out in order, blank ones skipped, the last with or without its end`()
        throws
    {
        let lines = [event("a"), "", " \t\r", event("b", ",\"expected_revision\":2"), event("c")]
        let expected = ["a", "b expects 2", "c"]
        #expect(try read(lines.joined(separator: "\n")) == expected)
        #expect(try read(lines.joined(separator: "\r\n") + "\n\n") == expected)
        #expect(try read("") == [])
        #expect(try read("\n \n") == [])
    }

    @Test func `a faulty line is refused alone`() throws {
        let lines = [
            event("a"), "{", "[]", "7", "{}", "{\"a\":1,\"a\":2}", "{\"unique_id\":\"x\"}",
            event("b", ",\"notes\":\"n\""), event("c", ",\"application\":\"planoblue\""),
            event("d", ",\"application\":\"planoorder\""), event("e", ",\"application\":4"),
            event("f") + event("g"), event("h"),
        ]
        #expect(
            try read(lines.joined(separator: "\n")) == [
                "a", "invalid-encoded-params", "no-params-decoded", "no-params-decoded",
                "no-params-decoded", "invalid-encoded-params",
                "missing-param script_name missing host_name missing file_name missing"
                    + " start_time missing",
                "invalid-param notes wrong type", "invalid-param application unrecognized",
                "permission-denied", "invalid-param application wrong type",
                "invalid-encoded-params", "h",
            ])
    }

    @Test func `the elements of an array are judged like lines`() throws {
        let body =
            "[ \(event("a")), 7, [], {},\n\(event("b", ",\"notes\":[1]")), {\"unique_id\":null},"
            + " \(event("c", ",\"stop_time\":\"2026-11-23\""))]"
        #expect(
            try read(body, isArray: true) == [
                "a", "no-params-decoded", "no-params-decoded", "no-params-decoded", "b",
                "missing-param unique_id missing script_name missing host_name missing"
                    + " file_name missing start_time missing",
                "invalid-param stop_time before start_time",
            ])
        #expect(try read("[]", isArray: true) == [])
    }

    @Test(arguments: ["", "{", "[1", "[1]]", "[{\"a\":1,\"a\":1}]"])
    func `an array that is not well-formed is refused whole`(body: String) {
        #expect(throws: Refusal.self) { _ = try read(body, isArray: true) }
    }

    @Test(arguments: ["{}", "7", "null", "\"x\""])
    func `JSON that is no array is refused whole`(body: String) {
        let refusal = #expect(throws: Refusal.self) { _ = try read(body, isArray: true) }
        #expect(refusal?.status == .noParamsDecoded)
    }

    @Test func `an administrator's events may name any application, or none`() throws {
        let lines = [event("a", ",\"application\":\"planoorder\""), event("b")]
        #expect(
            try read(lines.joined(separator: "\n"), token: TestGateway.administrator)
                == ["a", "b"])
    }
}
