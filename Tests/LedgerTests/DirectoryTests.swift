import Bytes
import Records
import Testing

@testable import Ledger

/// The directory of users, sessions, roles and routes: its changes, who may make them, and the bytes.
@Suite struct DirectoryTests {
    static let hour: Int64 = 3_600 * 1_000_000
    static let administrator = TokenID(1)
    static let digest = [UInt8](repeating: 1, count: 32)

    static func time(_ hours: Int64) -> Timestamp { Timestamp(microseconds: hours * hour) }

    static func user(_ id: UInt64, _ email: String, _ change: (inout UserRow) -> Void = { _ in })
        -> UserRow
    {
        var row = UserRow(id: UserID(id), email: email)
        change(&row)
        return row
    }

    static func session(_ id: UInt64, of user: UInt64, remembers: Bool? = nil) -> SessionRow {
        SessionRow(
            id: TokenID(id), user: UserID(user), application: "planox2", secretDigest: digest,
            remembersMe: remembers)
    }

    /// A directory with its founder, user 10 with a session 100 of hour 0, and whatever is asked for.
    static func founded(_ changes: [DirectoryChange] = []) -> Directory {
        var directory = Directory()
        directory.insert(TestLog.administrator)
        let first: [DirectoryChange] = [
            .createUser(user(10, "Ada@Example.com") { $0.records = .client }),
            .createSession(session(100, of: 10)),
        ]
        for change in first + changes {
            precondition(directory.apply(.directory(change), at: time(0)), "\(change)")
        }
        return directory
    }

    /// Carries the change out, which must fit.
    private func make(_ change: DirectoryChange, in directory: inout Directory, at time: Timestamp)
    {
        let fits = directory.apply(.directory(change), at: time)
        #expect(fits, "\(change)")
    }

    private func objection(
        _ directory: Directory, _ change: DirectoryChange, author: TokenID = administrator,
        at hours: Int64 = 1
    ) -> DirectoryObjection? {
        do throws(DirectoryObjection) {
            try directory.judge(
                .directory(change), author: author, application: "planox2", at: Self.time(hours))
            return nil
        } catch {
            return error
        }
    }

    // MARK: Sessions

    @Test(arguments: [(71, true), (72, false), (200, false)])
    func `an unused session is good for 72 hours, to the microsecond`(hours: Int64, isGood: Bool) {
        let directory = Self.founded()
        let standing = directory.standing(of: TokenID(100), at: Self.time(hours))
        #expect(standing == (isGood ? .usable : .expired))
        let last = Timestamp(microseconds: 72 * Self.hour - 1)
        #expect(directory.standing(of: TokenID(100), at: last) == .usable)
    }

    @Test func `use carries a session to seven days and not further`() {
        var directory = Self.founded()
        for day in 1...6 {
            let use = SessionUse(session: TokenID(100), usedAt: Self.time(Int64(day) * 24))
            make(.useSessions([use]), in: &directory, at: Self.time(Int64(day) * 24 + 1))
        }
        #expect(directory.session(TokenID(100))?.usedAt == Self.time(144))
        let end = Timestamp(microseconds: 7 * 24 * Self.hour)
        #expect(directory.standing(of: TokenID(100), at: end) == .expired)
        let last = Timestamp(microseconds: 7 * 24 * Self.hour - 1)
        #expect(directory.standing(of: TokenID(100), at: last) == .usable)
    }

    @Test func `a use counts from its own time, not a later one, nor from the future, nor back`() {
        var directory = Self.founded()
        func note(_ used: Int64, at hours: Int64) -> Timestamp? {
            let use = SessionUse(session: TokenID(100), usedAt: Self.time(used))
            make(.useSessions([use]), in: &directory, at: Self.time(hours))
            return directory.session(TokenID(100))?.usedAt
        }
        #expect(note(2, at: 5) == Self.time(2))
        #expect(note(90, at: 6) == Self.time(6))
        #expect(note(3, at: 7) == Self.time(6))
    }

    @Test func `remember_me lifts both ages, of the session or of its user`() {
        var directory = Self.founded([
            .createUser(Self.user(11, "b@example.com") { $0.remembersMe = true }),
            .createSession(Self.session(101, of: 10, remembers: true)),
            .createSession(Self.session(102, of: 11)),
            .createSession(Self.session(103, of: 11, remembers: false)),
        ])
        let later = Self.time(10_000)
        #expect(directory.standing(of: TokenID(101), at: later) == .usable)
        #expect(directory.standing(of: TokenID(102), at: later) == .usable)
        #expect(directory.standing(of: TokenID(103), at: later) == .expired)
        var change = UserChange(id: UserID(11))
        change.remembersMe = false
        make(.updateUser(change), in: &directory, at: Self.time(1))
        #expect(directory.standing(of: TokenID(102), at: later) == .expired)
    }

    @Test func `a new password, and a deleted user, end the sessions`() {
        var change = UserChange(id: UserID(10))
        change.password = PasswordHash(
            cost: .current, salt: [UInt8](repeating: 1, count: 16), digest: Self.digest)
        for end in [DirectoryChange.updateUser(change), .deleteUser(UserID(10))] {
            let directory = Self.founded([end])
            #expect(directory.standing(of: TokenID(100), at: Self.time(1)) == .unknown)
        }
    }

