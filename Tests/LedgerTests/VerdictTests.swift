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

    static let table: [(id: String, content: String, expected: UInt32?, verdict: TestVerdict)] =
        [
            // A unique_id that is not there.
            ("new", "a", nil, .append(1)),
            ("new", "a", 0, .append(1)),
            ("new", "a", 1, .conflict(current: 0)),
            ("new", "a", 4, .conflict(current: 0)),
            // New content.
            ("x", "d", nil, .append(5)),
            ("x", "d", 4, .append(5)),
            ("x", "d", 0, .conflict(current: 4)),
            ("x", "d", 3, .conflict(current: 4)),
            ("x", "d", 5, .conflict(current: 4)),
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
            ("x", "a", 4, .append(5)),
            ("x", "b", 4, .append(5)),
            // Contents of other ids do not matter.
            ("once", "b", nil, .append(2)),
            ("once", "a", 1, .duplicate(2)),
            ("once", "a", 0, .duplicate(2)),
        ]

    @Test(arguments: table.indices)
    func `the verdict is the contract's`(place: Int) throws {
        let (id, content, expected, verdict) = Self.table[place]
        #expect(try ledger().judge(id, content, expected: expected) == verdict)
    }

    @Test func `a revision has the numbers and the place that it was appended with`() throws {
        let found = try ledger().revisions("x")
        #expect(found.map(\.sequence.value) == [4, 3, 1, 0])
        #expect(found.map(\.revision.value) == [4, 3, 2, 1])
        #expect(found.map { $0.place?.entry } == [3, 2, 2, 2].map { LogIndex($0) })
        #expect(found.last?.place?.offset == EntryHeader.encodedSize)
    }
}
