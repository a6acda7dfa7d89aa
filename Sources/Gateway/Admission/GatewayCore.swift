import Bytes
import Crypto
package import HTTPWire
import JSON
package import Ledger
package import PeerWire
package import Records

/// What is to be done for a request that was admitted.
package enum Admission: Sendable {
    /// Answer at once.
    case answer(Answer)
    /// An event for the leader; its draft was appended to `GatewayCore.draft`.
    case append(EventAdmission)
    /// Events of a bulk body, read by `BulkReading`.
    case bulk(Credential)
    case read(ReadAdmission)
    case replay(ReplayAdmission)
    case command(CommandAdmission)
    case index(EventIndexScan)
    /// A password to be hashed off the loop; then `resume` goes on.
    case hash(PasswordWork)
    /// The session's use must be recorded before the request is carried out; then it is admitted
    /// again.
    case awaitUse(TokenID)
    /// A command about the cluster, in the name of this token.
    case cluster(ClusterCommand.Action, author: TokenID)
    /// A piece of this node's files.
    case fetch(FetchItem, NodeID)
    case clusterStatus
    case live
    case ready(verbose: Bool)
    case metrics
}

package struct EventAdmission: Sendable {
    package let uniqueID: [UInt8]
    package let expected: Revision?
    package let views: Views
    /// Mail that it owed could not be handed over yet.
    package var isMailLate = false
}

package struct ReadAdmission: Sendable {
    package let uniqueID: [UInt8]
    package let revision: Revision?
    package let history: Bool
    package let surface: Route.Surface
    package let stale: Bool
    /// It must hold what is recorded through here, and may come from any node that does.
    package let after: Sequence?
    package let views: Views
}

/// When something happens: by the clock that only runs on, and by the one on the wall.
package struct Moment: Sendable {
    package let now: Instant
    package let wall: Timestamp

    package init(now: Instant, wall: Timestamp) {
        self.now = now
        self.wall = wall
    }
}

package struct ReplayAdmission: Sendable {
    package let page: PageRequest
    package let follow: Bool
    package let stale: Bool
    /// As of a read.
    package let after: Sequence?
}

/// A whole answer, ready to be sent.
package struct Answer: Sendable {
    package let status: Int
    package let contentType: StaticString?
    package let body: [UInt8]
    package var headers: [(StaticString, String)] = []

    package init(
        status: Int, contentType: StaticString?, body: [UInt8],
        headers: [(StaticString, String)] = []
    ) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.headers = headers
    }
}

// Invariant: whatever the route, the earlier of two faults gives the answer, in the order of
// docs/reference/http-api.md.

