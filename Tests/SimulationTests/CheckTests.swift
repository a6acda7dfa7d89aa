import Bytes
import Ledger
import PeerWire
import Records
import SegmentLog
import Testing

@testable import Simulation

struct CheckTests {
    @Test func `a history that fits its log passes, reads and retries included`() {
        var planted = PlantedHistory()
        planted.ask(.append(content: 2, expected: nil), .receipt(planted.receipt(2, .duplicate)))
        planted.ask(.append(content: 3, expected: nil), .notAppended(isUnknown: true))
        planted.ask(.page(from: .zero, .linearizable), planted.page(0..<6, end: 6))
        planted.ask(.page(from: Sequence(4), .stale), planted.page(4..<5, end: 5))
        planted.ask(.event(uniqueID: Array("a".utf8)), planted.page(4..<5, end: 6))
        #expect(planted.verdict == nil)
    }

    @Test func `what was erased is told of as erased, and may be left out of pages`() {
        var planted = PlantedHistory()
        planted.erase("a")
        planted.ask(
            .append(content: 2, expected: nil),
            .receipt(Receipt(verdict: .erased, revision: .zero)))
        guard case .rows(let head, var rows) = planted.page(0..<6, end: 6) else { return }
        for place in [0, 2, 4] { rows[place].kind = .erased }
        planted.ask(.page(from: .zero, .linearizable), .rows(head, rows))
        rows.remove(at: 2)
        planted.ask(.page(from: .zero, .linearizable), .rows(head, rows))
        #expect(planted.verdict == nil)
    }

    @Test func `what was not answered may be in the log or not`() {
        var planted = PlantedHistory()
        let content = planted.add(note: 50, id: "c")
        planted.ask(.append(content: content, expected: nil), .notAppended(isUnknown: true))
        #expect(planted.verdict == nil)
        planted.append(content)
        #expect(planted.verdict == nil)
    }

