package import Records

// Who a credential's id stands for, and what that may do. The same at gateways and at the leader.

/// A token or session as it acts for one application.
package struct Authority: Equatable, Sendable, PermissionHolder {
    package let id: TokenID
    package let kind: TokenKind
    /// Of a session.
    package let user: UserID?
    /// Empty for an administrator's token that names none.
    package let application: String
    package let permissions: [String]

    package init(
        id: TokenID, kind: TokenKind, user: UserID?, application: String, permissions: [String]
    ) {
        self.id = id
        self.kind = kind
        self.user = user
        self.application = application
        self.permissions = permissions
    }

    /// Whether its permissions reach administration: an application's token never does.
    package var mayAdminister: Bool { kind != .application }
}

extension Directory {
    /// What a credential's id is good for at some time.
    package enum Standing: Equatable, Sendable {
        case usable
        /// Not there, revoked, deleted, or of a user who is gone.
        case unknown
        case expired
    }

    package func standing(of id: TokenID, at now: Timestamp) -> Standing {
        if let token = token(id) { return token.revokedAt == nil ? .usable : .unknown }
        guard let session = session(id), user(session.user) != nil else { return .unknown }
        guard let expiry = expiry(of: session) else { return .usable }
        return now < expiry ? .usable : .expired
    }

    /// The first moment at which the session is expired; nil for one that lasts.
    package func expiry(of session: SessionRow) -> Timestamp? {
        let remembers = session.remembersMe ?? user(session.user)?.remembersMe ?? false
        guard !remembers else { return nil }
        return min(
            session.createdAt.advanced(byMicroseconds: SessionRules.lifetime),
            session.usedAt.advanced(byMicroseconds: SessionRules.idleTime))
    }

    /// What the credential may do for `application`; empty: the one it belongs to. nil when there is
    /// no such credential. Its standing is judged apart.
    package func authority(of id: TokenID, application: String) -> Authority? {
        if let token = token(id) {
            return Authority(
                id: id, kind: token.kind, user: nil,
                application: application.isEmpty ? token.application : application,
                permissions: token.permissions)
        }
        guard let session = session(id), let user = user(session.user) else { return nil }
        let application = application.isEmpty ? session.application : application
        return Authority(
            id: id, kind: .session, user: user.id, application: application,
            permissions: roles(of: user, in: application).flatMap(\.permissions))
    }

    /// The roles that a user has in an application: those of its records, and those it was given.
    package func roles(of user: UserRow, in application: String) -> [RoleRow] {
        let given = user.roles.filter { $0.application == application }.map(\.role)
        let slugs = user.records.slugs + given
        return roles.filter { $0.application == application && slugs.contains($0.slug) }
    }

    /// Everything that a user may do, wherever.
    func permissions(of user: UserRow) -> [String] {
        applications.flatMap { roles(of: user, in: $0.slug).flatMap(\.permissions) }
    }
}
