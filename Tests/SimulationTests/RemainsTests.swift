import Bytes
import Records
import Testing

@testable import Simulation

/// What a node's files hold, against what was committed.
struct RemainsTests {
    private let node = NodeID(2)

    /// The log with event 4 of "a" erased, and what a node holds of it.
    private func erased() -> (log: LogAudit, found: LogAudit) {
        var planted = PlantedHistory()
        planted.erase("a")
        planted.removeErased()
        var found = planted.log
        for place in [0, 2, 4] {
            let mark = planted.log.retention.erased[Array("a".utf8)]?.mark ?? .zero
            found.rows[place].remains = .erased(mark: mark)
            found.rows[place].uniqueID = []
            found.rows[place].digest = []
            found.rows[place].draft = []
            found.rows[place].revision = .zero
        }
        return (planted.log, found)
    }

    @Test func `a log as it was committed, and one without what was erased, pass`() throws {
        let whole = PlantedHistory().log
        try RemainsCheck(log: whole).check(whole, of: node)
        let (log, found) = erased()
        try RemainsCheck(log: log).check(found, of: node)
    }

    @Test func `every difference that no compaction explains is found`() throws {
        let whole = PlantedHistory().log
        let (log, found) = erased()
        let spoilt: [(LogAudit, LogAudit, (inout LogAudit) -> Void)] = [
            (whole, whole, { $0.rows[1].remains = .compacted }),
            (whole, whole, { $0.rows[1].remains = .erased(mark: .zero) }),
            (whole, whole, { $0.rows[1].leafHash = .zero }),
            (whole, whole, { $0.rows[1].salt = Identifier(high: 7, low: 7) }),
            (whole, whole, { $0.rows[1].draft[80] ^= 1 }),
            (whole, whole, { $0.rows[1].entry = LogIndex(99) }),
            (whole, whole, { $0.rows.removeLast() }),
            (log, log, { _ in }),
            (log, found, { $0.rows[2].remains = .whole }),
            (log, found, { $0.rows[2].remains = .compacted }),
            (log, found, { $0.rows[2].remains = .erased(mark: .zero) }),
            (log, found, { $0.rows[2].leafHash = .zero }),
        ]
        for (place, (log, found, spoil)) in spoilt.enumerated() {
            var spoiltLog = found
            spoil(&spoiltLog)
            let copy = spoiltLog
            #expect(throws: Violation.self, "\(place)") {
                try RemainsCheck(log: log).check(copy, of: node)
            }
        }
    }

    @Test func `an erased unique_id is found wherever it stands`() {
        let text = Array("..event-1;event-12;..event-2".utf8)
        let expected: [(String, Int?)] = [("event-1;", 2), ("event-12;", 10), ("event-2;", nil)]
        for (id, place) in expected {
            let found = SecretCheck.check(
                text, prefix: Array("event-".utf8), end: UInt8(ascii: ";"), limit: 40
            ) { Array($0) == Array(id.utf8) }
            #expect(found == place)
        }
    }
}
