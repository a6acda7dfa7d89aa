import Bytes
import Records
import Testing

@testable import Ledger

struct MemberListTests {
    private let first = Identifier(high: 1, low: 1)

    private func membership(_ log: inout TestLog, _ rows: [Membership.Row]) -> Entry {
        var body: [UInt8] = []
        ControlPayload.membership(Membership(members: rows)).append(to: &body)
        return log.entry(.membership, body)
    }

    private func seal(_ log: inout TestLog, _ seal: Seal) -> Entry {
        var body: [UInt8] = []
        ControlPayload.seal(seal).append(to: &body)
        return log.entry(.seal, body)
    }

    private func row(
        _ id: UInt32, _ incarnation: Identifier, _ role: Membership.Role = .voter
    ) -> Membership.Row {
        .init(id: NodeID(id), role: role, incarnation: incarnation, address: "n\(id):1")
    }

    private func voter(_ id: UInt32, _ incarnation: Identifier, at index: UInt64) -> Seal.Voter {
        .init(
            id: NodeID(id), incarnation: incarnation,
            acknowledged: LogPosition(term: Term(1), index: LogIndex(index)))
    }

    private func again(_ ledger: Ledger, format: StateFormat = .current) throws -> Ledger {
        var bytes: [UInt8] = []
        ledger.appendState(to: &bytes, format: format)
        var cursor = ByteCursor(0..<bytes.count)
        let read = try Ledger(
            state: &cursor, bytes.span, format: format, seed: RevisionKey.Seed(1),
            archive: TestArchive())
        #expect(cursor.remaining == 0)
        return read
    }

    @Test func `founders are voters on disks that nobody knows`() throws {
        let (ledger, _) = try TestLog.begin()
        #expect(ledger.membership.index == LogIndex(1))
        #expect(ledger.membership.rows.map(\.id) == ledger.genesis?.members.map(\.id))
        #expect(ledger.membership.rows.allSatisfy { $0.incarnation == .unknown })
        #expect(ledger.membership.rows.allSatisfy { $0.role == .voter })
    }

    @Test func `an entry sets all members, and the state table keeps them`() throws {
        let (begun, start) = try TestLog.begin()
        var (ledger, log) = (begun, start)
        let rows = [row(1, first), row(4, .unknown, .learner)]
        try ledger.apply(membership(&log, rows))
        #expect(ledger.membership.rows == rows)
        #expect(ledger.membership.index == LogIndex(2))
        #expect(try again(ledger).membership == ledger.membership)
        // A table of an earlier version knows the founders.
        #expect(try again(ledger, format: .people).membership == begun.membership)
    }

    @Test func `what a seal says of a disk goes with that disk`() throws {
        let (begun, start) = try TestLog.begin()
        var (ledger, log) = (begun, start)
        try ledger.apply(membership(&log, [row(1, first), row(2, first), row(3, first)]))
        let voters = [voter(1, first, at: 2), voter(2, first, at: 2), voter(3, first, at: 1)]
        try ledger.apply(seal(&log, Seal(stateTable: .zero, voters: voters)))
        #expect(ledger.membership.acknowledged == voters)
        #expect(try again(ledger).membership == ledger.membership)
        try ledger.apply(
            membership(&log, [row(1, first), row(2, Identifier(high: 2, low: 2))]))
        #expect(ledger.membership.acknowledged == [voters[0]])
    }

    @Test func `members that cannot be read stop the node`() throws {
        let (ledger, start) = try TestLog.begin()
        var log = start
        let entry = log.entry(.membership, [1, 0])
        #expect(throws: Ledger.Defect.malformed(LogIndex(2), offset: EntryHeader.encodedSize)) {
            var ledger = ledger
            try ledger.apply(entry)
        }
    }
}
