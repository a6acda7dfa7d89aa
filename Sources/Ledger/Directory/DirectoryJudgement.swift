package import Records

/// Why a change of the directory is not made. The number is the wire's.
package enum DirectoryObjection: UInt8, CaseIterable, Error, Sendable {
    /// The author's token or session is not one, or not any more.
    case credential = 1
    /// The author does not hold the permission.
    case permission = 2
    /// It would give, or touch, what the author does not hold itself.
    case beyondAuthor = 3
    case unknownUser = 4
    case unknownSession = 5
    case unknownApplication = 6
    case unknownRole = 7
    /// Another user has the e-mail address.
    case emailTaken = 8
    /// There is one of that name already.
    case exists = 9
    /// Tokens, users or sessions depend on it.
    case inUse = 10
    /// There are as many as there may be.
    case full = 11
    /// The user is a client already.
    case registered = 12
    /// What is needed to deploy it again cannot be withdrawn.
    case needed = 13
    case expired = 14
    case unknownNotification = 15
    /// The rules of mail cannot be read.
    case malformed = 16
}

extension Directory {
    /// Judges a change against this state, as its author at `now`; `application` is the one it acts
    /// for. The leader judges last and alone; gateways judge by it in advance.
    package func judge(
        _ change: DirectoryCommand.Change, author: TokenID, application: String, at now: Timestamp
    ) throws(DirectoryObjection) {
        if case .directory(.createSession(let row)) = change { return try judge(row, at: now) }
        switch standing(of: author, at: now) {
        case .usable: break
        case .expired: throw .expired
        case .unknown: throw .credential
        }
        guard let authority = authority(of: author, application: application) else {
            throw .credential
        }
        if let (resource, action) = change.permission(of: author) {
            guard authority.mayAdminister, authority.permits(resource, action) else {
                throw .permission
            }
        }
        switch change {
        case .createToken(let row):
            guard tokens.count < DirectoryLimits.tokens else { throw .full }
            try grant(row.permissions, authority)
            guard row.kind == .administrator || self.application(row.application) != nil else {
                throw .unknownApplication
            }
            guard token(row.id) == nil, session(row.id) == nil else { throw .exists }
        case .directory(let change): try judge(change, authority)
        case .revokeToken, .compact, .addHold, .removeHold, .erase: break
        }
    }

    private func judge(
        _ change: DirectoryChange, _ author: Authority
    ) throws(DirectoryObjection) {
        switch change {
        case .createUser(let row):
            guard users.count < DirectoryLimits.users else { throw .full }
            guard user(row.id) == nil else { throw .exists }
            guard user(email: row.email) == nil else { throw .emailTaken }
            try judge(roles: row.roles)
            try grant(permissions(of: row), author)
        case .updateUser(let change): try judge(change, author)
        case .deleteUser(let id):
            guard let user = user(id) else { throw .unknownUser }
            guard user.id != author.user else { throw .inUse }
            try grant(permissions(of: user), author)
        case .registerClient(let change):
            guard let user = user(change.id), user.id == author.user else { throw .permission }
            guard !user.records.contains(.client) else { throw .registered }
        case .deleteSession(let id):
            guard session(id) != nil else { throw .unknownSession }
        case .createSession, .useSessions: break
        default: try judgeRest(change, author)
        }
    }

