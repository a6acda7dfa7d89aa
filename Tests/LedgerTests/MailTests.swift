import Bytes
import Crypto
import Records
import Testing

@testable import Ledger

@Suite struct MailTests {
    private static let second = 1_000_000
    private static let rules = """
        from = a@example.com
        welcome = on
        alert = script_name contains "error" -> devs@example.com, ops@example.com
        alert = script_name is "watched" and no stop_time after 1 h -> late@example.com
        """
    private static let gateway = Identifier(high: 1, low: 1)
    private static let other = Identifier(high: 2, low: 2)

    private static func command(_ change: MailChange) -> DirectoryCommand {
        DirectoryCommand(
            request: Identifier(high: 5, low: 5), author: TokenID(1),
            change: .directory(.mail(change)))
    }

    private static func begin(_ rules: String = rules) throws -> (Ledger, TestLog) {
        var (ledger, log) = try TestLog.begin()
        try ledger.apply(log.directory(command(.rules(rules))))
        _ = ledger.takeChanges()
        return (ledger, log)
    }

    /// The entry in which a leader writes down what gateways report.
    private static func reports(
        _ reports: [MailReport], _ log: inout TestLog, time: Int64? = nil
    ) -> Entry {
        var body: [UInt8] = []
        command(.reports(reports)).append(to: &body)
        return log.entry(.directory, body, time: time)
    }

    /// A directory that follows the ledger as gateways do.
    private static func follow(_ ledger: inout Ledger, _ directory: inout Directory) {
        for change in ledger.takeChanges() {
            let fits = directory.apply(change.change, at: change.time)
            #expect(fits)
            #expect(directory.version == change.version)
        }
        #expect(directory == ledger.directory)
    }

    private static func again(_ ledger: Ledger) throws -> Ledger {
        var bytes: [UInt8] = []
        ledger.appendState(to: &bytes)
        var cursor = ByteCursor(0..<bytes.count)
        let read = try Ledger(
            state: &cursor, bytes.span, seed: RevisionKey.Seed(1), archive: TestArchive())
        #expect(cursor.remaining == 0)
        return read
    }