    /// Each spoils a good history in one way.
    static let spoilt: [(name: String, spoil: @Sendable (inout PlantedHistory) -> Void)] = [
        ("an acknowledged event is lost", { $0.log.rows.removeLast() }),
        ("two events change places", { $0.log.rows.swapAt(0, 2) }),
        ("an event is there twice", { $0.append(1) }),
        ("a revision is left out", { $0.log.rows[4].revision = Revision(4) }),
        ("bytes are altered", { $0.log.rows[1].draft[80] ^= 1 }),
        ("an event is invented", { $0.log.rows[1].digest[0] ^= 1 }),
        (
            "a salt is not the one that was told",
            { $0.log.rows[1].salt = Identifier(high: 99, low: 1) }
        ),
        ("a leaf is not the one that was told", { $0.log.rows[1].leafHash = .zero }),
        (
            "a time is not the one that was told",
            { $0.log.rows[1].recordedAt = Timestamp(microseconds: 99) }
        ),
        (
            "a retry gets another answer",
            { planted in
                var receipt = planted.receipt(2, .duplicate)
                receipt.salt = Identifier(high: 99, low: 1)
                planted.ask(.append(content: 2, expected: nil), .receipt(receipt))
            }
        ),
        (
            "what was not appended is there",
            { planted in
                let content = planted.add(note: 50, id: "c")
                planted.ask(
                    .append(content: content, expected: nil), .notAppended(isUnknown: false))
                planted.append(content)
            }
        ),
        (
            "a conflict with what was expected",
            { planted in
                planted.ask(
                    .append(content: 2, expected: Revision(3)),
                    .receipt(Receipt(verdict: .conflict, revision: Revision(3))))
            }
        ),
        (
            "a conflict with a revision that never was",
            { planted in
                planted.ask(
                    .append(content: 2, expected: Revision(1)),
                    .receipt(Receipt(verdict: .conflict, revision: Revision(9))))
            }
        ),
        (
            "a token is refused that nobody revoked",
            { planted in
                planted.ask(
                    .append(content: 2, expected: nil),
                    .receipt(Receipt(verdict: .tokenRefused, revision: .zero)))
            }
        ),
        (
            "a read lacks what was acknowledged",
            { $0.ask(.page(from: .zero, .linearizable), $0.page(0..<5, end: 5)) }
        ),
        (
            "a read after a sequence lacks it",
            { $0.ask(.page(from: .zero, .after(Sequence(6))), $0.page(0..<5, end: 5)) }
        ),
        (
            "a page has a gap",
            { planted in
                guard case .rows(let head, var rows) = planted.page(0..<6, end: 6) else { return }
                rows.remove(at: 2)
                planted.ask(.page(from: .zero, .stale), .rows(head, rows))
            }
        ),
        (
            "a page is empty although there is more",
            { $0.ask(.page(from: Sequence(2), .stale), $0.page(2..<2, end: 6)) }
        ),
        (
            "a page shows another leaf",
            { planted in
                let page = planted.page(0..<6, end: 6)
                planted.log.rows[3].leafHash = .zero
                planted.ask(.page(from: .zero, .stale), page)
            }
        ),
        (
            "a read shows an old revision",
            { $0.ask(.event(uniqueID: Array("a".utf8)), $0.page(2..<3, end: 6)) }
        ),
        (
            "a read finds nothing",
            { planted in
                planted.ask(
                    .event(uniqueID: Array("a".utf8)),
                    .rows(RowsHead(id: 1, outcome: .notFound), []))
            }
        ),
        (
            "a read finds damage",
            { planted in
                planted.ask(
                    .page(from: .zero, .stale), .rows(RowsHead(id: 1, outcome: .damaged), []))
            }
        ),
        (
            "an event is answered as erased that nobody erased",
            { planted in
                planted.ask(
                    .append(content: 2, expected: nil),
                    .receipt(Receipt(verdict: .erased, revision: .zero)))
            }
        ),
        (
            "an event of an erased unique_id is shown",
            { planted in
                planted.erase("a")
                planted.ask(.page(from: .zero, .linearizable), planted.page(0..<6, end: 6))
            }
        ),
        (
            "a retry is answered with what was erased",
            { planted in
                planted.erase("a")
                planted.ask(
                    .append(content: 2, expected: nil), .receipt(planted.receipt(2, .duplicate)))
            }
        ),
        (
            "an erased unique_id takes an event",
            { planted in
                planted.erase("a", isAnswered: false)
                planted.append(planted.add(note: 70, id: "b"))
                let content = planted.add(note: 71, id: "a")
                planted.append(content)
                planted.ask(
                    .append(content: content, expected: nil), .receipt(planted.receipt(7)))
            }
        ),
        (
            "a read says compacted of what no compaction took",
            { planted in
                guard case .rows(let head, var rows) = planted.page(4..<5, end: 6) else { return }
                rows[0].kind = .compacted
                planted.ask(.event(uniqueID: Array("a".utf8)), .rows(head, rows))
            }
        ),
        (
            "a read says erased of what nobody erased",
            { planted in
                guard case .rows(let head, var rows) = planted.page(4..<5, end: 6) else { return }
                rows[0].kind = .erased
                planted.ask(.event(uniqueID: Array("a".utf8)), .rows(head, rows))
            }
        ),
        (
            "a command was done and is not there",
            { planted in
                planted.ask(.command(revoke), .command(.done(.revoked(TokenID(5)))))
            }
        ),
        (
            "a command was not done and is there",
            { planted in
                planted.ask(.command(revoke), .command(.none))
                planted.log.commands.append(revoke)
            }
        ),
        (
            "a command is there twice",
            { planted in
                planted.ask(.command(revoke), .command(.done(.revoked(TokenID(5)))))
                planted.log.commands += [revoke, revoke]
            }
        ),
        (
            "a revoked token writes",
            { planted in
                let command = DirectoryCommand(
                    request: Identifier(high: 1, low: 1), author: PlantedHistory.token,
                    change: .revokeToken(PlantedHistory.token))
                planted.ask(.command(command), .command(.done(.revoked(PlantedHistory.token))))
                planted.log.commands.append(command)
                let content = planted.add(note: 60, id: "c")
                planted.append(content)
                planted.ask(
                    .append(content: content, expected: nil), .receipt(planted.receipt(6)))
            }
        ),
    ]

