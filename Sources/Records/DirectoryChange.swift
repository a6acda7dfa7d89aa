package import Bytes

/// What is to change of a user; nil members stay.
package struct UserChange: Equatable, Sendable {
    package let id: UserID
    package var email: String?
    package var firstName: String?
    package var lastName: String?
    package var phone: String?
    package var companyName: String?
    package var password: PasswordHash?
    package var records: PersonRecords?
    package var roles: [RoleAssignment]?
    package var remembersMe: Bool?

    package init(id: UserID) { self.id = id }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        id = UserID(try cursor.integer(bytes))
        email = try cursor.optionalText(bytes)
        firstName = try cursor.optionalText(bytes)
        lastName = try cursor.optionalText(bytes)
        phone = try cursor.optionalText(bytes)
        companyName = try cursor.optionalText(bytes)
        password = try cursor.flag(bytes) ? try PasswordHash(&cursor, bytes) : nil
        records = try cursor.flag(bytes) ? try cursor.records(bytes) : nil
        roles = try cursor.flag(bytes) ? try cursor.roles(bytes) : nil
        remembersMe = try cursor.flag(bytes) ? try cursor.flag(bytes) : nil
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: id.value)
        for text in [email, firstName, lastName, phone, companyName] {
            bytes.append(optional: text)
        }
        bytes.append(password == nil ? 0 : 1)
        password?.append(to: &bytes)
        bytes.append(records == nil ? 0 : 1)
        if let records { bytes.append(records.rawValue) }
        bytes.append(roles == nil ? 0 : 1)
        if let roles { bytes.append(roles: roles) }
        bytes.append(remembersMe == nil ? 0 : 1)
        if let remembersMe { bytes.append(remembersMe ? 1 : 0) }
    }
}

/// That a session was used, for the record.
package struct SessionUse: Equatable, Sendable {
    package let session: TokenID
    package let usedAt: Timestamp

    package init(session: TokenID, usedAt: Timestamp) {
        self.session = session
        self.usedAt = usedAt
    }
}

