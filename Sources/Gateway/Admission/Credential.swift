import Bytes
import Crypto
import HTTPWire
import Ledger
package import Records

/// Who a request comes from: a token that was checked.
package struct Credential: Equatable, Sendable {
    package let token: TokenRow
    /// The application that the request is judged and recorded under; empty for an administrator
    /// who names none.
    package private(set) var application: String
    /// The application's slug as records carry it.
    let applicationBytes: [UInt8]
    /// The token's id as records carry it.
    package let writtenBy: [UInt8]

    init(token: TokenRow, application: String) {
        self.token = token
        self.application = application
        applicationBytes = Array(application.utf8)
        writtenBy = Array(token.id.description.utf8)
    }
}

extension GatewayCore {
    /// The token of the request's `Authorization: Bearer`; empty when the header is another one.
    func bearer(_ head: HTTPHead, _ bytes: Span<UInt8>) -> [UInt8]? {
        guard let value = head.value("authorization", in: bytes) else { return nil }
        let text = bytes.copy(value)
        guard text.count > 7, text[6] == 0x20,
            text.prefix(6).map({ $0 | 0x20 }).elementsEqual("bearer".utf8)
        else { return [] }
        return Array(text[7...].drop { $0 == 0x20 })
    }

    /// The credential of a token whose secret is right and which is not revoked.
    mutating func check(_ text: [UInt8]) throws(Refusal) -> Credential {
        if let known = checkedTokens.credential(text) { return known }
        guard let token = TokenText(parsing: text.span), let row = directory?.token(token.id),
            row.kind == token.kind, row.revokedAt == nil,
            ConstantTime.equal(hash.hash(token.secret), row.secretDigest)
        else { throw Refusal(.invalidToken) }
        let credential = Credential(token: row, application: row.application)
        checkedTokens.remember(text, credential)
        return credential
    }

    /// The credential out of header and parameters.
    /// `Authorization: Bearer` wins over the parameter.
    mutating func credential(
        _ head: HTTPHead, _ bytes: Span<UInt8>
    ) throws(Refusal) -> Credential {
        let text: [UInt8]
        if let bearer = bearer(head, bytes) {
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
        return try judgeApplication(try check(text))
    }

    /// The credential as it acts for the application that the parameters name.
    func judgeApplication(_ credential: Credential) throws(Refusal) -> Credential {
        switch set[.application] {
        case .absent: return credential
        case .value: throw unrecognized(.wrongType, "a string")
        case .text(let range):
            let isOwn = set.text.span.equals(credential.applicationBytes.span, in: range)
            if range.isEmpty || isOwn { return credential }
            let slug = String(decoding: set.text[range], as: UTF8.self)
            guard settings.applications.contains(slug) else {
                throw unrecognized(
                    .unrecognized, settings.applications.joined(separator: ", "))
            }
            guard credential.token.kind == .administrator else {
                throw Refusal(
                    .permissionDenied,
                    "The token belongs to \(credential.application) and cannot act for \(slug).")
            }
            return Credential(token: credential.token, application: slug)
        }
    }

    private func unrecognized(_ kind: ParameterFault.Kind, _ detail: String) -> Refusal {
        Refusal(.invalidParam, faults: [ParameterFault("application", kind, detail)])
    }

    /// Refuses when the token does not hold the route's permission.
    func authorize(_ token: TokenRow, for route: Route) throws(Refusal) {
        guard let (resource, action) = route.permission else { return }
        guard token.permits(resource, action) else {
            throw Refusal(
                .permissionDenied, "The token does not hold \(resource)/\(action).")
        }
    }
}
