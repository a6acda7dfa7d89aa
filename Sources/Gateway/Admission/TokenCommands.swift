import Bytes
import Crypto
import HTTPWire
import JSON
import Ledger
package import Records

// The administration of tokens: create, index, revoke. Only administrators come this far.

extension GatewayCore {
    /// Permissions of one token, and bytes of one of them. More is `too long`.
    static let permissionLimit = 64
    static let nameBytes = 255

    mutating func admitTokenCreation(
        _ credential: Credential, _ bytes: Span<UInt8>, request: Identifier, _ entropy: Entropy
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        var faults: [ParameterFault] = []
        let kind = tokenKind(&faults)
        let application = kind == .administrator ? "" : credential.application
        if kind == .application, application.isEmpty {
            faults.append(ParameterFault("application", .missing, "the token's application"))
        }
        let name = tokenName(&faults)
        let permissions = tokenPermissions(bytes, kind, application, &faults)
        reading.faults = []
        reading.readViews(set)
        faults += reading.faults
        guard faults.isEmpty else { throw Refusal.judging(faults) }
        guard permissions.allSatisfy(credential.authority.mayGrant) else {
            throw Refusal(
                .permissionDenied, "A token can only be given permissions that its maker holds.")
        }
        let id = TokenID(entropy.id)
        let secret = entropy.secret
        let row = TokenRow(
            id: id, kind: kind, application: application, name: name, permissions: permissions,
            secretDigest: hash.hash(secret), createdAt: .absent)
        var details: [UInt8] = []
        Self.appendToken(row, to: &details)
        let command = DirectoryCommand(
            request: request, author: credential.id, change: .createToken(row))
        return .command(
            CommandAdmission(
                command: command, record: record("tokens/create", id, details, credential),
                reveal: .token(TokenText(kind: kind, id: id, secret: secret).text),
                surface: .compatible, views: views(credential)))
    }

    mutating func admitTokenRevocation(
        _ credential: Credential, request: Identifier
    ) throws(Refusal) -> Admission {
        try requireAdministrator(credential)
        guard !set.isEmpty(.id) else {
            throw Refusal.judging([ParameterFault("id", .empty, "the 16 digits of a token's id")])
        }
        guard case .text(let range) = set[.id] else {
            let kind: ParameterFault.Kind = set[.id] == .absent ? .missing : .wrongType
            throw Refusal.judging([ParameterFault("id", kind, "the 16 digits of a token's id")])
        }
        guard let id = TokenID(set.text.span.extracting(range)) else {
            throw Refusal.judging(
                [ParameterFault("id", .unknownID, "the 16 digits of a token's id")])
        }
        let command = DirectoryCommand(
            request: request, author: credential.id, change: .revokeToken(id))
        reading.faults = []
        reading.readViews(set)
        try judgeFaults()
        return .command(
            CommandAdmission(
                command: command,
                record: record("tokens/revoke", id, Array("{}".utf8), credential),
                surface: .compatible, views: views(credential)))
    }

    /// Appends what may be shown of a token: never its secret, nor the digest of it.
    package static func appendToken(_ row: TokenRow, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("id", row.id.description, to: &output)
        object.member("kind", row.kind.slug, to: &output)
        object.member("application", row.application, to: &output)
        object.member("name", row.name, to: &output)
        object.name("permissions", to: &output)
        var array = JSONArrayWriter(to: &output)
        for permission in row.permissions {
            array.element(to: &output)
            JSONWriter.append(permission, to: &output)
        }
        array.close(to: &output)
        if row.createdAt != .absent {
            object.member("created_at", RFC3339.text(row.createdAt), to: &output)
        }
        if let revokedAt = row.revokedAt {
            object.member("revoked_at", RFC3339.text(revokedAt), to: &output)
        }
        object.close(to: &output)
    }

    /// Names the command: the client's `Idempotency-Key` where it sent one, so that repeating the
    /// request gets the first answer, else random.
    func requestIdentity(
        _ head: HTTPHead, _ bytes: Span<UInt8>, _ credential: Credential, _ entropy: Entropy
    ) -> Identifier {
        guard let key = head.value("idempotency-key", in: bytes) else {
            return entropy.request
        }
        let digest = hash.hash(credential.writtenBy + bytes.copy(key))
        return Identifier(digest.span, at: 0)
    }

    private func record(
        _ action: String, _ subject: TokenID, _ details: [UInt8], _ credential: Credential
    ) -> [UInt8] {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: action, subject: subject.description, details: details,
            application: credential.application,
            writtenBy: String(decoding: credential.writtenBy, as: UTF8.self), to: &record)
        return record
    }

    private func tokenKind(_ faults: inout [ParameterFault]) -> TokenKind {
        switch set[.kind] {
        case .absent: return .application
        case .value: faults.append(ParameterFault("kind", .wrongType, "a string"))
        case .text(let range):
            switch String(decoding: set.text[range], as: UTF8.self) {
            case "", "app": return .application
            case "admin": return .administrator
            default: faults.append(ParameterFault("kind", .unrecognized, "app or admin"))
            }
        }
        return .application
    }

    private func tokenName(_ faults: inout [ParameterFault]) -> String {
        switch set[.name] {
        case .absent: return ""
        case .value:
            faults.append(ParameterFault("name", .wrongType, "a string"))
            return ""
        case .text(let range):
            if range.count > Self.nameBytes {
                faults.append(ParameterFault("name", .tooLong, "\(Self.nameBytes) bytes at most"))
            }
            if set.text[range].contains(where: { $0 < 0x20 || $0 == 0x7F }) {
                faults.append(ParameterFault("name", .notAllowed, "no control characters"))
            }
            return String(decoding: set.text[range], as: UTF8.self)
        }
    }

    private func tokenPermissions(
        _ bytes: Span<UInt8>, _ kind: TokenKind, _ application: String,
        _ faults: inout [ParameterFault]
    ) -> [String] {
        guard case .value(let node) = set[.permissions] else {
            if set[.permissions] != .absent, !set.isEmpty(.permissions) {
                faults.append(ParameterFault("permissions", .wrongType, "an array of strings"))
            }
            guard kind == .application else { return ["*"] }
            let role = RoleAssignment(application: application, role: Directory.tokenRole)
            return directory?.role(role)?.permissions ?? []
        }
        var permissions: [String] = []
        var element =
            set.document.kind(node) == .array ? set.document.firstChild(of: node) : nil
        while let current = element {
            guard let text = set.document.string(current, from: bytes),
                text.utf8.count <= Self.nameBytes, Permission.isWellFormed(text),
                permissions.count < Self.permissionLimit
            else {
                permissions = []
                break
            }
            permissions.append(text)
            element = set.document.next(after: current, in: node)
        }
        if permissions.isEmpty {
            faults.append(
                ParameterFault(
                    "permissions", .wrongType,
                    "an array of 1 to \(Self.permissionLimit) strings such as "
                        + "audit_events_fmp/create, audit_events_fmp/* or *"))
        }
        return permissions
    }
}
