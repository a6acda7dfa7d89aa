import Bytes
import Crypto
import Testing

@testable import Ledger
@testable import Records

/// Makes events and entries that follow each other.
struct TestLog {
    static let administrator = TokenRow(
        id: TokenID(1), kind: .administrator, application: "", name: "first", permissions: ["*"],
        secretDigest: [UInt8](repeating: 1, count: 32), createdAt: Timestamp(microseconds: 0))

    static let genesis = Genesis(
        clusterID: Identifier(high: 1, low: 2),
        members: [Member(id: NodeID(1), address: "127.0.0.1:7401")], administrator: administrator)

    private(set) var last: EntryHeader?
    var term = Term(1)

    init(after last: EntryHeader? = nil) { self.last = last }

    /// A ledger that has applied the genesis entry, and the log behind it.
    static func begin(
        seed: UInt64 = 7, archive: TestArchive? = nil
    ) throws -> (Ledger, TestLog) {
        var ledger = Ledger(seed: RevisionKey.Seed(seed), archive: archive)
        var log = TestLog()
        try ledger.apply(log.genesis())
        return (ledger, log)
    }

    mutating func genesis() -> Entry {
        let entry = Self.genesis.entry(createdAt: Timestamp(microseconds: 1_000))
        last = entry.header
        return entry
    }

    mutating func entry(
        _ kind: EntryKind, _ body: [UInt8] = [], recordCount: Int = 0,
        time: Int64? = nil
    ) -> Entry {
        let timestamp =
            time.map { Timestamp(microseconds: $0) }
            ?? (last?.timestamp ?? Timestamp(microseconds: 0)).advanced(byMicroseconds: 1_000)
        let entry = Entry(
            kind: kind, term: term, after: last, recordCount: recordCount, timestamp: timestamp,
            body: body)
        last = entry.header
        return entry
    }

    mutating func events(_ events: [(id: String, content: String, revision: UInt32)]) -> Entry {
        var body: [UInt8] = []
        for (id, content, revision) in events {
            body += Self.record(id, content, revision: Revision(revision))
        }
        return entry(.events, body, recordCount: events.count)
    }

    mutating func directory(_ command: DirectoryCommand) -> Entry {
        var body: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "tokens/create", subject: "s", details: Array("{}".utf8), application: "",
            writtenBy: "w", to: &body)
        command.append(to: &body)
        return entry(.directory, body, recordCount: 1)
    }

    /// A stored record; `content` stands in script_name.
    static func record(
        _ id: String, _ content: String = "a", revision: Revision = .zero
    ) -> [UInt8] {
        var values = Array(id.utf8)
        var parameters = EventParameters()
        parameters.uniqueID = 0..<values.count
        parameters.scriptName = values.count..<(values.count + content.utf8.count)
        values += content.utf8
        parameters.startedAt = Timestamp(microseconds: 0)
        var record: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: Array("planox2".utf8),
            writtenBy: Array("w".utf8), hash: SHA256(), to: &record)
        record.put(
            littleEndian: revision.value,
            at: RecordLayout.canonicalOffset + RecordLayout.revisionOffset)
        return record
    }
}

/// A verdict as a test writes it down.
enum TestVerdict: Equatable {
    case append(UInt32)
    /// Of the event with this sequence.
    case duplicate(UInt64)
    case conflict(current: UInt32)
}

extension Ledger {
    func judge(
        _ id: String, _ content: String = "a", expected: UInt32? = nil
    ) throws -> TestVerdict {
        let record = TestLog.record(id, content)
        let view = try RecordView(decoding: record.span, at: 0, end: record.count)
        switch try judge(view, in: record.span, expected: expected.map { Revision($0) }) {
        case .append(let revision): return .append(revision.value)
        case .duplicate(let first): return .duplicate(first.sequence.value)
        case .conflict(let current): return .conflict(current: current.value)
        }
    }

    /// The revisions of an id, newest first.
    func revisions(_ id: String, withOverlay: Bool = false) throws -> [IndexedRevision] {
        var found: [IndexedRevision] = []
        let bytes = Array(id.utf8)
        let key = index.key(bytes.span, 0..<bytes.count)
        try index.visit(key, withOverlay: withOverlay) { revision in
            found.append(revision)
            return true
        }
        return found
    }
}

/// Archived revisions in memory.
final class TestArchive: ArchivedRevisions {
    var rows: [RevisionRow] = []
    var isDamaged = false

    func visit(
        _ key: RevisionKey, _ visit: (RevisionRow) -> Bool
    ) throws(IndexDamage) {
        guard !isDamaged else { throw IndexDamage("a bad block") }
        for row in rows.reversed() where row.key == key {
            guard visit(row) else { return }
        }
    }
}
