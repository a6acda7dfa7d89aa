import Bytes
import PeerWire
import Records
import Testing

@testable import Gateway

@Suite struct ParameterTests {
    private func errors(
        _ members: KeyValuePairs<String, String?>, query: String = ""
    ) throws -> [String] {
        var gateway = TestGateway()
        var request = TestRequest.create(members)
        if !query.isEmpty { request.target += "?" + query }
        let answer = gateway.answer(request)
        guard answer.status != 200 else { return [] }
        #expect(answer.status == 400)
        return try TestAnswer(answer).errors
    }

    private func long(_ count: Int) -> String { "\"" + String(repeating: "x", count: count) + "\"" }

    @Test(arguments: [
        ("unique_id", 255), ("script_name", 1_024), ("host_name", 255), ("file_name", 1_024),
        ("updated_in", 255),
    ])
    func `a string may be as long as its limit and no longer`(name: String, limit: Int) throws {
        var gateway = TestGateway()
        for (count, expected) in [(limit, 200), (limit + 1, 400)] {
            let member = "\"\(name)\":\(long(count))"
            var request = TestRequest.create([name: nil])
            request.body = Array("{\(member),".utf8) + request.body.dropFirst()
            let answer = gateway.answer(request)
            #expect(answer.status == expected, "\(count) bytes")
            if expected == 400 {
                #expect(try TestAnswer(answer).errors == ["\(name) too long"])
            }
        }
    }

