import Bytes
import Testing

@testable import Ledger
@testable import Records

/// The ledger against a list that is searched from the end, over seeded random sequences.
@Suite struct NaiveModelTests {
    private struct Row {
        let id: String
        let content: String
        let revision: UInt32
    }

    private struct Model {
        var rows: [Row] = []
        var committed = 0

        func judge(_ id: String, _ content: String, _ expected: UInt32?) -> Ledger.Verdict {
            let revisions = rows.indices.filter { rows[$0].id == id }
            guard let newest = revisions.last else {
                return (expected ?? 0) == 0
                    ? .append(Revision(1)) : .conflict(current: .zero)
            }
            let current = rows[newest].revision
            if let equal = revisions.last(where: { rows[$0].content == content }) {
                let goesBack = equal != newest && expected == current
                return goesBack ? .append(Revision(current + 1)) : .duplicate(equal)
            }
            return expected == nil || expected == current
                ? .append(Revision(current + 1)) : .conflict(current: Revision(current))
        }
    }

    private struct Run {
        var random: RandomSource
        var ledger: Ledger
        var log: TestLog
        var model = Model()
        /// Proposed entries that are not applied, in log order.
        var pending: [Entry] = []
        var applied: EntryHeader?
        let idCount: Int

        init(seed: UInt64, idCount: Int) throws {
            random = RandomSource(seed: seed)
            (ledger, log) = try TestLog.begin(seed: seed)
            applied = log.last
            self.idCount = idCount
        }

        mutating func event() -> (id: String, content: String, expected: UInt32?) {
            let number = random.below(idCount)
            // Lengths on both sides of the hash's word, and long ones.
            let id = "\(number)" + String(repeating: "-", count: number % 19)
            let content = String(random.below(4))
            let expected = random.below(3) == 0 ? UInt32(random.below(4)) : nil
            return (id, content, expected)
        }

        /// Proposes one entry as a leader does.
        mutating func propose() throws {
            var body: [UInt8] = []
            var count = 0
            let index = log.last?.index.next ?? LogIndex(1)
            for _ in 0..<(random.below(6) + 1) {
                let (id, content, expected) = event()
                let verdict = try ledger.judge(id, content, expected: expected)
                try #require(verdict == model.judge(id, content, expected))
                guard case .append(let revision) = verdict else { continue }
                let record = TestLog.record(id, content, revision: revision)
                let view = try RecordView(decoding: record.span, at: 0, end: record.count)
                ledger.propose(
                    view, in: record.span, recordOffset: EntryHeader.encodedSize + body.count,
                    entry: index, sequence: Sequence(UInt64(model.rows.count)),
                    revision: revision)
                model.rows.append(Row(id: id, content: content, revision: revision.value))
                body += record
                count += 1
            }
            guard count > 0 else { return }
            pending.append(log.entry(.events, body, recordCount: count))
        }

        mutating func applyOne() throws {
            guard !pending.isEmpty else { return }
            let entry = pending.removeFirst()
            try ledger.apply(entry)
            model.committed += entry.header.recordCount
            applied = entry.header
        }

        /// Leadership is lost, and with it what is not committed.
        mutating func drop() throws {
            while !pending.isEmpty, random.below(2) == 0 { try applyOne() }
            ledger.dropOverlay()
            model.rows.removeLast(model.rows.count - model.committed)
            log = TestLog(after: applied)
            pending.removeAll()
        }

        /// Another leader's entry is applied: nothing of it was proposed here.
        mutating func follow() throws {
            try drop()
            let (id, content, _) = event()
            guard case .append(let revision) = model.judge(id, content, nil) else { return }
            let entry = log.events([(id, content, revision.value)])
            try ledger.apply(entry)
            applied = entry.header
            model.rows.append(Row(id: id, content: content, revision: revision.value))
            model.committed += 1
        }

        func check() throws {
            try #require(ledger.index.count == model.rows.count)
            try #require(ledger.index.committedCount == model.committed)
            try #require(ledger.nextSequence == Sequence(UInt64(model.committed)))
            for place in model.rows.indices {
                try #require(ledger.index[place].revision.value == model.rows[place].revision)
                try #require(ledger.index[place].sequence == Sequence(UInt64(place)))
                let found = ledger.index.place(of: Sequence(UInt64(place)))
                try #require(found == (place < model.committed ? place : nil))
            }
            for number in 0..<idCount {
                let id = "\(number)" + String(repeating: "-", count: number % 19)
                let bytes = Array(id.utf8)
                for withOverlay in [false, true] {
                    let bound = withOverlay ? model.rows.count : model.committed
                    let expected = model.rows[..<bound].lastIndex { $0.id == id }
                    let found = ledger.index.newest(
                        of: bytes.span, 0..<bytes.count, withOverlay: withOverlay)
                    try #require(found == expected, "\(id)")
                    guard let found else { continue }
                    let previous = model.rows[..<found].lastIndex { $0.id == id }
                    try #require(ledger.index.previous(of: found) == previous)
                }
            }
        }
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func `the ledger and a naive list agree`(seed: UInt64) throws {
        // Few ids make many revisions; many make the table grow.
        var run = try Run(seed: seed, idCount: seed % 2 == 0 ? 12 : 400)
        for step in 0..<400 {
            switch run.random.below(10) {
            case 0..<5: try run.propose()
            case 5..<8: try run.applyOne()
            case 8: try run.drop()
            default: try run.follow()
            }
            if step % 40 == 39 { try run.check() }
        }
        try run.check()
        #expect(run.model.committed > 20)
    }
}
