package import Records

// What changes of the directory do. The leader judged them by the state that they meet (one command
// at a time), so one that does not fit means that the log is not what it says.

extension Directory {
    /// Carries out a change of an entry stamped `time`; false when it does not fit, and nothing is
    /// changed. Commands that are not about the directory do not come here.
    package mutating func apply(_ change: DirectoryCommand.Change, at time: Timestamp) -> Bool {
        let fits =
            switch change {
            case .createToken(let row): create(row, at: time)
            case .revokeToken(let id): revoke(id, at: time)
            case .directory(let change): apply(change, at: time)
            case .compact, .addHold, .removeHold, .erase:
                preconditionFailure("no change of the directory: \(change)")
            }
        if fits { version += 1 }
        return fits
    }

    private mutating func create(_ token: TokenRow, at time: Timestamp) -> Bool {
        guard self.token(token.id) == nil, session(token.id) == nil else { return false }
        var row = token
        row.createdAt = time
        tokenTable.insert(row)
        return true
    }

    private mutating func revoke(_ id: TokenID, at time: Timestamp) -> Bool {
        tokenTable.update(id) { if $0.revokedAt == nil { $0.revokedAt = time } }
        return true
    }

    private mutating func apply(_ change: DirectoryChange, at time: Timestamp) -> Bool {
        switch change {
        case .createUser(let row): return create(row, at: time)
        case .updateUser(let change): return update(change, at: time)
        case .registerClient(let change): return register(change, at: time)
        case .deleteUser(let id):
            userTable.remove(id)
            mail.forget(id)
            sessionTable.removeAll { $0.user == id }
        case .createSession(let row): return create(row, at: time)
        case .deleteSession(let id): sessionTable.remove(id)
        case .useSessions(let uses): for use in uses { note(use, at: time) }
        case .createApplication(let slug, let name): return create(slug, name)
        case .renameApplication(let slug, let name):
            guard let place = applications.firstIndex(where: { $0.slug == slug }) else {
                return false
            }
            applications[place].name = name
        case .deleteApplication(let slug): delete(application: slug)
        case .createRole(let row): return create(row)
        case .updateRole(let role, let name, let permissions):
            return update(role, name, permissions)
        case .deleteRole(let role):
            roles.removeAll { $0.application == role.application && $0.slug == role.role }
        case .deployService(let name, let isDeployed):
            Self.set(name, isWithdrawn: !isDeployed, in: &withdrawnServices)
        case .deployRoute(let name, let isDeployed):
            Self.set(name, isWithdrawn: !isDeployed, in: &withdrawnRoutes)
        case .mail(let change): return mail.apply(change, at: time)
        }
        return true
    }

    // MARK: Users

    private mutating func create(_ user: UserRow, at time: Timestamp) -> Bool {
        guard self.user(user.id) == nil, self.user(email: user.email) == nil else { return false }
        var row = user
        row.createdAt = time
        row.updatedAt = time
        userTable.insert(row)
        return true
    }

    private mutating func update(_ change: UserChange, at time: Timestamp) -> Bool {
        guard user(change.id) != nil else { return false }
        userTable.update(change.id) { row in
            row.email = change.email ?? row.email
            row.firstName = change.firstName ?? row.firstName
            row.lastName = change.lastName ?? row.lastName
            row.phone = change.phone ?? row.phone
            row.companyName = change.companyName ?? row.companyName
            row.password = change.password ?? row.password
            row.records = change.records ?? row.records
            row.roles = change.roles ?? row.roles
            row.remembersMe = change.remembersMe ?? row.remembersMe
            row.updatedAt = time
        }
        // Whoever knew the old one is not to stay.
        if change.password != nil { sessionTable.removeAll { $0.user == change.id } }
        return true
    }

    private mutating func register(_ change: UserChange, at time: Timestamp) -> Bool {
        guard update(change, at: time) else { return false }
        if mail.rules.welcomes, let user = user(change.id) {
            mail.owe(MailOrder(recipient: user.email, subject: .welcome(user.id)), at: time)
        }
        return true
    }

    // MARK: Sessions

    private mutating func create(_ session: SessionRow, at time: Timestamp) -> Bool {
        guard user(session.user) != nil, application(session.application) != nil,
            self.session(session.id) == nil, token(session.id) == nil
        else { return false }
        makeRoom(for: session.user, at: time)
        var row = session
        row.createdAt = time
        row.usedAt = time
        sessionTable.insert(row)
        return true
    }

    /// Forgets sessions that nobody needs to be told of any more, and one of the user's when there
    /// are too many.
    private mutating func makeRoom(for user: UserID, at time: Timestamp) {
        let isFull = sessionTable.count >= DirectoryLimits.sessions
        let past = time.advanced(byMicroseconds: isFull ? 0 : -SessionRules.remembrance)
        let over = sessions.filter { row in expiry(of: row).map { $0 <= past } ?? false }
        for row in over { sessionTable.remove(row.id) }
        let own = sessions.filter { $0.user == user }
        guard own.count >= DirectoryLimits.sessionsOfUser,
            let oldest = own.min(by: { ($0.usedAt, $0.id) < ($1.usedAt, $1.id) })
        else { return }
        sessionTable.remove(oldest.id)
    }

    /// A use counts from its own time, never from a later one: a session must not expire late.
    private mutating func note(_ use: SessionUse, at time: Timestamp) {
        sessionTable.update(use.session) { row in
            row.usedAt = max(row.usedAt, min(use.usedAt, time))
        }
    }

    // MARK: Applications and roles

    private mutating func create(_ slug: String, _ name: String) -> Bool {
        guard application(slug) == nil else { return false }
        applicationCount += 1
        applications.append(ApplicationRow(number: applicationCount, slug: slug, name: name))
        for role in Self.firstRoles(of: slug) { insert(role) }
        return true
    }

    private mutating func delete(application slug: String) {
        applications.removeAll { $0.slug == slug }
        roles.removeAll { $0.application == slug }
        sessionTable.removeAll { $0.application == slug }
    }

    private mutating func create(_ role: RoleRow) -> Bool {
        let name = RoleAssignment(application: role.application, role: role.slug)
        guard self.role(name) == nil, application(role.application) != nil else { return false }
        insert(role)
        return true
    }

    private mutating func insert(_ role: RoleRow) {
        let place = roles.firstIndex { role.key < $0.key } ?? roles.count
        roles.insert(role, at: place)
    }

    private mutating func update(
        _ role: RoleAssignment, _ name: String?, _ permissions: [String]?
    ) -> Bool {
        guard
            let place = roles.firstIndex(where: {
                $0.application == role.application && $0.slug == role.role
            })
        else { return false }
        roles[place].name = name ?? roles[place].name
        roles[place].permissions = permissions ?? roles[place].permissions
        return true
    }

    private static func set(_ name: String, isWithdrawn: Bool, in names: inout [String]) {
        names.removeAll { $0 == name }
        guard isWithdrawn else { return }
        let place = names.firstIndex { name < $0 } ?? names.count
        names.insert(name, at: place)
    }
}