    @Test func `a user's hundred-and-first session takes the place of the least used`() {
        var directory = Self.founded()
        for id in 101...200 as ClosedRange<UInt64> {
            make(.createSession(Self.session(id, of: 10)), in: &directory, at: Self.time(1))
        }
        #expect(directory.sessions.count == DirectoryLimits.sessionsOfUser)
        #expect(directory.session(TokenID(100)) == nil)
        #expect(directory.session(TokenID(200)) != nil)
    }

    @Test func `an expired session is remembered for a month, so that its holder is told`() {
        var directory = Self.founded()
        let login = { (id: UInt64) in DirectoryChange.createSession(Self.session(id, of: 10)) }
        make(login(101), in: &directory, at: Self.time(72 + 29 * 24))
        #expect(directory.standing(of: TokenID(100), at: Self.time(1_000)) == .expired)
        make(login(102), in: &directory, at: Self.time(72 + 30 * 24))
        #expect(directory.standing(of: TokenID(100), at: Self.time(1_000)) == .unknown)
    }

    // MARK: Who may do what

    @Test func `records and assignments give roles, application by application`() throws {
        let directory = Self.founded([
            .createUser(
                Self.user(11, "e@example.com") {
                    $0.records = [.employee]
                    $0.roles = [RoleAssignment(application: "planox2", role: "administrator")]
                }),
            .deleteRole(RoleAssignment(application: "planoauth", role: "employee")),
        ])
        let user = try #require(directory.user(UserID(11)))
        #expect(
            directory.roles(of: user, in: "planox2").map(\.slug) == ["administrator", "employee"])
        #expect(directory.roles(of: user, in: "planoorder").map(\.slug) == ["employee"])
        #expect(directory.roles(of: user, in: "planoauth").isEmpty)
        let client = try #require(directory.authority(of: TokenID(100), application: ""))
        #expect(client.application == "planox2" && client.user == UserID(10))
        #expect(client.permits("audit_events_fmp", "create"))
        #expect(!client.permits("audit_events_fmp", "history"))
    }

    @Test func `nobody gives or touches what is beyond their own`() {
        let manager = RoleRow(
            application: "planox2", slug: "manager", name: "",
            permissions: ["users/*", "roles/*", "audit_events_fmp/*"])
        let role = RoleAssignment(application: "planox2", role: "manager")
        let top = RoleAssignment(application: "planox2", role: "administrator")
        let directory = Self.founded([
            .createRole(manager),
            .createUser(Self.user(11, "m@example.com") { $0.roles = [role] }),
            .createSession(Self.session(101, of: 11)),
            .createUser(Self.user(12, "root@example.com") { $0.roles = [top] }),
        ])
        let author = TokenID(101)
        let plain = Self.user(13, "new@example.com")
        #expect(objection(directory, .createUser(plain), author: author) == nil)
        let raised = Self.user(13, "new@example.com") { $0.roles = [top] }
        #expect(objection(directory, .createUser(raised), author: author) == .beyondAuthor)
        #expect(objection(directory, .deleteUser(UserID(12)), author: author) == .beyondAuthor)
        #expect(
            objection(directory, .updateUser(UserChange(id: UserID(12))), author: author)
                == .beyondAuthor)
        #expect(
            objection(directory, .updateRole(role, name: nil, permissions: ["*"]), author: author)
                == .beyondAuthor)
        #expect(
            objection(directory, .deployRoute("users/create", false), author: author) == .permission
        )
        #expect(objection(directory, .createUser(plain), author: TokenID(100)) == .permission)
        #expect(objection(directory, .createUser(plain), author: TokenID(999)) == .credential)
        #expect(objection(directory, .createUser(plain), author: author, at: 80) == .expired)
        #expect(objection(directory, .deleteUser(UserID(11)), author: author) == .inUse)
    }

    @Test func `a change that does not fit is refused, and would stop a log that held it`() {
        let directory = Self.founded([
            .createUser(Self.user(11, "b@example.com") { $0.records = [] }),
            .createSession(Self.session(101, of: 11)),
        ])
        let taken = Self.user(12, "ADA@example.COM")
        #expect(objection(directory, .createUser(taken)) == .emailTaken)
        var change = UserChange(id: UserID(11))
        change.email = "ada@example.com"
        #expect(objection(directory, .updateUser(change)) == .emailTaken)
        change = UserChange(id: UserID(10))
        change.records = .client
        #expect(objection(directory, .registerClient(change), author: TokenID(100)) == .registered)
        #expect(objection(directory, .registerClient(change), author: TokenID(101)) == .permission)
        let nowhere = RoleAssignment(application: "planox2", role: "none")
        let odd = Self.user(12, "c@example.com") { $0.roles = [nowhere] }
        #expect(objection(directory, .createUser(odd)) == .unknownRole)
        #expect(objection(directory, .deleteRole(nowhere)) == .unknownRole)
        #expect(objection(directory, .deleteSession(TokenID(5))) == .unknownSession)
        #expect(objection(directory, .createApplication(slug: "planox2", name: "")) == .exists)
        #expect(objection(directory, .deleteApplication(slug: "x")) == .unknownApplication)
        #expect(objection(directory, .deployService("services", false)) == .needed)
        #expect(objection(directory, .deployRoute("routes/deploy", false)) == .needed)
        var again = directory
        let fits = again.apply(.directory(.createUser(taken)), at: Self.time(1))
        #expect(!fits && again == directory)
    }

    // MARK: Bytes

    static let changes: [DirectoryChange] = [
        .createUser(
            user(20, "f@example.com") {
                $0.firstName = "F"
                $0.password = PasswordHash(
                    cost: .current, salt: [UInt8](repeating: 2, count: 16), digest: digest)
                $0.roles = [RoleAssignment(application: "planox2", role: "client")]
                $0.remembersMe = true
            }),
        .createSession(session(200, of: 20, remembers: true)),
        .useSessions([SessionUse(session: TokenID(200), usedAt: time(0))]),
        .createApplication(slug: "planoblue", name: "Blue"),
        .renameApplication(slug: "planoblue", name: "Bluer"),
        .updateRole(
            RoleAssignment(application: "planoblue", role: "client"), name: "K",
            permissions: ["audit_events_fmp/read"]),
        .deployService("audit_events_fmp", false), .deployRoute("users/index", false),
        .deployRoute("tokens/index", false), .deployService("audit_events_fmp", true),
        .deleteRole(RoleAssignment(application: "planoblue", role: "liaison")),
        .deleteSession(TokenID(100)), .deleteUser(UserID(10)),
    ]

    @Test func `a directory reads back what it writes, and followers end with the same`() throws {
        var directory = Self.founded()
        var follower = directory
        for change in Self.changes {
            var bytes: [UInt8] = []
            DirectoryCommand.Change.directory(change).append(to: &bytes)
            var cursor = ByteCursor(0..<bytes.count)
            let read = try DirectoryCommand.Change(&cursor, bytes.span)
            #expect(read == .directory(change) && cursor.remaining == 0)
            for count in 0..<bytes.count {
                #expect(throws: ByteDefect.self) {
                    var cursor = ByteCursor(0..<count)
                    _ = try DirectoryCommand.Change(&cursor, bytes.span)
                }
            }
            let version = directory.version
            make(change, in: &directory, at: Self.time(1))
            #expect(directory.version == version + 1)
            let fits = follower.apply(read, at: Self.time(1))
            #expect(fits)
        }
        #expect(follower == directory)
        #expect(directory.withdrawnRoutes == ["tokens/index", "users/index"])
        #expect(directory.withdrawnServices.isEmpty)
        var bytes: [UInt8] = []
        directory.append(to: &bytes)
        var cursor = ByteCursor(0..<bytes.count)
        #expect(try Directory(&cursor, bytes.span) == directory)
        #expect(cursor.remaining == 0)
    }

    @Test func `a directory of tokens alone, as it was written once, is read with the first roles`()
        throws
    {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt64(7))
        bytes.append(littleEndian: UInt32(1))
        TestLog.administrator.append(to: &bytes)
        var cursor = ByteCursor(0..<bytes.count)
        let read = try Directory(&cursor, bytes.span, format: .tokens)
        #expect(cursor.remaining == 0 && read.version == 7)
        #expect(read.tokens == [TestLog.administrator])
        #expect(read.applications.map(\.slug) == ["planoauth", "planoorder", "planox2"])
        #expect(read.roles.count == 15)
    }

    @Test func `bookkeeping has no event, and an event's change is none`() throws {
        var (ledger, log) = try TestLog.begin()
        func entry(_ change: DirectoryChange, records: Bool) -> Entry {
            let command = DirectoryCommand(
                request: Identifier(high: 1, low: 1), author: TokenID(1),
                change: .directory(change))
            if records { return log.directory(command) }
            var body: [UInt8] = []
            command.append(to: &body)
            return log.entry(.directory, body)
        }
        try ledger.apply(entry(.createUser(Self.user(10, "a@example.com")), records: true))
        try ledger.apply(entry(.createSession(Self.session(100, of: 10)), records: true))
        let next = ledger.nextSequence
        let use = SessionUse(
            session: TokenID(100), usedAt: ledger.lastTimestamp.advanced(byMicroseconds: 9))
        try ledger.apply(entry(.useSessions([use]), records: false))
        #expect(ledger.nextSequence == next)
        let changes = [ledger.takeChanges().count, ledger.takeChanges().count]
        #expect(changes == [3, 0])
        for (change, records) in [
            (DirectoryChange.useSessions([use]), true), (.deleteSession(TokenID(100)), false),
        ] {
            var copy = ledger
            let saved = log
            let entry = entry(change, records: records)
            #expect(throws: Ledger.Defect.self) { try copy.apply(entry) }
            log = saved
        }
    }
}
