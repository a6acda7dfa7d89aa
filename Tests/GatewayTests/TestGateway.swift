import Bytes
import Crypto
import HTTPWire
import JSON
import Ledger
import PeerWire
import Records
import Testing

@testable import Gateway

/// A gateway's core with a directory of tokens, users and sessions, and a ledger in place of the
/// cluster.
struct TestGateway {
    /// Microseconds of the wall clock at the beginning.
    static let start = Timestamp(microseconds: 1_790_000_000_000_000)

    var core: GatewayCore
    var wall = TestGateway.start
    var now = Instant.zero
    var source = RequestSource.local
    private var entropyByte: UInt8 = 0
    private var ledger = Ledger(seed: RevisionKey.Seed(3))
    private var nextSequence = Sequence.zero

    /// May do everything on `audit_events_fmp`, for planox2.
    static let application = token(1, .application, "planox2", ["audit_events_fmp/*", "events/*"])
    /// May create events and nothing else.
    static let creator = token(2, .application, "planox2", ["audit_events_fmp/create"])
    static let administrator = token(3, .administrator, "", ["*"])
    static let revoked = token(4, .application, "planox2", ["*"], revoked: true)

    /// Of a user with an employee record, for planox2.
    static let employee = session(20, of: 10)
    /// Of a user without any record.
    static let newcomer = session(21, of: 11)
    /// Of the employee, unused for too long.
    static let expired = session(22, of: 10)
    /// Of a user who may do everything, by a role.
    static let manager = session(23, of: 12)

    struct Session: Sendable {
        let row: SessionRow
        let text: String
    }

    private static func session(_ id: UInt64, of user: UInt64) -> Session {
        let secret = [UInt8](repeating: UInt8(id), count: TokenText.secretByteCount)
        return Session(
            row: SessionRow(
                id: TokenID(id), user: UserID(user), application: "planox2",
                secretDigest: SHA256().hash(secret), remembersMe: nil),
            text: TokenText(kind: .session, id: TokenID(id), secret: secret).text)
    }

    private static func people() -> [DirectoryChange] {
        var employee = UserRow(id: UserID(10), email: "eve@example.com")
        employee.records = .employee
        var manager = UserRow(id: UserID(12), email: "max@example.com")
        manager.records = .employee
        manager.roles = [RoleAssignment(application: "planox2", role: "administrator")]
        return [
            .createUser(employee), .createUser(manager),
            .createUser(UserRow(id: UserID(11), email: "new@example.com")),
        ]
    }

    /// Carries out a change of the directory, which must fit.
    mutating func make(_ change: DirectoryChange, at time: Timestamp) {
        let fits = core.directory?.apply(.directory(change), at: time) ?? false
        precondition(fits, "\(change)")
    }

    struct Token: Sendable {
        let row: TokenRow
        let text: String
    }

    private static func token(
        _ id: UInt64, _ kind: TokenKind, _ application: String, _ permissions: [String],
        revoked: Bool = false
    ) -> Token {
        let secret = [UInt8](repeating: UInt8(id), count: TokenText.secretByteCount)
        return Token(
            row: TokenRow(
                id: TokenID(id), kind: kind, application: application, name: "token \(id)",
                permissions: permissions, secretDigest: SHA256().hash(secret),
                createdAt: Timestamp(microseconds: 1),
                revokedAt: revoked ? Timestamp(microseconds: 2) : nil),
            text: TokenText(kind: kind, id: TokenID(id), secret: secret).text)
    }

    init(hasDirectory: Bool = true) {
        core = GatewayCore(settings: GatewaySettings(), times: TimeReading(), seed: 1)
        guard hasDirectory else { return }
        var directory = Directory()
        for token in [Self.application, Self.creator, Self.administrator, Self.revoked] {
            directory.insert(token.row)
        }
        core.directory = directory
        for change in Self.people() { make(change, at: Self.start) }
        for session in [Self.employee, Self.newcomer, Self.manager] {
            make(.createSession(session.row), at: Self.start)
        }
        make(
            .createSession(Self.expired.row),
            at: Self.start.advanced(byMicroseconds: -SessionRules.idleTime))
    }