/// Everything that is decided before the cluster is asked, in one order for every route: route,
/// service and route deployed, content type, size, decoded, any parameters, token, session age,
/// client record, application, permission, parameters.
package struct GatewayCore {
    package let settings: GatewaySettings
    package let times: TimeReading
    /// nil until a node has told it.
    package var directory: Directory? {
        didSet { checkedTokens.forget() }
    }
    /// A node told of a directory that cannot be read, and none has told of a good one.
    package var isDirectoryUnreadable = false
    /// When a leader with a majority was heard last.
    package var heardAt = Instant.zero
    /// Of the request that is judged.
    var moment = Moment(now: .zero, wall: .absent)
    var checkedTokens = CheckedTokens()
    var waitingUses: [TokenID: WaitingUse] = [:]
    /// The stored record of the event that was admitted last.
    package var draft: [UInt8] = []
    let hash = SHA256()
    var limits: RateLimits
    /// Sets digests of e-mail addresses apart from those that others make.
    let seed: UInt64
    /// Whom the request that is judged is counted against; nil when it was counted before.
    var source: RequestSource?
    var set = ParameterSet()
    var reading = EventReading()
    /// The public half of the token that the request judged last came with; nil for none that is
    /// good.
    package internal(set) var credentialID: TokenID?
    private var requestCount: UInt64 = 0
    private let requestPrefix: String
    private lazy var openAPI = OpenAPIDocument.json(version: settings.version)

    /// `seed` sets request ids of this process apart from those of others.
    package init(settings: GatewaySettings, times: TimeReading, seed: UInt64) {
        self.settings = settings
        self.times = times
        self.seed = seed
        limits = RateLimits(settings, seed: seed)
        requestPrefix = String(seed | 1 << 63, radix: 36)
    }

    /// A name for the next request.
    package mutating func nextRequestID() -> String {
        requestCount += 1
        return "\(requestPrefix)-\(requestCount)"
    }

    /// Judges a request whose body is whole, or over its limit (`isOversized`).
    ///
    /// `source` was judged by `refusalOfAddress`; its tokens and logins are counted here.
    /// `entropy` gives `Entropy.byteCount` random bytes to a route that makes a secret.
    package mutating func admit(
        _ head: HTTPHead, body: Range<Int>, isOversized: Bool, in bytes: Span<UInt8>,
        requestID: String, from source: RequestSource = .local, at moment: Moment,
        entropy: () -> [UInt8]
    ) -> (admission: Admission, route: Route?) {
        self.moment = moment
        self.source = source
        credentialID = nil
        defer { self.source = nil }
        if directory == nil, isDirectoryUnreadable, let refusal = unidentified(head, bytes) {
            return (.answer(refuse(refusal.0, on: refusal.1, requestID: requestID)), nil)
        }
        let route: Route
        switch RouteTable.match(head.method, path: head.path, in: bytes) {
        case .route(let found): route = found
        case .noPath(let isCompatible):
            return (.answer(notFound(isCompatible, requestID)), nil)
        case .noMethod(let isCompatible, let allowed):
            return (
                .answer(notAllowed(head.method, isCompatible, allowed, requestID)), nil
            )
        }
        do throws(Refusal) {
            try judgeDeployment(route)
            try judgeContentType(head, route, bytes)
            if isOversized {
                throw Refusal(
                    .payloadTooLarge, "This route takes \(route.bodyLimit) bytes at most.")
            }
            return (try admit(route, head, body, bytes, requestID, entropy), route)
        } catch {
            return (.answer(refuse(error, on: route.surface, requestID: requestID)), route)
        }
    }

    /// Judges what can be judged of a bulk request before its body is read, so that nobody without a
    /// token fills the memory with bodies. nil: read on; other routes' bodies are small.
    package mutating func refusalBeforeBody(
        _ head: HTTPHead, in bytes: Span<UInt8>, at moment: Moment
    ) -> Refusal? {
        self.moment = moment
        guard case .route(let route) = RouteTable.match(head.method, path: head.path, in: bytes),
            route.form == .events, directory != nil,
            (head.contentLength ?? 0) <= route.bodyLimit
        else { return nil }
        do throws(Refusal) {
            try judgeDeployment(route)
            try judgeContentType(head, route, bytes)
            try judgeSilence(route, head, bytes)
            try authorize(try nativeCredential(head, bytes, for: route), for: route)
            return nil
        } catch {
            return error
        }
    }

    /// What needs the directory cannot even be told to be a route while that cannot be read.
    private func unidentified(
        _ head: HTTPHead, _ bytes: Span<UInt8>
    ) -> (Refusal, Route.Surface)? {
        let path = bytes.copy(head.path)
        let isCompatible = path.starts(with: "/api/".utf8)
        guard isCompatible || path.starts(with: "/v1/".utf8) else { return nil }
        return (Refusal(.identifyRequestError), isCompatible ? .compatible : .native)
    }

    private func judgeDeployment(_ route: Route) throws(Refusal) {
        guard let directory, let (resource, action) = route.permission else { return }
        if directory.withdrawnServices.isEmpty, directory.withdrawnRoutes.isEmpty { return }
        if directory.withdrawnServices.contains(resource) { throw Refusal(.serviceNotFound) }
        if directory.withdrawnRoutes.contains("\(resource)/\(action)") {
            throw Refusal(.routeNotFound)
        }
    }

    private mutating func admit(
        _ route: Route, _ head: HTTPHead, _ body: Range<Int>, _ bytes: Span<UInt8>,
        _ requestID: String, _ entropy: () -> [UInt8]
    ) throws(Refusal) -> Admission {
        if route.surface == .native {
            guard route.needsToken else { return try open(route, head, bytes) }
            try judgeSilence(route, head, bytes)
            let credential = try nativeCredential(head, bytes, for: route)
            try authorize(credential, for: route)
            if try awaitsUse(credential) { return .awaitUse(credential.id) }
            return try admitNative(route, head, body, bytes, credential, entropy)
        }
        let takesPassword = route.parameters.contains { $0.name == .password }
        defer { if takesPassword { set.text.wipe() } }
        guard route.form == .sensitive else {
            try set.read(bytes, body: body, query: head.query)
            return try admitCompatible(route, head, bytes, bytes, requestID, entropy)
        }
        guard var decoded = Base64.decode(bytes.extracting(Self.trimmed(bytes, body)))
        else {
            throw Refusal(.invalidEncodedParams, "The body is not base64.")
        }
        defer { decoded.wipe() }
        let query = head.query.map { bytes.copy($0) }
        try set.read(
            decoded.span, body: 0..<decoded.count, query: query.map { 0..<$0.count }, in: query)
        return try admitCompatible(route, head, bytes, decoded.span, requestID, entropy)
    }

    /// The body without white space around it, which command lines like to add.
    private static func trimmed(_ bytes: Span<UInt8>, _ body: Range<Int>) -> Range<Int> {
        var (start, end) = (body.lowerBound, body.upperBound)
        let isWhite = { (byte: UInt8) in byte == 0x20 || byte == 0x0A || byte == 0x0D }
        while start < end, isWhite(bytes[start]) { start += 1 }
        while end > start, isWhite(bytes[end - 1]) { end -= 1 }
        return start..<end
    }

    /// `headBytes`: where the head is; `bytes`: where the parameters are.
    private mutating func admitCompatible(
        _ route: Route, _ head: HTTPHead, _ headBytes: Span<UInt8>, _ bytes: Span<UInt8>,
        _ requestID: String, _ entropy: () -> [UInt8]
    ) throws(Refusal) -> Admission {
        try judgeSilence(route, head, headBytes)
        if route.action == .createSession {
            return try admitLogin(route, bytes, Entropy(entropy()))
        }
        let credential = try credential(head, headBytes, for: route)
        try authorize(credential, for: route)
        let admission = try act(
            route, head, headBytes, bytes, credential, requestID, entropy)
        // Last of all: a request that is refused is no use of its session.
        if try awaitsUse(credential) { return .awaitUse(credential.id) }
        return admission
    }

    private mutating func act(
        _ route: Route, _ head: HTTPHead, _ headBytes: Span<UInt8>, _ bytes: Span<UInt8>,
        _ credential: Credential, _ requestID: String, _ entropy: () -> [UInt8]
    ) throws(Refusal) -> Admission {
        switch route.action {
        case .createEvent: return try admitEvent(credential, bytes)
        case .readEvent: return try admitRead(credential, bytes, history: false)
        case .eventHistory: return try admitRead(credential, bytes, history: true)
        case .indexEvents: return try admitEventIndex(route, credential, bytes)
        case .readSession:
            return try admitSessionRead(route, credential, requestID: requestID)
        case .readUser: return try admitUserRead(route, credential, requestID: requestID)
        case .indexTokens, .indexSessions, .indexUsers, .indexApplications, .indexRoles,
            .indexServices, .indexRoutes, .indexNotifications:
            return try admitDirectoryIndex(route, credential, bytes, requestID: requestID)
        case .readRules: return try admitRulesRead(credential, requestID: requestID)
        default: break
        }
        let entropy = Entropy(entropy())
        let request = requestIdentity(head, headBytes, credential, entropy)
        switch route.action {
        case .eraseEvent: return try admitErasure(credential, on: .compatible, request)
        case .createToken:
            return try admitTokenCreation(credential, bytes, request: request, entropy)
        case .revokeToken: return try admitTokenRevocation(credential, request: request)
        case .deleteSession: return try admitSessionDeletion(route, credential, request)
        case .registerClient: return try admitRegistration(route, credential, request)
        case .createUser:
            return try admitUserCreation(route, credential, bytes, entropy, request)
        case .updateUser:
            return try admitUserChange(route, credential, bytes, entropy, request)
        case .deleteUser: return try admitUserDeletion(route, credential, request)
        case .createApplication, .readApplication, .updateApplication, .deleteApplication:
            return try admitApplication(route, credential, request, requestID: requestID)
        case .createRole, .updateRole, .deleteRole:
            return try admitRole(route, credential, bytes, request)
        case .deployService, .withdrawService, .deployRoute, .withdrawRoute:
            return try admitDeployment(route, credential, request)
        case .updateRules: return try admitRules(route, credential, request)
        case .readNotification:
            return try admitNotification(route, credential, request, requestID: requestID)
        default: preconditionFailure("\(route.label) is not of the compatible surface")
        }
    }

    private mutating func open(
        _ route: Route, _ head: HTTPHead, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        switch route.action {
        case .live: return .live
        case .ready: return .ready(verbose: head.query != nil)
        case .metrics: return .metrics
        case .openAPI: return .answer(Self.json(openAPI))
        default: preconditionFailure("\(route.label) needs a token")
        }
    }

    /// Media types compare without case; the only parameter allowed is `charset=utf-8`.
    private func judgeContentType(
        _ head: HTTPHead, _ route: Route, _ bytes: Span<UInt8>
    ) throws(Refusal) {
        switch route.form {
        case .none: return
        case .parameters:
            guard MediaType.isJSON(head.contentType, bytes) else {
                throw Refusal(.invalidContentType)
            }
        case .sensitive:
            guard MediaType.isText(head.contentType, bytes) else {
                throw Refusal(
                    .invalidContentType,
                    "This route takes text/plain: the parameters' JSON in base64.")
            }
        case .events:
            guard
                MediaType.isJSON(head.contentType, bytes)
                    || MediaType.isNDJSON(head.contentType, bytes)
            else {
                throw Refusal(
                    .invalidContentType,
                    "This route takes application/x-ndjson, or application/json with an array.")
            }
        }
    }

    // MARK: Events

    private mutating func admitEvent(
        _ credential: Credential, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        reading.read(&set, bytes, times: times)
        guard reading.faults.isEmpty else { throw Refusal.judging(reading.faults) }
        draft.removeAll(keepingCapacity: true)
        encodeDraft(credential)
        return .append(
            EventAdmission(
                uniqueID: Array(set.text[reading.parameters.uniqueID]),
                expected: reading.expected, views: views(credential)))
    }

    /// Appends the event that was read last to `draft`, as a stored record.
    mutating func encodeDraft(_ credential: Credential) {
        RecordEncoder.append(
            reading.parameters, values: set.text, application: credential.applicationBytes,
            writtenBy: credential.writtenBy, hash: hash, to: &draft)
    }

    private mutating func admitRead(
        _ credential: Credential, _ bytes: Span<UInt8>, history: Bool
    ) throws(Refusal) -> Admission {
        reading.faults.removeAll(keepingCapacity: true)
        let uniqueID = subject()
        let revision = history ? nil : revision(bytes)
        reading.readViews(set)
        guard reading.faults.isEmpty else { throw Refusal.judging(reading.faults) }
        return .read(
            ReadAdmission(
                uniqueID: uniqueID, revision: revision, history: history, surface: .compatible,
                stale: false, after: nil, views: views(credential)))
    }

    /// The unique_id that is asked for; any text, for it need not be one that could be posted.
    private mutating func subject() -> [UInt8] {
        let fault: ParameterFault
        switch set[.uniqueID] {
        case .absent: fault = ParameterFault("unique_id", .missing, "it is required")
        case .value: fault = ParameterFault("unique_id", .wrongType, "a string")
        case .text(let range):
            if !range.isEmpty { return Array(set.text[range]) }
            fault = ParameterFault("unique_id", .empty, "at least one character")
        }
        reading.faults.append(fault)
        return []
    }

    private mutating func revision(_ bytes: Span<UInt8>) -> Revision? {
        switch set[.revision] {
        case .absent: return nil
        case .text(let range):
            if range.isEmpty { return nil }
        case .value(let node):
            if let number = set.document.integer(node, from: bytes), number > 0 {
                return Revision(UInt32(clamping: number))
            }
        }
        reading.faults.append(ParameterFault("revision", .wrongType, "a whole number from 1"))
        return nil
    }
}

