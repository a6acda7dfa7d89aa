/// Whoever may do some things: a token, a role, a session as it acts for one application.
package protocol PermissionHolder {
    /// `resource/action`, `resource/*` or `*`.
    var permissions: [String] { get }
}

extension PermissionHolder {
    /// Whether the holder may do `action` on `resource`.
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

    /// Whether the holder may give `permission` to another: only what it holds itself.
    package func mayGrant(_ permission: String) -> Bool {
        guard permission != "*" else { return permissions.contains("*") }
        let parts = permission.split(separator: "/", maxSplits: 1)
        return parts.count == 2 && permits(String(parts[0]), String(parts[1]))
    }
}

/// Permissions as texts.
package enum Permission {
    /// Whether the text is a permission: `*`, `resource/*` or `resource/action`, in lower-case
    /// letters, digits and underscores.
    package static func isWellFormed(_ text: String) -> Bool {
        guard text != "*" else { return true }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 2 && isWord(parts[0]) && (parts[1] == "*" || isWord(parts[1]))
    }

    /// Whether the text is a word of lower-case letters, digits and underscores, as slugs are.
    package static func isWord(_ text: Substring) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
            }
    }
}
