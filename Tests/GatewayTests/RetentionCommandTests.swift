import Bytes
import HTTPWire
import Ledger
import PeerWire
import Records
import Testing

@testable import Gateway

struct RetentionCommandTests {
    private func request(
        _ target: String, _ body: String, token: String = TestGateway.administrator.text,
        method: String = "POST"
    ) -> TestRequest {
        var request = TestRequest(
            target: target, headers: [("Authorization", "Bearer \(token)")],
            body: Array(body.utf8))
        request.method = method
        return request
    }

    private func command(_ request: TestRequest) -> (
        change: DirectoryCommand.Change, record: String
    )? {
        var gateway = TestGateway()
        guard case .command(let admitted) = gateway.admit(request).admission,
            admitted.surface == .native
        else { return nil }
        return (admitted.command.change, String(decoding: admitted.record, as: UTF8.self))
    }

    @Test func `an order names its policy`() throws {
        let cases: [(String, CompactionPolicy, UInt64)] = [
            ("{\"policy\":\"latest\"}", .latest, 0), ("{\"dry_run\":false}", .latest, 0),
            ("{\"policy\":\"newer-than:2\"}", .newerThan, 172_800_000_000),
        ]
        for (body, policy, kept) in cases {
            let found = try #require(command(request("/v1/compactions", body)))
            let order = CompactionOrder(policy: policy, keptMicroseconds: kept, sealsFirst: true)
            #expect(found.change == .compact(order))
            #expect(found.record.contains("compactions/create"))
        }
    }

    @Test func `a dry run is a question and no command`() {
        var gateway = TestGateway()
        let body = "{\"dry_run\":true,\"from\":8}"
        guard
            case .cluster(.estimate(let order, let place), let author) = gateway.admit(
                request("/v1/compactions", body)
            ).admission
        else {
            Issue.record("not admitted")
            return
        }
        #expect(order.policy == .latest && place == 8)
        #expect(author == TestGateway.administrator.row.id)
    }