    @Test func `lengths count bytes of UTF-8`() throws {
        #expect(try errors(["host_name": "\"" + String(repeating: "é", count: 127) + "\""]) == [])
        #expect(
            try errors(["host_name": "\"" + String(repeating: "é", count: 128) + "\""])
                == ["host_name too long"])
    }

    @Test func `notes are an array of 64 KiB at most, as sent`() throws {
        func notes(_ count: Int) -> String {
            "[\"" + String(repeating: "n", count: count - 4) + "\"]"
        }
        #expect(try errors(["notes": notes(65_536)]) == [])
        #expect(try errors(["notes": notes(65_537)]) == ["notes too long"])
        #expect(
            try errors(["notes": "[ \(String(repeating: " ", count: 65_535))]"]) == [
                "notes too long"
            ])
        for value in ["{}", "1", "true", "\"x\""] {
            #expect(try errors(["notes": value]) == ["notes wrong type"], "\(value)")
        }
        for value in ["[]", "\"\"", "null"] { #expect(try errors(["notes": value]) == []) }
    }

    @Test(arguments: ["\\u0000", "\\n", "\\u001f", "\\u007f", "\\u0080", "\\u009f", "\u{85}"])
    func `a unique_id has no control characters`(character: String) throws {
        #expect(try errors(["unique_id": "\"a\(character)\""]) == ["unique_id not allowed"])
        #expect(try errors(["script_name": "\"a\(character)\""]) == [])
    }

    @Test func `characters behind the control ones are allowed`() throws {
        for character in ["\\u00a0", "é", "\\u0020", "~", "😀"] {
            #expect(try errors(["unique_id": "\"a\(character)\""]) == [])
        }
    }

    @Test func `null is absent, and an optional empty string is absent`() throws {
        #expect(
            try errors([
                "stop_time": "null", "notes": "null", "updated_in": "null", "application": "null",
                "application_view": "null", "session_view": "null", "expected_revision": "null",
            ]) == [])
        #expect(
            try errors([
                "stop_time": "\"\"", "updated_in": "\"\"", "application_view": "\"\"",
                "session_view": "\"\"", "expected_revision": "\"\"",
            ]) == [])
        #expect(try errors(["host_name": "null"]) == ["host_name missing"])
        #expect(try errors(["host_name": "\"\""]) == ["host_name empty"])
    }

    @Test func `all faults are told in the order of the parameters, missing and invalid ones`()
        throws
    {
        #expect(
            try errors([
                "expected_revision": "-1", "session_view": "\"all\"", "application_view": "7",
                "updated_in": "{}", "notes": "3", "stop_time": "true", "start_time": "[]",
                "file_name": nil, "host_name": "\"\"", "script_name": "5", "unique_id": "\"\\n\"",
            ]) == [
                "unique_id not allowed", "script_name wrong type", "host_name empty",
                "file_name missing", "start_time wrong type", "stop_time wrong type",
                "notes wrong type", "updated_in wrong type", "application_view wrong type",
                "session_view unrecognized", "expected_revision wrong type",
            ])
    }

    @Test(arguments: ["1.0", "1e0", "-1", "\"1\"", "true", "[1]", "9223372036854775808"])
    func `expected_revision is a whole number from 0`(value: String) throws {
        #expect(try errors(["expected_revision": value]) == ["expected_revision wrong type"])
    }

    @Test func `the body wins over the query string, whose values are strings`() throws {
        #expect(try errors(["host_name": nil], query: "host_name=q") == [])
        #expect(try errors(["host_name": "null"], query: "host_name=q") == [])
        #expect(try errors(["host_name": "\"\""], query: "host_name=q") == ["host_name empty"])
        #expect(
            try errors([:], query: "notes=%5B%5D&expected_revision=0") == [
                "notes wrong type", "expected_revision wrong type",
            ])
        #expect(try errors([:], query: "colour=red") == [])
    }

    @Test func `a malformed query is told as such`() throws {
        var gateway = TestGateway()
        var request = TestRequest.create()
        request.target += "?host_name=%zz"
        let answer = try TestAnswer(gateway.answer(request))
        #expect(answer.string("status") == "invalid-encoded-params")
    }

    @Test func `parameters may all be in the query, with an empty body`() {
        var gateway = TestGateway()
        let request = TestRequest(
            target: "/api/v1/audit_events_fmp/create?unique_id=u&script_name=s&host_name=h"
                + "&file_name=f&start_time=2026-11-24&token=\(TestGateway.application.text)")
        #expect(gateway.answer(request).status == 200)
    }

    @Test func `a bearer wins over both, even a bad one`() {
        var gateway = TestGateway()
        var request = TestRequest.create([:], token: "nonsense")
        request.headers = [("Authorization", "bearer  \(TestGateway.application.text)")]
        #expect(gateway.answer(request).status == 200)
        request = .create()
        for value in ["Bearer nonsense", "Basic eDp5", "Bearer", ""] {
            request.headers = [("Authorization", value)]
            #expect(gateway.answer(request).status == 401, "\(value)")
        }
    }

    @Test(arguments: [
        "application/json", "Application/JSON", "application/json; charset=utf-8",
        "application/json;charset=UTF-8", "application/json ; charset=\"utf-8\"",
    ])
    func `the media type compares without case and may name UTF-8`(type: String) {
        var gateway = TestGateway()
        var request = TestRequest.create()
        request.contentType = type
        #expect(gateway.answer(request).status == 200)
    }

    @Test(arguments: [
        nil, "application/jsonx", "application/json; charset=latin1", "text/json",
        "application/json; charset=utf-8; a=b", "application/json; boundary=x",
    ])
    func `other media types are refused, with an empty body too`(type: String?) throws {
        var gateway = TestGateway()
        var request = TestRequest.create()
        request.contentType = type
        for body in [request.body, []] {
            request.body = body
            let answer = try TestAnswer(gateway.answer(request))
            #expect(answer.string("status") == "invalid-content-type")
        }
    }

    @Test func `the record that is appended holds what was sent`() throws {
        var gateway = TestGateway()
        let request = TestRequest.create([
            "unique_id": "\"\\u00e9\"", "start_time": "\"11/24/2026 12:00 AM\"",
            "notes": "[ 1.0, {} ]", "expected_revision": "4294967296",
        ])
        guard case .append(let event) = gateway.admit(request).admission else {
            Issue.record("not admitted")
            return
        }
        #expect(event.uniqueID == Array("é".utf8))
        #expect(event.expected == Revision(.max))
        let draft = gateway.core.draft
        let view = try RecordView(decoding: draft.span, at: 0, end: draft.count)
        let notes = draft.span.copy(try #require(view.notes))
        #expect(notes == Array("[ 1.0, {} ]".utf8))
        #expect(view.startedAt == Timestamp(microseconds: 1_795_478_400_000_000))
        let application = draft.span.copy(view.application)
        let writtenBy = draft.span.copy(view.writtenBy)
        #expect(application == Array("planox2".utf8))
        #expect(writtenBy == Array("0000000000000001".utf8))
    }
}
