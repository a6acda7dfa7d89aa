import Bytes

/// What a token may be used for at most; its permissions say what of that.
package enum TokenKind: UInt8, Sendable {
    case application = 1
    case administrator = 2
    /// A user's, until it is deleted or expires; the directory has it among the sessions.
    case session = 3

    package var slug: String {
        switch self {
        case .application: "app"
        case .administrator: "admin"
        case .session: "ses"
        }
    }
}

/// The public half of a token or session: 64 random bits, written as 16 hexadecimal digits.
package struct TokenID: RandomName {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }
}

/// A token as its holder has it: `dbk_<kind>_<id: 16 hex digits>_<secret: 43 base64url characters>`.
package struct TokenText: Sendable {
    package let kind: TokenKind
    package let id: TokenID
    /// 32 random bytes; the log holds their SHA-256 alone.
    package let secret: [UInt8]

    package static let secretByteCount = 32

    package init(kind: TokenKind, id: TokenID, secret: [UInt8]) {
        precondition(secret.count == Self.secretByteCount, "a secret of \(secret.count) bytes")
        self.kind = kind
        self.id = id
        self.secret = secret
    }

    /// Reads a token; nil when it is not of the form.
    package init?(parsing text: Span<UInt8>) {
        for kind in [TokenKind.application, .administrator, .session] {
            let prefix = Array("dbk_\(kind.slug)_".utf8)
            guard text.count == prefix.count + Self.tailByteCount,
                text.equals(prefix.span, in: 0..<prefix.count),
                text[prefix.count + 16] == UInt8(ascii: "_"),
                let id = TokenID(text.extracting(prefix.count..<(prefix.count + 16))),
                let secret = Base64.decode(text.extracting((prefix.count + 17)..<text.count)),
                secret.count == Self.secretByteCount
            else { continue }
            self.init(kind: kind, id: id, secret: secret)
            return
        }
        return nil
    }

    /// Characters of the id, the underscore and the secret.
    private static let tailByteCount = 16 + 1 + 43

    package var text: String {
        "dbk_\(kind.slug)_\(id)_\(Base64.encode(secret, alphabet: .urlSafe))"
    }
}

/// A token as the directory keeps it.
package struct TokenRow: Equatable, Identifiable, Sendable, PermissionHolder {
    package let id: TokenID
    package let kind: TokenKind
    /// The application that it belongs to; empty for an administrator's.
    package let application: String
    package let name: String
    /// `resource/action`, `resource/*` or `*`.
    package let permissions: [String]
    /// SHA-256 of the secret.
    package let secretDigest: [UInt8]
    package var createdAt: Timestamp
    package var revokedAt: Timestamp?

    package init(
        id: TokenID, kind: TokenKind, application: String, name: String, permissions: [String],
        secretDigest: [UInt8], createdAt: Timestamp, revokedAt: Timestamp? = nil
    ) {
        self.id = id
        self.kind = kind
        self.application = application
        self.name = name
        self.permissions = permissions
        self.secretDigest = secretDigest
        self.createdAt = createdAt
        self.revokedAt = revokedAt
    }
}