/// A change of what the directory knows of applications, roles, users, sessions, services and routes.
package enum DirectoryChange: Equatable, Sendable {
    case createUser(UserRow)
    case updateUser(UserChange)
    case deleteUser(UserID)
    /// A user without records becomes a client, by a session of its own.
    case registerClient(UserChange)
    case createSession(SessionRow)
    case deleteSession(TokenID)
    /// Bookkeeping, without an administrative event.
    case useSessions([SessionUse])
    case createApplication(slug: String, name: String)
    case renameApplication(slug: String, name: String)
    case deleteApplication(slug: String)
    case createRole(RoleRow)
    /// nil members stay.
    case updateRole(RoleAssignment, name: String?, permissions: [String]?)
    case deleteRole(RoleAssignment)
    case deployService(String, Bool)
    /// `resource/action`.
    case deployRoute(String, Bool)
    case mail(MailChange)

    /// Reads the change of this kind; nil when no change has it.
    init?(
        kind: UInt8, _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) {
        switch kind {
        case 7: self = .createUser(try UserRow(&cursor, bytes))
        case 8: self = .updateUser(try UserChange(&cursor, bytes))
        case 9: self = .deleteUser(UserID(try cursor.integer(bytes)))
        case 10: self = .registerClient(try UserChange(&cursor, bytes))
        case 11: self = .createSession(try SessionRow(&cursor, bytes))
        case 12: self = .deleteSession(TokenID(try cursor.integer(bytes)))
        case 13: self = .useSessions(try SessionUses.read(&cursor, bytes))
        case 14:
            let slug = try cursor.text(bytes)
            self = .createApplication(slug: slug, name: try cursor.text(bytes))
        case 15:
            let slug = try cursor.text(bytes)
            self = .renameApplication(slug: slug, name: try cursor.text(bytes))
        case 16: self = .deleteApplication(slug: try cursor.text(bytes))
        case 17: self = .createRole(try RoleRow(&cursor, bytes))
        case 18:
            let role = try RoleAssignment(&cursor, bytes)
            let name = try cursor.optionalText(bytes)
            let permissions = try cursor.flag(bytes) ? try cursor.texts(bytes) : nil
            self = .updateRole(role, name: name, permissions: permissions)
        case 19: self = .deleteRole(try RoleAssignment(&cursor, bytes))
        case 20:
            let service = try cursor.text(bytes)
            self = .deployService(service, try cursor.flag(bytes))
        case 21:
            let route = try cursor.text(bytes)
            self = .deployRoute(route, try cursor.flag(bytes))
        case 22: self = .mail(try MailChange(&cursor, bytes))
        default: return nil
        }
    }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .createUser(let row): row.append(to: &bytes, kind: 7)
        case .updateUser(let change): change.append(to: &bytes, kind: 8)
        case .deleteUser(let id):
            bytes.append(9)
            bytes.append(littleEndian: id.value)
        case .registerClient(let change): change.append(to: &bytes, kind: 10)
        case .createSession(let row):
            bytes.append(11)
            row.append(to: &bytes)
        case .deleteSession(let id):
            bytes.append(12)
            bytes.append(littleEndian: id.value)
        case .useSessions(let uses):
            bytes.append(13)
            SessionUses.append(uses, to: &bytes)
        default: appendRest(to: &bytes)
        }
    }

    private func appendRest(to bytes: inout [UInt8]) {
        switch self {
        case .createApplication(let slug, let name): bytes.append(14, texts: slug, name)
        case .renameApplication(let slug, let name): bytes.append(15, texts: slug, name)
        case .deleteApplication(let slug): bytes.append(16, texts: slug)
        case .createRole(let row):
            bytes.append(17)
            row.append(to: &bytes)
        case .updateRole(let role, let name, let permissions):
            bytes.append(18, texts: role.application, role.role)
            bytes.append(optional: name)
            bytes.append(permissions == nil ? 0 : 1)
            if let permissions { bytes.append(texts: permissions) }
        case .deleteRole(let role): bytes.append(19, texts: role.application, role.role)
        case .deployService(let service, let isDeployed):
            bytes.append(20, texts: service)
            bytes.append(isDeployed ? 1 : 0)
        case .deployRoute(let route, let isDeployed):
            bytes.append(21, texts: route)
            bytes.append(isDeployed ? 1 : 0)
        case .mail(let change):
            bytes.append(22)
            change.append(to: &bytes)
        default: preconditionFailure("\(self) is written elsewhere")
        }
    }
}

/// Uses of sessions behind their number as 32 bits.
package enum SessionUses {
    /// Uses in one report or entry. More wait for the next.
    package static let limit = 1_024

    package static func read(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> [SessionUse] {
        let count = try cursor.integer(bytes, as: UInt32.self)
        guard count <= limit else { throw ByteDefect(offset: cursor.offset - 4) }
        var uses: [SessionUse] = []
        for _ in 0..<count {
            let session = TokenID(try cursor.integer(bytes))
            uses.append(
                SessionUse(
                    session: session,
                    usedAt: Timestamp(microseconds: try cursor.integer(bytes))))
        }
        return uses
    }

    package static func append(_ uses: [SessionUse], to bytes: inout [UInt8]) {
        precondition(uses.count <= limit, "\(uses.count) uses at once")
        bytes.append(littleEndian: UInt32(uses.count))
        for use in uses {
            bytes.append(littleEndian: use.session.value)
            bytes.append(littleEndian: use.usedAt.microseconds)
        }
    }
}

extension RoleAssignment {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        self.init(application: try cursor.text(bytes), role: try cursor.text(bytes))
    }
}

extension UserRow {
    fileprivate func append(to bytes: inout [UInt8], kind: UInt8) {
        bytes.append(kind)
        append(to: &bytes)
    }
}

extension UserChange {
    fileprivate func append(to bytes: inout [UInt8], kind: UInt8) {
        bytes.append(kind)
        append(to: &bytes)
    }
}

extension ByteCursor {
    fileprivate mutating func optionalText(_ bytes: Span<UInt8>) throws(ByteDefect) -> String? {
        try flag(bytes) ? try text(bytes) : nil
    }
}

extension [UInt8] {
    fileprivate mutating func append(optional text: String?) {
        append(text == nil ? 0 : 1)
        if let text { append(counted: text) }
    }

    fileprivate mutating func append(_ kind: UInt8, texts: String...) {
        append(kind)
        for text in texts { append(counted: text) }
    }
}
