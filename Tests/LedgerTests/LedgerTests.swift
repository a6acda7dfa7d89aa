import Bytes
import Testing

@testable import Ledger
@testable import Records

@Suite struct LedgerTests {
    @Test func `applying moves index, sequence and time, and the directory has its founder`() throws
    {
        var (ledger, log) = try TestLog.begin()
        #expect(ledger.applied == LogIndex(1))
        #expect(ledger.genesis == TestLog.genesis)
        #expect(ledger.directory.token(TokenID(1)) == TestLog.administrator)
        try ledger.apply(log.entry(.noOperation))
        let entry = log.events([("x", "a", 1), ("y", "a", 1), ("x", "b", 2)])
        try ledger.apply(entry)
        #expect(ledger.applied == LogIndex(3))
        #expect(ledger.nextSequence == Sequence(3))
        #expect(ledger.lastTimestamp == entry.header.timestamp.advanced(byMicroseconds: 2))
        try ledger.apply(log.entry(.seal))
        #expect(ledger.applied == LogIndex(4))
        #expect(ledger.nextSequence == Sequence(3))
    }

    // MARK: Defects

    private func refuses(_ entry: Entry, _ defect: Ledger.Defect, by ledger: Ledger) {
        var ledger = ledger
        let applied = ledger.applied
        #expect(throws: defect) { try ledger.apply(entry) }
        #expect(ledger.applied == applied)
    }

    @Test func `a gap and a repetition are refused`() throws {
        var (ledger, log) = try TestLog.begin()
        let second = log.entry(.noOperation)
        let third = log.entry(.noOperation)
        refuses(third, .gap(applied: LogIndex(1), entry: LogIndex(3)), by: ledger)
        try ledger.apply(second)
        refuses(second, .gap(applied: LogIndex(2), entry: LogIndex(2)), by: ledger)
    }

    @Test func `a sequence that does not follow is refused`() throws {
        let (ledger, log) = try TestLog.begin()
        var wrong = try #require(log.last)
        wrong.firstSequence = Sequence(9)
        let entry = Entry(
            kind: .events, term: Term(1), after: wrong, recordCount: 1,
            timestamp: Timestamp(microseconds: 5_000),
            body: TestLog.record("x", revision: Revision(1)))
        refuses(
            entry, .sequence(LogIndex(2), expected: .zero, found: Sequence(9)), by: ledger)
    }

    @Test(arguments: [0, 1, 2, 4] as [UInt32])
    func `a revision that does not follow is refused`(revision: UInt32) throws {
        var (ledger, log) = try TestLog.begin()
        try ledger.apply(log.events([("x", "a", 1), ("x", "b", 2)]))
        refuses(
            log.events([("x", "c", revision)]),
            .revision(Sequence(2), expected: Revision(3), found: Revision(revision)), by: ledger)
    }

    @Test func `an entry that is not what this leader proposed is refused`() throws {
        var (ledger, log) = try TestLog.begin()
        let record = TestLog.record("x", "a", revision: Revision(1))
        let view = try RecordView(decoding: record.span, at: 0, end: record.count)
        ledger.propose(
            view, in: record.span, recordOffset: EntryHeader.encodedSize, entry: LogIndex(9),
            sequence: .zero, revision: Revision(1))
        refuses(log.events([("x", "a", 1)]), .overlay(.zero), by: ledger)
    }

    @Test func `bodies that cannot be read are refused`() throws {
        let (ledger, start) = try TestLog.begin()
        let offset = EntryHeader.encodedSize
        let record = TestLog.record("x", revision: Revision(1))
        let cases: [(EntryKind, [UInt8], Int, offset: Int)] = [
            (.events, [1, 2, 3], 1, offset),
            (.events, [], 1, offset),
            (.events, record + [0], 1, offset + record.count),
            (.events, record, 2, offset + record.count),
            (.directory, record, 1, offset + record.count),
            (.directory, record + [1, 2, 3], 1, offset + record.count),
            // Without an event it must be bookkeeping.
            (.directory, record, 0, offset),
            (.directory, [], 1, offset),
        ]
        for (kind, body, count, offset) in cases {
            var log = start
            refuses(
                log.entry(kind, body, recordCount: count),
                .malformed(LogIndex(2), offset: offset), by: ledger)
        }
    }

    @Test func `a genesis that cannot be read is refused`() {
        let entry = Entry(
            kind: .genesis, term: .zero, after: nil, timestamp: Timestamp(microseconds: 0),
            body: [1, 2])
        refuses(
            entry, .malformed(LogIndex(1), offset: EntryHeader.encodedSize),
            by: Ledger(seed: RevisionKey.Seed(1)))
    }

    @Test(arguments: [
        EntryKind.checkpoint, .upgrade,
    ])
    func `a kind that these apply rules do not know stops the node`(kind: EntryKind) throws {
        let (ledger, start) = try TestLog.begin()
        var log = start
        refuses(log.entry(kind), .unknownKind(LogIndex(2), kind), by: ledger)
    }

