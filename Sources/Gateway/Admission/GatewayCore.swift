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
    case command(
        DirectoryCommand, record: [UInt8], secret: String?, surface: Route.Surface)
    case indexTokens
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
    package let applicationView: ApplicationView?
}

package struct ReadAdmission: Sendable {
    package let uniqueID: [UInt8]
    package let revision: Revision?
    package let history: Bool
    package let surface: Route.Surface
    package let stale: Bool
    /// It must hold what is recorded through here, and may come from any node that does.
    package let after: Sequence?
    package let applicationView: ApplicationView?
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

/// Everything that is decided before the cluster is asked, in one order for every route: route,
/// content type, size, decoded, any parameters, token, application, permission, parameters.
package struct GatewayCore {
    package let settings: GatewaySettings
    package let times: TimeReading
    /// nil until a node has told it.
    package var directory: Directory? {
        didSet { checkedTokens.forget() }
    }
    var checkedTokens = CheckedTokens()
    /// The stored record of the event that was admitted last.
    package var draft: [UInt8] = []
    let hash = SHA256()
    var set = ParameterSet()
    var reading = EventReading()
    private var requestCount: UInt64 = 0
    private let requestPrefix: String

    /// `seed` sets request ids of this process apart from those of others.
    package init(settings: GatewaySettings, times: TimeReading, seed: UInt64) {
        self.settings = settings
        self.times = times
        requestPrefix = String(seed | 1 << 63, radix: 36)
    }

    /// A name for the next request.
    package mutating func nextRequestID() -> String {
        requestCount += 1
        return "\(requestPrefix)-\(requestCount)"
    }

    /// Judges a request whose body is whole, or over its limit (`isOversized`).
    ///
    /// `entropy` gives `entropyBytes` random bytes to a route that makes a secret.
    package mutating func admit(
        _ head: HTTPHead, body: Range<Int>, isOversized: Bool, in bytes: Span<UInt8>,
        requestID: String, entropy: () -> [UInt8]
    ) -> (admission: Admission, route: Route?) {
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
        _ head: HTTPHead, in bytes: Span<UInt8>
    ) -> Refusal? {
        guard case .route(let route) = RouteTable.match(head.method, path: head.path, in: bytes),
            route.form == .events, directory != nil,
            (head.contentLength ?? 0) <= route.bodyLimit
        else { return nil }
        do throws(Refusal) {
            try judgeContentType(head, route, bytes)
            try authorize(try nativeCredential(head, bytes).token, for: route)
            return nil
        } catch {
            return error
        }
    }

    private mutating func admit(
        _ route: Route, _ head: HTTPHead, _ body: Range<Int>, _ bytes: Span<UInt8>,
        _ requestID: String, _ entropy: () -> [UInt8]
    ) throws(Refusal) -> Admission {
        guard route.needsToken else { return try open(route, head, bytes) }
        if route.surface == .native {
            let credential = try nativeCredential(head, bytes)
            try authorize(credential.token, for: route)
            return try admitNative(route, head, body, bytes, credential, entropy)
        }
        try set.read(bytes, body: body, query: head.query)
        let credential = try credential(head, bytes)
        try authorize(credential.token, for: route)
        switch route.action {
        case .createEvent: return try admitEvent(credential, bytes)
        case .readEvent: return try admitRead(credential, bytes, history: false)
        case .eventHistory: return try admitRead(credential, bytes, history: true)
        case .eraseEvent:
            let request = requestIdentity(head, bytes, credential, entropy())
            return try admitErasure(credential, on: .compatible, request)
        case .createToken, .revokeToken:
            let entropy = entropy()
            let request = requestIdentity(head, bytes, credential, entropy)
            return route.action == .createToken
                ? try admitTokenCreation(credential, bytes, request: request, entropy)
                : try admitTokenRevocation(credential, request: request)
        case .indexTokens: return .indexTokens
        case .appendEvents, .replayEvents, .nativeEvent, .cluster, .transfer, .seal,
            .clusterFiles, .live, .ready, .metrics, .compact, .indexHolds, .addHold, .removeHold,
            .eraseNative, .indexMembers, .addMember, .promoteMember, .removeMember:
            preconditionFailure("\(route.label) is not of the compatible surface")
        }
    }

    private func open(
        _ route: Route, _ head: HTTPHead, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Admission {
        switch route.action {
        case .live: return .live
        case .ready: return .ready(verbose: head.query != nil)
        case .metrics: return .metrics
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
                expected: reading.expected, applicationView: view(credential)))
    }

    /// Appends the event that was read last to `draft`, as a stored record.
    mutating func encodeDraft(_ credential: Credential) {
        RecordEncoder.append(
            reading.parameters, values: set.text, application: credential.applicationBytes,
            writtenBy: credential.writtenBy, hash: hash, to: &draft)
    }

    private func view(_ credential: Credential) -> ApplicationView? {
        guard reading.applicationView != .none,
            let place = settings.applications.firstIndex(of: credential.application)
        else { return nil }
        return ApplicationView(
            number: place + 1, slug: credential.application,
            permissions: reading.applicationView == .full ? credential.token.permissions : nil)
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
                stale: false, after: nil, applicationView: view(credential)))
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