    private static let revoke = DirectoryCommand(
        request: Identifier(high: 1, low: 1), author: PlantedHistory.token,
        change: .revokeToken(TokenID(5)))

    @Test(arguments: spoilt.indices)
    func `every spoilt history is found`(place: Int) {
        var planted = PlantedHistory()
        Self.spoilt[place].spoil(&planted)
        #expect(planted.verdict != nil, "\(Self.spoilt[place].name)")
    }

    @Test func `what was acknowledged before something began stands before it`() {
        var planted = PlantedHistory(events: 0)
        let (first, second) = (planted.add(note: 1, id: "a"), planted.add(note: 2, id: "b"))
        planted.append(second)
        planted.append(first)
        planted.ask(.append(content: first, expected: nil), .receipt(planted.receipt(1)))
        planted.ask(.append(content: second, expected: nil), .receipt(planted.receipt(0)))
        #expect(planted.verdict?.contains("was acknowledged") == true)
    }

    @Test func `what one gateway took first stands first, of two gateways either may`() {
        for isSameGateway in [true, false] {
            var planted = PlantedHistory(events: 0)
            let (first, second) = (planted.add(note: 1, id: "a"), planted.add(note: 2, id: "b"))
            let operations = [first, second].map { content in
                planted.history.invoke(
                    .append(content: content, expected: nil),
                    gateway: isSameGateway ? 0 : content, life: 1)
            }
            planted.append(second)
            planted.append(first)
            planted.history.complete(operations[0], .receipt(planted.receipt(1)))
            planted.history.complete(operations[1], .receipt(planted.receipt(0)))
            #expect((planted.verdict != nil) == isSameGateway)
        }
    }

    @Test func `a term has one leader, and one that starts again is another`() throws {
        var check = LeaderCheck()
        try check.note(Term(2), leader: NodeID(1), life: 1)
        try check.note(Term(2), leader: NodeID(1), life: 1)
        try check.note(Term(3), leader: NodeID(2), life: 1)
        var (other, again) = (check, check)
        #expect(throws: Violation.self) {
            try other.note(Term(2), leader: NodeID(2), life: 1)
        }
        #expect(throws: Violation.self) {
            try again.note(Term(2), leader: NodeID(1), life: 2)
        }
    }

    @Test func `index and term name one entry`() throws {
        var check = LogMatchingCheck()
        try check.note(header(index: 2, term: 1, checksum: 5), by: NodeID(1))
        try check.note(header(index: 2, term: 2, checksum: 6), by: NodeID(2))
        try check.note(header(index: 2, term: 1, checksum: 5), by: NodeID(2))
        #expect(throws: Violation.self) {
            try check.note(header(index: 2, term: 1, checksum: 7), by: NodeID(2))
        }
    }

    @Test func `what is committed stays, and every later leader has it`() throws {
        var check = CommitCheck()
        let log = Catalogue(clusterID: Identifier(high: 1, low: 1))
        try check.note(header(index: 1, term: 1, checksum: 5), term: Term(2), by: NodeID(1))
        try check.note(header(index: 1, term: 1, checksum: 5), term: Term(3), by: NodeID(2))
        try check.checkLeader(NodeID(3), term: Term(2), log: log)
        let noted = check
        #expect(throws: Violation.self) {
            try noted.checkLeader(NodeID(3), term: Term(3), log: log)
        }
        #expect(throws: Violation.self) {
            try check.note(header(index: 1, term: 2, checksum: 6), term: Term(3), by: NodeID(2))
        }
    }

    private func header(index: UInt64, term: UInt64, checksum: UInt32) -> EntryHeader {
        EntryHeader(
            kind: .noOperation, byteCount: 56, bodyByteCount: 0, term: Term(term),
            index: LogIndex(index), firstSequence: .zero, recordCount: 0,
            timestamp: Timestamp(microseconds: 0), previousChecksum: 0, checksum: checksum)
    }
}
