import Bytes

/// What a token may be used for at most; its permissions say what of that.
package enum TokenKind: UInt8, Sendable {
    case application = 1
    case administrator = 2

    package var slug: String {
        switch self {
        case .application: "app"
        case .administrator: "admin"
        }
    }
}

/// A token's public half: 64 random bits, written as 16 hexadecimal digits.
package struct TokenID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }

    /// Reads 16 hexadecimal digits; nil when it is anything else.
    package init?(_ digits: Span<UInt8>) {
        guard digits.count == 16, let bytes = Hex.decode(digits) else { return nil }
        value = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    package var description: String {
        Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) })
    }

    package static func < (left: TokenID, right: TokenID) -> Bool { left.value < right.value }
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
        for kind in [TokenKind.application, .administrator] {
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
package struct TokenRow: Equatable, Sendable {
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

    /// Whether the token may do `action` on `resource`.
    package func permits(_ resource: String, _ action: String) -> Bool {
        permissions.contains { permission in
            let text = permission.utf8
            if text.elementsEqual("*".utf8) { return true }
            guard text.starts(with: resource.utf8) else { return false }
            let rest = text.dropFirst(resource.utf8.count)
            return rest.elementsEqual("/*".utf8)
                || (rest.first == UInt8(ascii: "/") && rest.dropFirst().elementsEqual(action.utf8))
        }
    }

    /// Whether this token may give `permission` to another: only what it holds itself.
    package func mayGrant(_ permission: String) -> Bool {
        guard permission != "*" else { return permissions.contains("*") }
        let parts = permission.split(separator: "/", maxSplits: 1)
        return parts.count == 2 && permits(String(parts[0]), String(parts[1]))
    }

    /// Whether the text is a permission: `*`, `resource/*` or `resource/action`, in lower-case
    /// letters, digits and underscores.
    package static func isPermission(_ text: String) -> Bool {
        guard text != "*" else { return true }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && isWord(parts[0]) && (parts[1] == "*" || isWord(parts[1]))
    }

    private static func isWord(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
            }
    }
}