    @Test func `an event that matches owes mail to each address, where it is applied`() throws {
        var (ledger, log) = try Self.begin()
        var directory = ledger.directory
        try ledger.apply(log.events([("a", "no error", 1), ("b", "fine", 1)]))
        #expect(
            ledger.directory.mail.owed.map(\.order.recipient) == [
                "devs@example.com", "ops@example.com",
            ])
        #expect(ledger.directory.mail.owed.map(\.id) == [1, 2])
        Self.follow(&ledger, &directory)
        #expect(try Self.again(ledger).directory == ledger.directory)
    }

    @Test func `without rules nothing is owed`() throws {
        var (ledger, log) = try TestLog.begin()
        try ledger.apply(log.events([("a", "error", 1)]))
        #expect(ledger.directory.mail.owed.isEmpty && ledger.takeChanges().isEmpty)
    }

    @Test func `a registration is welcomed once, and a deleted user is forgotten`() throws {
        var (ledger, log) = try Self.begin()
        var directory = ledger.directory
        func apply(_ change: DirectoryChange) throws {
            try ledger.apply(
                log.directory(
                    DirectoryCommand(
                        request: Identifier(high: 6, low: 6), author: TokenID(1),
                        change: .directory(change))))
        }
        try apply(.createUser(UserRow(id: UserID(10), email: "new@example.com")))
        var change = UserChange(id: UserID(10))
        change.records = .client
        try apply(.registerClient(change))
        #expect(
            ledger.directory.mail.owed.map(\.order) == [
                MailOrder(recipient: "new@example.com", subject: .welcome(UserID(10)))
            ])
        try ledger.apply(Self.reports([.failed(1, attempt: 1, reason: "why")], &log))
        #expect(ledger.directory.mail.notifications.map(\.recipient) == ["new@example.com"])
        try apply(.deleteUser(UserID(10)))
        #expect(ledger.directory.mail.owed.isEmpty)
        #expect(ledger.directory.mail.notifications.map(\.recipient) == [""])
        Self.follow(&ledger, &directory)
    }

    @Test func `attempts fail with longer and longer pauses, and one notification for each mail`()
        throws
    {
        var (ledger, log) = try Self.begin()
        try ledger.apply(log.events([("a", "error", 1)]))
        var pauses: [Int] = []
        for attempt in 1...12 as ClosedRange<UInt32> {
            try ledger.apply(
                Self.reports([.failed(1, attempt: attempt, reason: "no \(attempt)")], &log))
            let mail = try #require(ledger.directory.mail.owed(1))
            #expect(mail.attempts == attempt && mail.isReported)
            pauses.append(
                Int(mail.dueAt.microseconds - ledger.lastTimestamp.microseconds) / Self.second)
        }
        #expect(pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900])
        let notification = try #require(ledger.directory.mail.notifications.first)
        #expect(ledger.directory.mail.notifications.count == 1)
        #expect(notification.state == .retrying && notification.attempts == 12)
        #expect(notification.reason == "no 12" && notification.sequence == Sequence(1))
        // A report that comes late changes nothing.
        let before = ledger.directory.mail
        try ledger.apply(Self.reports([.failed(1, attempt: 3, reason: "late")], &log))
        #expect(ledger.directory.mail == before)
        try ledger.apply(Self.reports([.delivered(1), .delivered(1)], &log))
        #expect(ledger.directory.mail.owed.map(\.id) == [2])
        #expect(ledger.directory.mail.notifications.map(\.state) == [.delivered])
        #expect(try Self.again(ledger).directory == ledger.directory)
    }

    @Test func `one gateway has the lease, keeps it, and loses it by the log's time alone`() throws
    {
        var (ledger, log) = try Self.begin()
        func claim(_ gateway: Identifier, at time: Int64) throws -> Identifier? {
            try ledger.apply(Self.reports([.claim(gateway)], &log, time: time))
            return ledger.directory.mail.lease?.gateway
        }
        let start: Int64 = 1_000_000_000
        #expect(try claim(Self.gateway, at: start) == Self.gateway)
        #expect(try claim(Self.other, at: start + 19_999_999) == Self.gateway)
        #expect(try claim(Self.gateway, at: start + 19_999_999 + 1) == Self.gateway)
        #expect(ledger.directory.mail.lease?.until == Timestamp(microseconds: start + 40_000_000))
        #expect(try claim(Self.other, at: start + 39_999_999) == Self.gateway)
        #expect(try claim(Self.other, at: start + 40_000_000) == Self.other)
        #expect(try claim(Self.gateway, at: start + 40_000_001) == Self.other)
        // Only who has it lets go of it.
        try ledger.apply(Self.reports([.release(Self.gateway)], &log))
        #expect(ledger.directory.mail.lease?.gateway == Self.other)
        try ledger.apply(Self.reports([.release(Self.other)], &log))
        #expect(ledger.directory.mail.lease == nil)
    }

    @Test func `mail is given up after a day, tried or not, and the notification is unread again`()
        throws
    {
        var (ledger, log) = try Self.begin()
        try ledger.apply(log.events([("a", "error", 1)]))
        let owedAt = try #require(ledger.directory.mail.owed.first?.owedAt)
        try ledger.apply(Self.reports([.failed(1, attempt: 1, reason: "why")], &log))
        try ledger.apply(log.directory(Self.command(.read(1))))
        #expect(ledger.directory.mail.unreadCount == 0)
        let end = owedAt.microseconds + Int64(MailLimits.lifetime)
        #expect(ledger.nextMailTime == Timestamp(microseconds: end))
        try ledger.apply(Self.reports([], &log, time: end - 1))
        #expect(ledger.directory.mail.owed.count == 2)
        try ledger.apply(Self.reports([], &log, time: end))
        #expect(ledger.directory.mail.owed.isEmpty && ledger.nextMailTime == nil)
        let notifications = ledger.directory.mail.notifications
        #expect(notifications.map(\.state) == [.givenUp, .givenUp])
        #expect(notifications.map(\.reason) == ["why", "no gateway has tried it"])
        #expect(ledger.directory.mail.unreadCount == 2)
    }

    @Test func `a watch ends with the stop_time, or owes mail once when its time is over`() throws {
        var (ledger, log) = try Self.begin()
        var directory = ledger.directory
        try ledger.apply(log.events([("a", "watched", 1), ("b", "watched", 1)]))
        let start = ledger.lastTimestamp.microseconds
        // Another revision without one does not begin anew.
        try ledger.apply(Self.events([("a", 2, false)], &log))
        try ledger.apply(Self.events([("b", 2, true)], &log))
        #expect(ledger.alerts.watches.map(\.event.uniqueID) == ["a"])
        #expect(try Self.again(ledger).alerts == ledger.alerts)
        let end = try #require(ledger.nextMailTime)
        #expect(abs(end.microseconds - start - 3_600_000_000) < 10)
        // Whatever kind of entry it is that the time stands in.
        try ledger.apply(log.entry(.noOperation, time: end.microseconds - 1))
        #expect(ledger.directory.mail.owed.isEmpty)
        try ledger.apply(log.entry(.noOperation, time: end.microseconds))
        #expect(ledger.directory.mail.owed.map(\.order.recipient) == ["late@example.com"])
        #expect(ledger.alerts.watches.isEmpty)
        Self.follow(&ledger, &directory)
    }

    /// Watched events of these ids and revisions, with or without a stop_time.
    private static func events(
        _ events: [(id: String, revision: UInt32, stops: Bool)], _ log: inout TestLog
    ) -> Entry {
        var body: [UInt8] = []
        for (id, revision, stops) in events {
            var values = Array((id + "watched" + "2026-11-24").utf8)
            var parameters = EventParameters()
            parameters.uniqueID = 0..<id.utf8.count
            parameters.scriptName = id.utf8.count..<(id.utf8.count + 7)
            parameters.startedAt = Timestamp(microseconds: 0)
            if stops {
                parameters.stopTime = (values.count - 10)..<values.count
                parameters.stoppedAt = Timestamp(microseconds: 1)
            }
            var record: [UInt8] = []
            RecordEncoder.append(
                parameters, values: values, application: Array("planox2".utf8),
                writtenBy: Array("w".utf8), hash: SHA256(), to: &record)
            RecordEncoder.decide(
                revision: Revision(revision),
                salts: KeyStream(key: [UInt8](repeating: 1, count: 32)),
                at: 0, in: &record)
            body += record
            values.removeAll()
        }
        return log.entry(.events, body, recordCount: events.count)
    }

    @Test func `watches go with the rule that made them`() throws {
        var (ledger, log) = try Self.begin()
        try ledger.apply(log.events([("a", "watched", 1)]))
        #expect(ledger.alerts.watches.count == 1)
        try ledger.apply(log.directory(Self.command(.rules("# none"))))
        #expect(ledger.alerts.watches.isEmpty && ledger.nextMailTime == nil)
    }

    @Test func `a rule owes so much mail in a period and no more, which a notification says`()
        throws
    {
        var (ledger, log) = try Self.begin()
        for number in 0..<120 { try ledger.apply(log.events([("e\(number)", "error", 1)])) }
        #expect(ledger.directory.mail.owed.count == 2 * Int(MailLimits.alertsOfRule))
        #expect(ledger.directory.mail.notifications.map(\.state) == [.heldBack])
        let period = Int64(MailLimits.alertPeriod)
        var (later, again) = try Self.begin()
        try later.apply(again.events([("a", "error", 1)]))
        try later.apply(
            again.entry(.noOperation, time: again.last.map { $0.timestamp.microseconds + period }))
        try later.apply(again.events([("b", "error", 1)]))
        #expect(later.alerts.uses.map(\.count) == [1])
    }

    @Test func `no more mail is owed than there may be, and the oldest read notifications go`()
        throws
    {
        var book = MailBook()
        let order = MailOrder(recipient: "a@b.c", subject: .welcome(UserID(1)))
        let now = Timestamp(microseconds: 1)
        for _ in 0..<(MailLimits.owed + 5) { book.owe(order, at: now) }
        #expect(book.owed.count == MailLimits.owed)
        #expect(book.notifications.map(\.state) == [.dropped])
        for id in 1...600 as ClosedRange<UInt64> {
            var fits = book.apply(.reports([.failed(id, attempt: 1, reason: "why")]), at: now)
            if id == 3 || id == 5 { fits = fits && book.apply(.read(id), at: now) }
            #expect(fits)
        }
        #expect(book.notifications.count == MailLimits.notifications)
        #expect(book.notification(3) == nil && book.notification(5) == nil)
        #expect(book.notifications.last?.mail == 600)
        let isThere = book.apply(.read(3), at: now)
        #expect(!isThere)
    }

    @Test func `nothing of an erased event stays in mail`() throws {
        var (ledger, log) = try Self.begin()
        var directory = ledger.directory
        try ledger.apply(log.events([("a", "error", 1), ("b", "watched", 1), ("c", "error", 1)]))
        ledger.eraseMail(about: Array("a".utf8), at: ledger.lastTimestamp)
        ledger.eraseMail(about: Array("b".utf8), at: ledger.lastTimestamp)
        #expect(ledger.alerts.watches.isEmpty)
        #expect(ledger.directory.mail.owed.count == 2)
        Self.follow(&ledger, &directory)
    }

    @Test func `what follows from entries cannot stand in one`() throws {
        let (ledger, log) = try Self.begin()
        let derived: [MailChange] = [
            .owe([]), .erase(uniqueID: "a"),
            .heldBack(rule: "r", until: Timestamp(microseconds: 1)), .rules("alert ="), .read(1),
        ]
        for change in derived {
            var (copy, rest) = (ledger, log)
            let entry = rest.directory(Self.command(change))
            #expect(throws: Ledger.Defect.self) { try copy.apply(entry) }
        }
    }

    @Test func `only who may changes rules and reads notifications`() throws {
        var (ledger, log) = try Self.begin()
        try ledger.apply(log.events([("a", "error", 1)]))
        try ledger.apply(Self.reports([.overdue(1)], &log))
        func judge(_ change: MailChange, author: UInt64 = 1) -> DirectoryObjection? {
            do throws(DirectoryObjection) {
                try ledger.directory.judge(
                    .directory(.mail(change)), author: TokenID(author), application: "",
                    at: ledger.lastTimestamp)
                return nil
            } catch {
                return error
            }
        }
        #expect(judge(.rules("# none")) == nil && judge(.read(1)) == nil)
        #expect(judge(.rules("alert =")) == .malformed && judge(.read(2)) == .unknownNotification)
        #expect(judge(.rules("# none"), author: 9) == .credential)
        #expect(judge(.owe([])) == .permission && judge(.reports([])) == .permission)
    }

    @Test func `mail in the state table has one form, and tables without it are read`() throws {
        var (ledger, log) = try Self.begin("from = a@b.c\nalert = script_name is \"e\" -> d@e.f")
        try ledger.apply(log.events([("a", "e", 1)]))
        try ledger.apply(
            Self.reports([.claim(Self.gateway), .failed(1, attempt: 1, reason: "why")], &log))
        var bytes: [UInt8] = []
        ledger.directory.mail.append(to: &bytes)
        ledger.alerts.append(to: &bytes)
        #expect(Hex.encode(bytes) == Self.golden)
        var old: [UInt8] = []
        ledger.appendState(to: &old, format: .members)
        var cursor = ByteCursor(0..<old.count)
        let read = try Ledger(
            state: &cursor, old.span, format: .members, seed: RevisionKey.Seed(1),
            archive: TestArchive())
        #expect(cursor.remaining == 0)
        #expect(read.directory.mail == MailBook() && read.alerts == Alerts())
        #expect(read.directory.tokens == ledger.directory.tokens)
    }

    @Test func `a new cluster on an old log sends none of the old one's mail`() throws {
        var (ledger, log) = try Self.begin()
        try ledger.apply(log.events([("a", "error", 1), ("b", "watched", 1)]))
        try ledger.apply(Self.reports([.claim(Self.gateway)], &log))
        let seal = log.entry(.seal)
        try ledger.apply(seal)
        ledger.found(TestLog.genesis, on: seal.header, segmentCount: 1, keepsTokens: true)
        #expect(ledger.directory.mail.owed.isEmpty && ledger.directory.mail.lease == nil)
        #expect(ledger.alerts == Alerts() && ledger.directory.mail.rules.alerts.count == 2)
    }

    /// docs/reference/record-format.md has the form.
    private static let golden =
        "3000000066726f6d203d206140622e630a616c657274203d207363726970745f6e616d6520697320"
        + "226522202d3e206440652e660101000000000000000100000000000000a03c310100000000010000"
        + "0000000000010000000100000000000000050000006440652e66021b0000007363726970745f6e61"
        + "6d6520697320226522202d3e206440652e6601000000000000000100000007000000706c616e6f78"
        + "3201000000610100000065000000000000000000000000b80b00000000000001000000e05a4c0000"
        + "000000010100000000000000010000000100000000000000a00f00000000000001a00f0000000000"
        + "000100000000000000050000006440652e66001b0000007363726970745f6e616d65206973202265"
        + "22202d3e206440652e6601010000000000000001000000030000007768790000000000010000001b"
        + "0000007363726970745f6e616d6520697320226522202d3e206440652e66b80b0000000000000100"
        + "0000"
}