    /// Judges `request` as the server does.
    mutating func admit(_ request: TestRequest) -> (admission: Admission, route: Route?) {
        var connection = HTTPConnection(now: 0)
        connection.receive(request.bytes.span, now: 0)
        let head = connection.advance(now: 0)
        precondition(head == .head, "\(head)")
        connection.admitBody(limit: 1 << 20, now: 0)
        let whole = connection.advance(now: 0)
        precondition(whole == .request, "\(whole)")
        let refusal = core.refusalOfAddress(
            connection.head, in: connection.bytes.span, from: source, requestID: "r-1", at: now)
        if let refusal { return (.answer(refusal), nil) }
        return core.admit(
            connection.head, body: connection.body, isOversized: request.isOversized,
            in: connection.bytes.span, requestID: "r-1", from: source,
            at: Moment(now: now, wall: wall),
            entropy: { [UInt8](repeating: entropyByte, count: Entropy.byteCount) })
    }

    /// The whole answer; events go to the ledger as to a leader.
    mutating func answer(_ request: TestRequest) -> Answer {
        entropyByte &+= 1
        var (admission, _) = admit(request)
        while true {
            switch admission {
            case .answer(let answer): return answer
            case .append(let event):
                return core.answer(decide(event), event, requestID: "r-1")
            case .hash(let work):
                let digest = Scrypt.hash(
                    work.password, salt: work.salt, logN: work.cost.logN, r: work.cost.r,
                    p: work.cost.p, byteCount: PasswordHash.digestByteCount)
                admission = core.resume(
                    work, digest: digest, at: Moment(now: now, wall: wall), requestID: "r-1")
            case .command(let command):
                let outcome = carryOut(command)
                return core.answer(outcome, command, requestID: "r-1")
            case .awaitUse:
                make(.useSessions(core.takeUses(now: now)), at: wall)
                (admission, _) = admit(request)
            default: preconditionFailure("\(request.target) is no event: \(admission)")
            }
        }
    }

    /// What the leader would say.
    private mutating func carryOut(_ admitted: CommandAdmission) -> CommandReply.Outcome {
        let command = admitted.command
        guard let directory = core.directory else { return .none }
        let request = CommandRequest(id: 1, record: admitted.record, command: command)
        do throws(DirectoryObjection) {
            try directory.judge(
                command.change, author: command.author, application: request.application, at: wall)
        } catch {
            return error == .permission || error == .credential ? .refused : .objected(error)
        }
        let fits = core.directory?.apply(command.change, at: wall) ?? false
        precondition(fits, "\(command.change)")
        switch command.change {
        case .createToken(let row): return .done(.created(row.id))
        case .revokeToken(let id): return .done(.revoked(id))
        case .directory(.createUser(let row)): return .done(.user(row.id))
        case .directory(.updateUser(let change)), .directory(.registerClient(let change)):
            return .done(.user(change.id))
        case .directory(.createSession(let row)): return .done(.session(row.id))
        default: return .done(.changed)
        }
    }

    private mutating func decide(_ event: EventAdmission) -> Receipt {
        let draft = core.draft
        let bytes = draft.span
        let sequence = nextSequence
        guard let record = try? RecordView(decoding: bytes, at: 0, end: bytes.count) else {
            preconditionFailure("a draft that is no record")
        }
        guard let verdict = try? ledger.judge(record, in: bytes, expected: event.expected) else {
            preconditionFailure("an index without files is damaged")
        }
        switch verdict {
        case .append(let revision):
            ledger.propose(
                record, in: bytes, recordOffset: 0, entry: LogIndex(1), sequence: sequence,
                revision: revision)
            nextSequence = sequence.advanced(by: 1)
            return receipt(.appended, revision, sequence)
        case .duplicate(let first): return receipt(.duplicate, first.revision, first.sequence)
        case .conflict(let current): return Receipt(verdict: .conflict, revision: current)
        }
    }

