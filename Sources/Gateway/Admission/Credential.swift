import Bytes
import Crypto
import HTTPWire
package import Ledger
package import Records

/// Who a request comes from: a token or session that was checked.
package struct Credential: Equatable, Sendable {
    package let authority: Authority
    /// The session, where it is one.
    package let session: SessionRow?
    /// What the request came with, for a view of the session.
    let text: [UInt8]
    /// The application's slug as records carry it.
    let applicationBytes: [UInt8]
    /// The credential's id as records carry it.
    let writtenBy: [UInt8]

    init(_ authority: Authority, session: SessionRow? = nil, text: [UInt8] = []) {
        self.authority = authority
        self.session = session
        self.text = text
        applicationBytes = Array(authority.application.utf8)
        writtenBy = Array(Writer.text(authority.id, user: authority.user).utf8)
    }

    package var id: TokenID { authority.id }
    /// The application that the request is judged and recorded under; empty for an administrator's
    /// token that names none.
    package var application: String { authority.application }
}

extension GatewayCore {
    /// How long a gateway judges by a directory of which no leader was heard. Then it refuses: what
    /// was revoked meanwhile is not known (decision record 0029).
    package static let silenceNanoseconds: UInt64 = 10_000_000_000

    /// The token of the request's `Authorization: Bearer`; empty when the header is another one.
    func bearer(_ head: HTTPHead, _ bytes: Span<UInt8>) -> [UInt8]? {
        guard let value = head.value("authorization", in: bytes) else { return nil }
        let text = bytes.copy(value)
        guard text.count > 7, text[6] == 0x20,
            text.prefix(6).map({ $0 | 0x20 }).elementsEqual("bearer".utf8)
        else { return [] }
        return Array(text[7...].drop { $0 == 0x20 })
    }

    /// The credential of a token whose secret is right, which is neither revoked nor expired, and
    /// whose user has a record unless the route does without.
    mutating func check(_ text: [UInt8], for route: Route) throws(Refusal) -> Credential {
        let credential = try identify(text)
        try judgeFrequency(credential.id)
        guard let session = credential.session, let directory else { return credential }
        if directory.standing(of: session.id, at: moment.wall) == .expired {
            throw Refusal(.sessionExpired)
        }
        if route.access != .anySession, directory.user(session.user)?.records.isEmpty ?? true {
            throw clientRequired(session, text: text)
        }
        return credential
    }

    /// Whose token it is. Its secret is compared; how old a session is, is judged apart.
    private mutating func identify(_ text: [UInt8]) throws(Refusal) -> Credential {
        if let known = checkedTokens.credential(text) { return known }
        guard let token = TokenText(parsing: text.span), let directory,
            let authority = directory.authority(of: token.id, application: ""),
            authority.kind == token.kind,
            directory.standing(of: token.id, at: moment.wall) != .unknown
        else { throw Refusal(.invalidToken) }
        let session = directory.session(token.id)
        let digest = session?.secretDigest ?? directory.token(token.id)?.secretDigest
        guard let digest, ConstantTime.equal(hash.hash(token.secret), digest) else {
            throw Refusal(.invalidToken)
        }
        let credential = Credential(authority, session: session, text: text)
        checkedTokens.remember(text, credential)
        return credential
    }

    /// The user has to register first; the session is good for that.
    func clientRequired(_ session: SessionRow, text: [UInt8]) -> Refusal {
        var refusal = Refusal(.clientRequired)
        refusal.redirect = settings.clientRegistrationURL
        refusal.session = sessionObject(session, text: text, application: "", isFull: false)
        return refusal
    }

    /// Refuses while the directory may be too old to judge anybody by it.
    func judgeSilence(_ route: Route, _ head: HTTPHead, _ bytes: Span<UInt8>) throws(Refusal) {
        guard directory != nil,
            moment.now.nanoseconds(since: heardAt) > Self.silenceNanoseconds
        else { return }
        // What this gateway sees of the nodes is what an operator wants to know just then.
        if route.action == .cluster { return }
        let isRead = route.action == .replayEvents || route.action == .nativeEvent
        if isRead, let query = head.query {
            var parameters = QueryParameters()
            let isWhole = (try? parameters.parse(bytes, in: query)) != nil
            let stale = isWhole ? parameters.value("stale") : nil
            if let stale, parameters.text[stale].elementsEqual("true".utf8) { return }
        }
        throw Refusal(.notReady, "No leader was heard for more than 10 seconds.")
    }

    /// The credential out of header and parameters.
    /// `Authorization: Bearer` wins over the parameter.
    mutating func credential(
        _ head: HTTPHead, _ headBytes: Span<UInt8>, for route: Route
    ) throws(Refusal) -> Credential {
        let text: [UInt8]
        if let bearer = bearer(head, headBytes) {
            text = bearer
        } else {
            switch set[.token] {
            case .absent:
                throw Refusal(
                    .missingParam,
                    faults: [ParameterFault("token", .missing, "it is required")])
            case .value: throw Refusal(.invalidToken)
            case .text(let range): text = Array(set.text[range])
            }
        }
        return try judgeApplication(try check(text, for: route))
    }

    /// The credential as it acts for the application that the parameters name.
    func judgeApplication(_ credential: Credential) throws(Refusal) -> Credential {
        switch set[.application] {
        case .absent: return credential
        case .value: throw unknownApplication(.wrongType, "a string")
        case .text(let range):
            let isOwn = set.text.span.equals(credential.applicationBytes.span, in: range)
            if range.isEmpty || isOwn { return credential }
            let slug = try application(in: range)
            guard credential.authority.kind != .application else {
                throw Refusal(
                    .permissionDenied,
                    "The token belongs to \(credential.application) and cannot act for \(slug).")
            }
            guard let authority = directory?.authority(of: credential.id, application: slug)
            else { throw Refusal(.invalidToken) }
            return Credential(authority, session: credential.session, text: credential.text)
        }
    }

    /// The slug in `range` of the parameters' text, which must be an application's.
    func application(in range: Range<Int>) throws(Refusal) -> String {
        let slug = String(decoding: set.text[range], as: UTF8.self)
        guard directory?.application(slug) != nil else {
            let known = directory?.applications.map(\.slug).joined(separator: ", ") ?? ""
            throw unknownApplication(.unrecognized, known)
        }
        return slug
    }

    func unknownApplication(_ kind: ParameterFault.Kind, _ detail: String) -> Refusal {
        Refusal(.invalidParam, faults: [ParameterFault("application", kind, detail)])
    }

    /// Refuses when the credential does not hold the route's permission. What is one's own needs
    /// none, and is judged by those routes themselves.
    func authorize(_ credential: Credential, for route: Route) throws(Refusal) {
        guard route.access == .credential, let permission = route.permission else { return }
        try authorize(credential, permission)
    }

    func authorize(
        _ credential: Credential, _ permission: (resource: String, action: String)
    ) throws(Refusal) {
        guard credential.authority.permits(permission.resource, permission.action) else {
            throw Refusal(
                .permissionDenied,
                "The token does not hold \(permission.resource)/\(permission.action).")
        }
    }

    /// Administration is for administrators' tokens, and for sessions with the permission.
    func requireAdministrator(_ credential: Credential) throws(Refusal) {
        guard credential.authority.mayAdminister else {
            throw Refusal(.permissionDenied, "Only an administrator's token may do this.")
        }
    }
}
