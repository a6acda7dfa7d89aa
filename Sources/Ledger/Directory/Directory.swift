package import Bytes
package import Records

// Invariants:
// - committed state, the same on every replica, and on every gateway that has heard as much
// - the version rises by one with every change, those included that change nothing where they stand
// - no two users have one e-mail address when the case of ASCII letters does not count
// - a session's user and application are in the directory

/// Who may do what: applications, tokens, roles, users, sessions, and which routes are deployed.
package struct Directory: Equatable, Sendable {
    package internal(set) var tokenTable = RowTable<TokenRow>()
    package internal(set) var userTable = RowTable<UserRow>()
    package internal(set) var sessionTable = RowTable<SessionRow>()
    /// In the order of their numbers.
    package internal(set) var applications = Directory.firstApplications
    /// Applications that were ever made.
    var applicationCount = UInt32(Directory.firstApplications.count)
    /// In the order of their keys.
    package internal(set) var roles = Directory.firstApplications.flatMap {
        Directory.firstRoles(of: $0.slug)
    }
    /// Services and `resource/action` routes that are not deployed, in ascending order.
    package internal(set) var withdrawnServices: [String] = []
    package internal(set) var withdrawnRoutes: [String] = []
    package internal(set) var mail = MailBook()
    package internal(set) var version: UInt64 = 0

    package init() {}

    /// In ascending order of ids, revoked ones included.
    package var tokens: [TokenRow] { tokenTable.rows }
    package var users: [UserRow] { userTable.rows }
    package var sessions: [SessionRow] { sessionTable.rows }

    /// The token with `id`, revoked ones included.
    package func token(_ id: TokenID) -> TokenRow? { tokenTable[id] }
    package func user(_ id: UserID) -> UserRow? { userTable[id] }
    package func session(_ id: TokenID) -> SessionRow? { sessionTable[id] }

    package func application(_ slug: String) -> ApplicationRow? {
        applications.first { $0.slug == slug }
    }

    package func role(_ assignment: RoleAssignment) -> RoleRow? {
        roles.first { $0.application == assignment.application && $0.slug == assignment.role }
    }

    /// The user with this e-mail address, the case of ASCII letters aside.
    package func user(email: String) -> UserRow? {
        let wanted = Self.folded(email)
        return users.first { Self.folded($0.email) == wanted }
    }

    static func folded(_ text: String) -> [UInt8] {
        text.utf8.map { (65...90).contains($0) ? $0 | 0x20 : $0 }
    }

    package mutating func insert(_ token: TokenRow) {
        tokenTable.insert(token)
        version += 1
    }

    /// Forgets who is let in: tokens and sessions. Users and what they may do stay.
    mutating func voidCredentials() {
        tokenTable = RowTable()
        sessionTable = RowTable()
        version += 1
    }

    /// Forgets mail that is owed.
    mutating func restartMail() {
        mail.restart()
        version += 1
    }

    // MARK: - The state table and the way to gateways

    /// Reads what `append(to:)` writes, or wrote once.
    package init(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>, format: StateFormat = .current
    ) throws(ByteDefect) {
        version = try cursor.integer(bytes)
        tokenTable = try RowTable(&cursor, bytes, TokenRow.init)
        guard format > .tokens else { return }
        applicationCount = try cursor.integer(bytes)
        applications = try RowList.read(&cursor, bytes, ApplicationRow.init) {
            $0.number < $1.number
        }
        roles = try RowList.read(&cursor, bytes, RoleRow.init) { $0.key < $1.key }
        userTable = try RowTable(&cursor, bytes, UserRow.init)
        sessionTable = try RowTable(&cursor, bytes, SessionRow.init)
        withdrawnServices = try cursor.texts(bytes)
        withdrawnRoutes = try cursor.texts(bytes)
        if format >= .mail { mail = try MailBook(&cursor, bytes) }
    }

    package func append(to bytes: inout [UInt8], format: StateFormat = .current) {
        bytes.append(littleEndian: version)
        tokenTable.append(to: &bytes) { $0.append(to: &$1) }
        bytes.append(littleEndian: applicationCount)
        bytes.append(littleEndian: UInt32(applications.count))
        for application in applications { application.append(to: &bytes) }
        bytes.append(littleEndian: UInt32(roles.count))
        for role in roles { role.append(to: &bytes) }
        userTable.append(to: &bytes) { $0.append(to: &$1) }
        sessionTable.append(to: &bytes) { $0.append(to: &$1) }
        bytes.append(texts: withdrawnServices)
        bytes.append(texts: withdrawnRoutes)
        if format >= .mail { mail.append(to: &bytes) }
    }
}

/// Rows in an order of their own.
private enum RowList {
    static func read<Row>(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>,
        _ read: (inout ByteCursor, Span<UInt8>) throws(ByteDefect) -> Row,
        isBefore: (Row, Row) -> Bool
    ) throws(ByteDefect) -> [Row] {
        var rows: [Row] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let row = try read(&cursor, bytes)
            guard rows.last.map({ isBefore($0, row) }) ?? true else {
                throw ByteDefect(offset: cursor.offset)
            }
            rows.append(row)
        }
        return rows
    }
}