    @Test func `holds and erasures name an id and a reason, and records do not name the id`() throws
    {
        let body = "{\"unique_id\":\"i-1\",\"reason\":\"case\"}"
        let id = NamedID(uniqueID: Array("i-1".utf8))
        let hold = try #require(command(request("/v1/holds", body)))
        #expect(hold.change == .addHold(id, reason: "case"))
        let erase = try #require(command(request("/v1/erasures", body)))
        #expect(erase.change == .erase(uniqueID: id.uniqueID, reason: "case"))
        let removal = try #require(
            command(request("/v1/holds/i%2D1", "", method: "DELETE")))
        #expect(removal.change == .removeHold(id))
        for record in [hold.record, erase.record, removal.record] {
            #expect(!record.contains("i-1"))
        }
        var gateway = TestGateway()
        var post = request("/api/v1/audit_events_fmp/erase", "")
        post.body = Array(
            ("{\"unique_id\":\"i-1\",\"reason\":\"case\",\"token\":\""
                + TestGateway.administrator.text + "\"}").utf8)
        guard case .command(let admitted) = gateway.admit(post).admission,
            admitted.surface == .compatible
        else {
            Issue.record("not admitted")
            return
        }
        #expect(admitted.command.change == erase.change)
    }

    @Test func `only administrators, and nothing malformed`() {
        var gateway = TestGateway()
        func code(_ request: TestRequest) -> Int? {
            guard case .answer(let answer) = gateway.admit(request).admission else { return nil }
            return answer.status
        }
        let application = TestGateway.application.text
        let whole = "{\"unique_id\":\"i\",\"reason\":\"r\"}"
        #expect(
            code(request("/v1/compactions", "{\"policy\":\"latest\"}", token: application)) == 403)
        for target in ["/v1/holds", "/v1/erasures"] {
            #expect(code(request(target, whole, token: application)) == 403)
            for body in [
                "{\"unique_id\":\"i\"}", "{\"reason\":\"r\"}",
                "{\"unique_id\":\"\",\"reason\":\"r\"}",
                "{\"unique_id\":7,\"reason\":\"r\"}", "{\"unique_id\":\"i\",\"reason\":\"\"}",
                "{\"unique_id\":\"\(String(repeating: "i", count: 256))\",\"reason\":\"r\"}",
                "{\"unique_id\":\"i\",\"reason\":\"\(String(repeating: "r", count: 1_001))\"}",
            ] { #expect(code(request(target, body)) == 400, "\(body)") }
        }
        for policy in [
            "\"all\"", "7", "\"newer-than:0\"", "\"newer-than:-1\"", "\"newer-than:36501\"",
            "\"newer-than:x\"", "\"erasures\"",
        ] {
            #expect(code(request("/v1/compactions", "{\"policy\":\(policy)}")) == 400, "\(policy)")
        }
        for body in ["{\"dry_run\":1}", "{\"from\":-1,\"dry_run\":true}", "{\"from\":\"1\"}"] {
            #expect(code(request("/v1/compactions", body)) == 400, "\(body)")
        }
        #expect(code(request("/v1/holds/i", "", token: application, method: "DELETE")) == 403)
        #expect(code(request("/v1/holds", "", token: application, method: "GET")) == 403)
    }

    static let answers: [(CommandReply.Outcome, status: Int, contains: String)] = [
        (.done(.compacting(LogIndex(7))), 200, "{\"run\":7}"),
        (.done(.held), 200, "{\"held\":true}"), (.done(.released), 200, "{\"held\":false}"),
        (.done(.erased(3)), 200, "{\"erased\":true,\"events\":3}"),
        (.unknownID, 404, "not-found"), (.held, 409, "held"), (.closed, 409, "erased"),
        (.full, 409, "too-many-holds"), (.running, 409, "under-way"),
        (.refused, 403, "permission-denied"), (.none, 503, "not-ready"),
        (.unknown, 503, "not-ready"), (.unknownToken, 404, "not-found"),
    ]

    @Test(arguments: answers.indices)
    func `every end of a command has its native answer`(place: Int) {
        let (outcome, status, text) = Self.answers[place]
        let erasure = CommandAdmission(
            command: DirectoryCommand(
                request: Identifier(high: 1, low: 1), author: TokenID(3),
                change: .erase(uniqueID: [], reason: "")),
            record: [], surface: .native)
        let answer = TestGateway().core.answer(outcome, erasure, requestID: "r")
        #expect(answer.status == status)
        #expect(String(decoding: answer.body, as: UTF8.self).contains(text))
    }

    @Test func `pages are told as they are`() {
        var estimate = CompactionEstimate()
        var figures = CompactionFigures()
        (figures.compacted, figures.bytesBefore, figures.bytesAfter) = (2, 90, 40)
        estimate.rows = [
            .init(firstIndex: LogIndex(5), generation: 1, kept: 3, figures: figures)
        ]
        let core = TestGateway().core
        func text(_ outcome: ClusterReply.Outcome) -> String {
            String(
                decoding: core.answer(outcome, wasSo: true, requestID: "r").body, as: UTF8.self)
        }
        let row =
            "{\"first_index\":5,\"generation\":1,\"events_kept\":3,\"events_compacted\":2,"
            + "\"events_erased\":0,\"bytes_before\":90,\"bytes_after\":40}"
        #expect(
            text(.estimate(estimate)) == "{\"dry_run\":true,\"segments\":[\(row)],\"next\":null}")
        estimate.next = 4
        #expect(text(.estimate(estimate)).hasSuffix("\"next\":4}"))
        let page = HoldsPage(
            rows: [
                .init(
                    uniqueID: Array("i".utf8), reason: "r", author: TokenID(1),
                    since: Timestamp(microseconds: 0))
            ], hasMore: true)
        #expect(
            text(.holds(page))
                == "{\"holds\":[{\"unique_id\":\"i\",\"reason\":\"r\",\"author\":"
                + "\"0000000000000001\",\"since\":\"1970-01-01T00:00:00.000000Z\"}],\"more\":true}")
    }
}