    private func judgeRest(
        _ change: DirectoryChange, _ author: Authority
    ) throws(DirectoryObjection) {
        switch change {
        case .createApplication(let slug, _):
            guard application(slug) == nil else { throw .exists }
            guard applications.count < DirectoryLimits.applications else { throw .full }
        case .renameApplication(let slug, _):
            guard application(slug) != nil else { throw .unknownApplication }
        case .deleteApplication(let slug):
            guard application(slug) != nil else { throw .unknownApplication }
            let hasTokens = tokens.contains { $0.application == slug && $0.revokedAt == nil }
            let hasUsers = users.contains { $0.roles.contains { $0.application == slug } }
            guard !hasTokens, !hasUsers else { throw .inUse }
        case .createRole(let row):
            guard application(row.application) != nil else { throw .unknownApplication }
            let name = RoleAssignment(application: row.application, role: row.slug)
            guard role(name) == nil else { throw .exists }
            guard roles.count < DirectoryLimits.roles else { throw .full }
            try grant(row.permissions, author)
        case .updateRole(let name, _, let permissions):
            guard let role = role(name) else { throw .unknownRole }
            try grant(role.permissions + (permissions ?? []), author)
        case .deleteRole(let name):
            guard let role = role(name) else { throw .unknownRole }
            guard !users.contains(where: { $0.roles.contains(name) }) else { throw .inUse }
            try grant(role.permissions, author)
        case .deployService(let name, let isDeployed):
            guard isDeployed || !["services", "routes", "tokens", "sessions"].contains(name) else {
                throw .needed
            }
        case .deployRoute(let name, let isDeployed):
            guard isDeployed || !(name.hasPrefix("services/") || name.hasPrefix("routes/")) else {
                throw .needed
            }
        case .mail(.rules(let source)):
            guard (try? MailRules(source)) != nil else { throw .malformed }
        case .mail(.read(let id)):
            guard mail.notification(id) != nil else { throw .unknownNotification }
        case .mail: throw .permission
        default: preconditionFailure("\(change) is judged elsewhere")
        }
    }

    private func judge(_ change: UserChange, _ author: Authority) throws(DirectoryObjection) {
        guard var row = user(change.id) else { throw .unknownUser }
        if let email = change.email, let other = user(email: email), other.id != row.id {
            throw .emailTaken
        }
        try judge(roles: change.roles ?? [])
        // Whoever may change a password may become that user.
        try grant(permissions(of: row), author)
        row.records = change.records ?? row.records
        row.roles = change.roles ?? row.roles
        try grant(permissions(of: row), author)
    }

    private func judge(_ session: SessionRow, at now: Timestamp) throws(DirectoryObjection) {
        guard user(session.user) != nil else { throw .unknownUser }
        guard application(session.application) != nil else { throw .unknownApplication }
        guard self.session(session.id) == nil, token(session.id) == nil else { throw .exists }
        let isFull =
            sessions.count >= DirectoryLimits.sessions
            && !sessions.contains { expiry(of: $0).map { $0 <= now } ?? false }
        guard !isFull else { throw .full }
    }

    private func judge(roles: [RoleAssignment]) throws(DirectoryObjection) {
        for name in roles where role(name) == nil { throw .unknownRole }
    }

    private func grant(
        _ permissions: [String], _ author: Authority
    ) throws(DirectoryObjection) {
        guard permissions.allSatisfy(author.mayGrant) else { throw .beyondAuthor }
    }
}

extension DirectoryCommand.Change {
    /// The permission that its author needs; nil for what everybody may do with what is their own.
    package func permission(of author: TokenID) -> (resource: String, action: String)? {
        switch self {
        case .createToken: ("tokens", "create")
        case .revokeToken: ("tokens", "revoke")
        case .compact: ("compactions", "create")
        case .addHold: ("holds", "create")
        case .removeHold: ("holds", "delete")
        case .erase: ("audit_events_fmp", "erase")
        case .directory(let change): change.permission(of: author)
        }
    }
}

extension DirectoryChange {
    fileprivate func permission(of author: TokenID) -> (resource: String, action: String)? {
        switch self {
        case .createUser: ("users", "create")
        case .updateUser: ("users", "update")
        case .deleteUser: ("users", "delete")
        case .registerClient, .createSession, .useSessions: nil
        case .deleteSession(let id): id == author ? nil : ("sessions", "delete")
        case .createApplication: ("applications", "create")
        case .renameApplication: ("applications", "update")
        case .deleteApplication: ("applications", "delete")
        case .createRole: ("roles", "create")
        case .updateRole: ("roles", "update")
        case .deleteRole: ("roles", "delete")
        case .deployService(_, let isDeployed): ("services", isDeployed ? "deploy" : "withdraw")
        case .deployRoute(_, let isDeployed): ("routes", isDeployed ? "deploy" : "withdraw")
        case .mail(.read): ("notifications", "read")
        case .mail: ("alerts", "update")
        }
    }
}
