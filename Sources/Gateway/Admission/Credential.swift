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
    package let application: String
    /// The token's id as records carry it.
    package let writtenBy: [UInt8]
}

extension GatewayCore {
    /// The token of the request: `Authorization: Bearer` wins over the parameter.
    func bearer(_ head: HTTPHead, _ bytes: Span<UInt8>) -> [UInt8]? {
        guard let value = head.value("authorization", in: bytes) else { return nil }
        let text = bytes.copy(value)
        guard text.count > 7, text[6] == 0x20,
            text.prefix(6).map({ $0 | 0x20 }).elementsEqual("bearer".utf8)
        else { return [] }
        return Array(text[7...].drop { $0 == 0x20 })
    }

    /// The row of a token, when its secret is right and it is not revoked.
    func check(_ text: [UInt8]) throws(Refusal) -> TokenRow {
        guard let token = TokenText(parsing: text), let row = directory?.token(token.id),
            row.kind == token.kind, row.revokedAt == nil,
            ConstantTime.equal(hash.hash(token.secret), row.secretDigest)
        else { throw Refusal(.invalidToken) }
        return row
    }

    /// The credential out of header and parameters (contract: token and application steps).
    func credential(
        _ head: HTTPHead, _ bytes: Span<UInt8>, _ set: ParameterSet
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
        let row = try check(text)
        return Credential(
            token: row, application: try application(set, of: row),
            writtenBy: Array(row.id.description.utf8))
    }

    private func application(
        _ set: ParameterSet, of row: TokenRow
    ) throws(Refusal) -> String {
        switch set[.application] {
        case .absent: return row.application
        case .value: throw unrecognized(.wrongType, "a string")
        case .text(let range):
            guard !range.isEmpty else { return row.application }
            let slug = String(decoding: set.text[range], as: UTF8.self)
            guard settings.applications.contains(slug) else {
                throw unrecognized(
                    .unrecognized, settings.applications.joined(separator: ", "))
            }
            guard row.kind == .administrator || row.application == slug else {
                throw Refusal(
                    .permissionDenied,
                    "The token belongs to \(row.application) and cannot act for \(slug).")
            }
            return slug
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
