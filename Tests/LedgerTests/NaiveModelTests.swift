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

        func judge(_ id: String, _ content: String, _ expected: UInt32?) -> TestVerdict {
            let revisions = rows.indices.filter { rows[$0].id == id }
            guard let newest = revisions.last else {
                return (expected ?? 0) == 0 ? .append(1) : .conflict(current: 0)
            }
            let current = rows[newest].revision
            if let equal = revisions.last(where: { rows[$0].content == content }) {
                let goesBack = equal != newest && expected == current
                return goesBack ? .append(current + 1) : .duplicate(UInt64(equal))
            }
            return expected == nil || expected == current
                ? .append(current + 1) : .conflict(current: current)
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
        /// The sequences in front of which a SEAL is applied, and tables not yet in use.
        var sealed: [Int] = []
        let archive = TestArchive()
        var releaseCount = 0
        let idCount: Int

        init(seed: UInt64, idCount: Int) throws {
            random = RandomSource(seed: seed)
            (ledger, log) = try TestLog.begin(seed: seed, archive: archive)
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
                guard case .append(let number) = verdict else { continue }
                let revision = Revision(number)
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

        /// Proposes a SEAL.
        mutating func seal() {
            ledger.proposeSeal(before: Sequence(UInt64(model.rows.count)))
            pending.append(log.entry(.seal))
        }

        mutating func applyOne() throws {
            guard !pending.isEmpty else { return }
            try apply(pending.removeFirst())
        }

        private mutating func apply(_ entry: Entry) throws {
            try ledger.apply(entry)
            model.committed += entry.header.recordCount
            applied = entry.header
            if entry.header.kind == .seal { sealed.append(model.committed) }
        }

        /// Sealed segments get tables, of which some are in use before their pieces are released.
        mutating func archiveSome() throws {
            guard !sealed.isEmpty else { return }
            let through = sealed[random.below(sealed.count)]
            for place in archive.rows.count..<max(through, archive.rows.count) {
                let row = model.rows[place]
                let record = TestLog.record(row.id, row.content)
                let view = try RecordView(decoding: record.span, at: 0, end: record.count)
                archive.rows.append(
                    RevisionRow(
                        key: ledger.index.key(record.span, view.uniqueID),
                        sequence: Sequence(UInt64(place)), revision: Revision(row.revision),
                        digest: Digest(record.span, at: view.digest.lowerBound)))
            }
            let released = sealed.filter { $0 <= through }.prefix(1 + random.below(2))
            ledger.releaseIndex(through: Sequence(UInt64(released.max() ?? 0)))
            sealed.removeAll { $0 <= released.max() ?? 0 }
            releaseCount += 1
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
            model.rows.append(Row(id: id, content: content, revision: revision))
            try apply(log.events([(id, content, revision)]))
            if random.below(4) == 0 { try apply(log.entry(.seal)) }
        }

        func check() throws {
            let first = Int(ledger.index.firstSequence.value)
            try #require(ledger.index.count == model.rows.count - first)
            try #require(ledger.index.committedCount == model.committed - first)
            try #require(ledger.nextSequence == Sequence(UInt64(model.committed)))
            for number in 0..<idCount {
                let id = "\(number)" + String(repeating: "-", count: number % 19)
                for withOverlay in [false, true] {
                    let bound = withOverlay ? model.rows.count : model.committed
                    let expected = (0..<bound).reversed().filter { model.rows[$0].id == id }
                    let found = try ledger.revisions(id, withOverlay: withOverlay)
                    try #require(found.map { Int($0.sequence.value) } == expected, "\(id)")
                    for revision in found {
                        let place = Int(revision.sequence.value)
                        try #require(revision.revision.value == model.rows[place].revision)
                        try #require((revision.place == nil) == (place < first))
                    }
                }
            }
        }
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func `the ledger and a naive list agree`(seed: UInt64) throws {
        // Few ids make many revisions; many make the table grow.
        var run = try Run(seed: seed, idCount: seed % 2 == 0 ? 12 : 400)
        for step in 0..<400 {
            switch run.random.below(12) {
            case 0..<5: try run.propose()
            case 5..<8: try run.applyOne()
            case 8: try run.drop()
            case 9: run.seal()
            case 10: try run.archiveSome()
            default: try run.follow()
            }
            if step % 40 == 39 { try run.check() }
        }
        try run.check()
        #expect(run.model.committed > 20)
        #expect(run.releaseCount > 3)
    }
}
