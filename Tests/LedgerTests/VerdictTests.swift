import Records
import Testing

@testable import Ledger

/// The truth table of http-contract section 3: what a repeated unique_id does.
@Suite struct VerdictTests {
    /// "x" has the revisions a, b, a, c; "once" has one.
    private func ledger() throws -> Ledger {
        var (ledger, log) = try TestLog.begin()
        try ledger.apply(
            log.events([("x", "a", 1), ("x", "b", 2), ("once", "a", 1), ("x", "a", 3)]))
        try ledger.apply(log.events([("x", "c", 4)]))
        return ledger
    }

    static let table: [(id: String, content: String, expected: UInt32?, verdict: Ledger.Verdict)] =
        [
            // A unique_id that is not there.
            ("new", "a", nil, .append(Revision(1))),
            ("new", "a", 0, .append(Revision(1))),
            ("new", "a", 1, .conflict(current: Revision(0))),
            ("new", "a", 4, .conflict(current: Revision(0))),
            // New content.
            ("x", "d", nil, .append(Revision(5))),
            ("x", "d", 4, .append(Revision(5))),
            ("x", "d", 0, .conflict(current: Revision(4))),
            ("x", "d", 3, .conflict(current: Revision(4))),
            ("x", "d", 5, .conflict(current: Revision(4))),
            // The current content: equality is judged before expected_revision.
            ("x", "c", nil, .duplicate(4)),
            ("x", "c", 4, .duplicate(4)),
            ("x", "c", 0, .duplicate(4)),
            ("x", "c", 3, .duplicate(4)),
            ("x", "c", 9, .duplicate(4)),
            // An older content: the latest of several equal ones.
            ("x", "a", nil, .duplicate(3)),
            ("x", "a", 0, .duplicate(3)),
            ("x", "a", 3, .duplicate(3)),
            ("x", "b", nil, .duplicate(1)),
            ("x", "b", 2, .duplicate(1)),
            // An older content with the current revision named is a wish to go back.
            ("x", "a", 4, .append(Revision(5))),
            ("x", "b", 4, .append(Revision(5))),
            // Contents of other ids do not matter.
            ("once", "b", nil, .append(Revision(2))),
            ("once", "a", 1, .duplicate(2)),
            ("once", "a", 0, .duplicate(2)),
        ]

    @Test(arguments: table.indices)
    func `the verdict is the contract's`(place: Int) throws {
        let (id, content, expected, verdict) = Self.table[place]
        #expect(try ledger().judge(id, content, expected: expected) == verdict)
    }

    @Test func `the row of a duplicate has its first numbers`() throws {
        let ledger = try ledger()
        let row = ledger.index[3]
        #expect(row.sequence == Sequence(3))
        #expect(row.revision == Revision(3))
        #expect(row.entry == LogIndex(2))
        #expect(ledger.index[4].entry == LogIndex(3))
    }
}