    private func receipt(
        _ verdict: Receipt.Verdict, _ revision: Revision, _ sequence: Sequence
    ) -> Receipt {
        var receipt = Receipt(verdict: verdict, revision: revision)
        receipt.sequence = sequence
        receipt.recordedAt = Timestamp(microseconds: 5)
        return receipt
    }
}

/// A request as a test writes it down.
struct TestRequest {
    var method = "POST"
    var target = "/api/v1/audit_events_fmp/create"
    var contentType: String? = "application/json"
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var isOversized = false

    var bytes: [UInt8] {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: a\r\n"
        if let contentType { text += "Content-Type: \(contentType)\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        text += "Content-Length: \(body.count)\r\n\r\n"
        return Array(text.utf8) + body
    }

    /// A request to create an event with these members, each JSON, on top of the required ones;
    /// nil removes one.
    static func create(
        _ members: KeyValuePairs<String, String?> = [:],
        token: String? = TestGateway.application.text
    ) -> TestRequest {
        var values: [(String, String)] = [
            ("unique_id", "\"u\""), ("script_name", "\"s\""), ("host_name", "\"h\""),
            ("file_name", "\"f\""), ("start_time", "\"2026-11-24\""),
        ]
        if let token { values.append(("token", "\"\(token)\"")) }
        for (name, value) in members {
            values.removeAll { $0.0 == name }
            if let value { values.append((name, value)) }
        }
        var request = TestRequest()
        request.body = Array(
            ("{" + values.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}").utf8)
        return request
    }

    /// A request of the compatible surface with these parameters, each JSON.
    static func post(
        _ route: String, _ members: KeyValuePairs<String, String> = [:],
        token: String? = TestGateway.administrator.text
    ) -> TestRequest {
        var values = members.map { ($0.key, $0.value) }
        if let token { values.append(("token", "\"\(token)\"")) }
        var request = TestRequest(target: "/api/v1/\(route)")
        request.body = Array(
            ("{" + values.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}").utf8)
        guard route == "sessions/create" || route == "users/client_register" else {
            return request
        }
        request.contentType = "text/plain"
        request.body = Array(Base64.encode(request.body).utf8)
        return request
    }

    static func get(_ target: String, bearer: String? = TestGateway.application.text) -> TestRequest
    {
        TestRequest(
            method: "GET", target: target, contentType: nil,
            headers: bearer.map { [("Authorization", "Bearer \($0)")] } ?? [])
    }
}

/// An answer's body, read.
struct TestAnswer {
    let code: Int
    let text: String
    private let bytes: [UInt8]
    private var document = JSONDocument()

    init(_ answer: Answer) throws {
        code = answer.status
        bytes = answer.body
        text = String(decoding: answer.body, as: UTF8.self)
        try document.parse(answer.body.span)
    }

    func node(_ names: StaticString...) -> Int? {
        var node: Int? = document.root
        for name in names {
            node = node.flatMap { document.member(name, of: $0, in: bytes.span) }
        }
        return node
    }

    func raw(_ node: Int) -> String {
        String(decoding: bytes.span.copy(document[node].range), as: UTF8.self)
    }

    func string(_ name: StaticString) -> String? {
        node(name).flatMap { document.string($0, from: bytes.span) }
    }

    /// `attr message` of each of the errors.
    var errors: [String] {
        guard let array = node("errors") else { return [] }
        var errors: [String] = []
        var element = document.firstChild(of: array)
        while let current = element {
            let words = (["attr", "message"] as [StaticString]).map { name in
                document.member(name, of: current, in: bytes.span).flatMap {
                    document.string($0, from: bytes.span)
                } ?? "?"
            }
            errors.append(words.joined(separator: " "))
            element = document.next(after: current, in: array)
        }
        return errors
    }
}