/// Media types as requests name them.
enum MediaType {
    static func isJSON(_ range: Range<Int>?, _ bytes: Span<UInt8>) -> Bool {
        isMedia("application/json", range, bytes)
    }

    static func isText(_ range: Range<Int>?, _ bytes: Span<UInt8>) -> Bool {
        isMedia("text/plain", range, bytes)
    }

    static func isNDJSON(_ range: Range<Int>?, _ bytes: Span<UInt8>) -> Bool {
        isMedia("application/x-ndjson", range, bytes)
    }

    private static func isMedia(
        _ type: String, _ range: Range<Int>?, _ bytes: Span<UInt8>
    ) -> Bool {
        guard let range else { return false }
        let text = bytes.copy(range).map { (65...90).contains($0) ? $0 | 0x20 : $0 }
        guard text.starts(with: type.utf8) else { return false }
        var rest = text[type.utf8.count...].drop { $0 == 0x20 || $0 == 0x09 }
        guard rest.first == UInt8(ascii: ";") else { return rest.isEmpty }
        rest = rest.dropFirst().drop { $0 == 0x20 || $0 == 0x09 }
        while rest.last == 0x20 || rest.last == 0x09 { rest.removeLast() }
        return rest.elementsEqual("charset=utf-8".utf8)
            || rest.elementsEqual("charset=\"utf-8\"".utf8)
    }
}
