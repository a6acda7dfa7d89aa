import Bytes
import HTTPWire
import Ledger
import PeerWire
import Records
import Testing

@testable import Gateway

/// Every administrative change is an event with its author: walked over the route table, so that a
/// route which is added later is judged too.
@Suite struct AdministrationAuditTests {
    /// Verbs that change nothing.
    private static let reads = ["read", "index", "history"]
    /// Changes that are no administrative event, each with where it is recorded instead.
    private static let exceptions = [
        // An audit event, which is what it records.
        "audit_events_fmp/create"
    ]

    static let changes = RouteTable.routes.filter { route in
        guard route.surface == .compatible, let verb = route.permission?.action else {
            return false
        }
        return !reads.contains(verb) && !exceptions.contains(route.label)
    }

    /// Parameters that some route needs, good for all of them.
    private static let values: [String: String] = [
        "email": "\"one@example.com\"", "password": "\"a long password\"",
        "first_name": "\"Ada\"", "last_name": "\"Byron\"", "application": "\"planox2\"",
        "unique_id": "\"u\"", "reason": "\"asked for\"", "service": "\"users\"",
        "route": "\"users/create\"", "slug": "\"other\"",
        "rules": "\"from = Daybook <a@example.com>\\nwelcome = on\"",
    ]

    private func parameters(of route: Route) -> [(String, String)] {
        var parameters: [(String, String)] = []
        for parameter in route.parameters where parameter.isRequired {
            let name = "\(parameter.name.text)"
            guard name != "token" else { continue }
            var value = Self.values[name] ?? "\"x\""
            if name == "id" {
                value = "\"000000000000000\(route.action == .revokeToken ? "2" : "b")\""
            }
            if name == "slug", route.permission?.resource == "roles", route.action != .createRole {
                value = "\"client\""
            }
            if name == "slug", [.updateApplication, .deleteApplication].contains(route.action) {
                value = "\"planoorder\""
            }
            parameters.append((name, value))
        }
        // Optional in the table, because the route that makes one has it so.
        if route.action == .updateApplication { parameters.append(("name", "\"New\"")) }
        if route.permission?.resource == "roles" || route.action == .createToken {
            parameters.append(("application", "\"planox2\""))
        }
        return parameters
    }

    private func request(_ route: Route, token: String) -> TestRequest {
        var values = parameters(of: route)
        if route.access != .open { values.append(("token", "\"\(token)\"")) }
        let json = "{" + values.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
        var request = TestRequest(target: "\(route.path)")
        request.body = Array(json.utf8)
        if route.form == .sensitive {
            request.contentType = "text/plain"
            request.body = Array(Base64.encode(request.body).utf8)
        }
        return request
    }

    @Test(arguments: changes.map(\.label))
    func `a change is admitted with a record of who makes it`(_ label: String) throws {
        let route = try #require(Self.changes.first { $0.label == label })
        var gateway = TestGateway()
        let isOwn = route.access == .anySession
        let token = isOwn ? TestGateway.employee.text : TestGateway.administrator.text
        if route.action == .createSession {
            var user = UserRow(id: UserID(13), email: "one@example.com")
            user.records = .employee
            user.password = password
            gateway.make(.createUser(user), at: gateway.wall)
        }
        var (admission, _) = gateway.admit(request(route, token: token))
        if case .awaitUse = admission {
            gateway.make(.useSessions(gateway.core.takeUses(now: gateway.now)), at: gateway.wall)
            (admission, _) = gateway.admit(request(route, token: token))
        }
        if case .hash(let work) = admission {
            admission = gateway.core.resume(
                work, digest: password.digest, at: Moment(now: .zero, wall: gateway.wall),
                requestID: "r-1")
        }
        guard case .command(let command) = admission else {
            if case .answer(let answer) = admission {
                Issue.record("\(label): \(String(decoding: answer.body, as: UTF8.self))")
            }
            return
        }
        let record = try RecordView(
            decoding: command.record.span, at: 0, end: command.record.count)
        #expect(record.resource == .administration)
        let text = String(decoding: command.record, as: UTF8.self)
        #expect(text.contains(label), "what was done")
        if route.action != .createSession {
            let author = isOwn ? TestGateway.employee.row.id : TestGateway.administrator.row.id
            #expect(text.contains(author.description), "who did it")
            #expect(command.command.author == author)
        }
        #expect(!text.contains("a long password") && !text.contains("dbk_"))
    }

    private var password: PasswordHash {
        PasswordHash(
            cost: PasswordHash.Cost(logN: 4, r: 1, p: 1),
            salt: [UInt8](repeating: 1, count: PasswordHash.saltByteCount),
            digest: [UInt8](repeating: 2, count: PasswordHash.digestByteCount))
    }

    @Test func `the table has changes to walk`() { #expect(Self.changes.count >= 19) }
}