    @Test func `a token that is there already cannot be created`() throws {
        let (ledger, start) = try TestLog.begin()
        var log = start
        let entry = log.directory(
            DirectoryCommand(
                request: Identifier(high: 1, low: 1), author: TokenID(1),
                change: .createToken(TestLog.administrator)))
        #expect(throws: Ledger.Defect.self) {
            var ledger = ledger
            try ledger.apply(entry)
        }
    }

    // MARK: The archive

    @Test func `a damaged archive is said, and only where it is needed`() throws {
        let archive = TestArchive()
        var (ledger, log) = try TestLog.begin(archive: archive)
        try ledger.apply(log.events([("x", "a", 1)]))
        try ledger.apply(log.entry(.seal))
        try ledger.apply(log.events([("y", "a", 1)]))
        archive.isDamaged = true
        #expect(try ledger.judge("z", "a") == .append(1), "everything is in memory")
        ledger.releaseIndex(through: Sequence(1))
        #expect(ledger.index.firstSequence == Sequence(1))
        #expect(try ledger.judge("y", "a") == .duplicate(1), "found before the archive is asked")
        #expect(throws: IndexDamage.self) { try ledger.judge("x", "a") }
        refuses(
            log.events([("z", "a", 1)]), .index(IndexDamage("a bad block")), by: ledger)
    }

    // MARK: The directory and its answers

    @Test func `tokens are created and revoked at the entry's time, and the answers kept`() throws {
        var (ledger, log) = try TestLog.begin()
        let row = TokenRow(
            id: TokenID(77), kind: .application, application: "planox2", name: "n",
            permissions: ["*"], secretDigest: [UInt8](repeating: 2, count: 32), createdAt: .absent)
        let creation = Identifier(high: 5, low: 5)
        let version = ledger.directory.version
        let first = log.directory(
            DirectoryCommand(request: creation, author: TokenID(1), change: .createToken(row)))
        try ledger.apply(first)
        #expect(ledger.directory.token(TokenID(77))?.createdAt == first.header.timestamp)
        #expect(ledger.directory.version == version + 1)
        #expect(ledger.answers.answer(to: creation)?.answer == .created(TokenID(77)))
        #expect(ledger.answers.answer(to: creation)?.index == LogIndex(2))
        #expect(ledger.nextSequence == Sequence(1))

        let revocation = Identifier(high: 6, low: 6)
        let second = log.directory(
            DirectoryCommand(
                request: revocation, author: TokenID(1), change: .revokeToken(TokenID(77))))
        try ledger.apply(second)
        #expect(ledger.directory.token(TokenID(77))?.revokedAt == second.header.timestamp)
        #expect(ledger.answers.answer(to: revocation)?.answer == .revoked(TokenID(77)))

        // A second revocation changes nothing: the first time stays.
        let third = log.directory(
            DirectoryCommand(
                request: Identifier(high: 7, low: 7), author: TokenID(1),
                change: .revokeToken(TokenID(77))))
        try ledger.apply(third)
        #expect(ledger.directory.token(TokenID(77))?.revokedAt == second.header.timestamp)
        #expect(ledger.answers.answer(to: Identifier(high: 8, low: 8)) == nil)
    }

    @Test func `a directory reads back what it writes, in order of ids whatever came first`() throws
    {
        var directory = Directory()
        for id in [5, 1, 9, 3] as [UInt64] {
            directory.insert(
                TokenRow(
                    id: TokenID(id), kind: .application, application: "a", name: "\(id)",
                    permissions: [], secretDigest: [UInt8](repeating: 0, count: 32),
                    createdAt: Timestamp(microseconds: 4)))
        }
        let fits = directory.apply(.revokeToken(TokenID(3)), at: Timestamp(microseconds: 8))
        #expect(fits)
        #expect(directory.tokens.map(\.id.value) == [1, 3, 5, 9])
        #expect(directory.token(TokenID(4)) == nil)
        #expect(directory.token(TokenID(10)) == nil)
        var bytes: [UInt8] = []
        directory.append(to: &bytes)
        var cursor = ByteCursor(0..<bytes.count)
        let read = try Directory(&cursor, bytes.span)
        #expect(read == directory)
        #expect(cursor.remaining == 0)
        for count in 0..<bytes.count {
            #expect(throws: ByteDefect.self) {
                var cursor = ByteCursor(0..<count)
                _ = try Directory(&cursor, bytes.span)
            }
        }
    }

    @Test func `the newest answers are kept, the oldest forgotten at the bound`() {
        var answers = CommandAnswers()
        let count = CommandAnswers.keptEntries + 1
        for number in 1...UInt64(count) {
            answers.remember(
                Identifier(high: 0, low: number), .revoked(TokenID(number)), at: LogIndex(number))
        }
        #expect(answers.answer(to: Identifier(high: 0, low: 1)) == nil)
        for number in [UInt64(count), 5_000, 1_001] {
            let answer = answers.answer(to: Identifier(high: 0, low: number))
            #expect(answer?.answer == .revoked(TokenID(number)), "\(number)")
        }
    }
}
