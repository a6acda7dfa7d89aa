import Bytes
import PeerWire
import Records

/// A read is a part of the log as it is; a linearizable one holds everything that was acknowledged
/// before it began.
struct ReadCheck {
    let history: History
    let log: LogAudit
    /// Files of the archive were damaged: a read that no peer could help may have said so.
    var mayMeetDamage = false

    func check() throws(Violation) {
        var acknowledged = Acknowledgements(history)
        let invoked = Invocations(history, log)
        for operation in history.operations {
            acknowledged.advance(to: operation.invoked)
            if case .receipt(let receipt) = operation.answer, receipt.verdict == .appended,
                invoked.latest(before: receipt.sequence) > operation.completed ?? .max
            {
                throw Violation(
                    "sequence \(receipt.sequence) was acknowledged before what stands in front of "
                        + "it was posted")
            }
            guard case .rows(let head, let rows) = operation.answer else { continue }
            guard head.outcome != .damaged else {
                guard mayMeetDamage else { throw Violation("a read finds damage") }
                continue
            }
            try checkRows(rows)
            guard invoked.latest(before: head.end) < operation.completed ?? .max else {
                throw Violation("a read sees sequences below \(head.end) before they were posted")
            }
            switch operation.request {
            case .event(let uniqueID):
                try check(event: uniqueID, head, rows, acknowledged)
            case .page(let from, let consistency):
                try check(page: from, consistency, head, rows, acknowledged)
            case .append, .command, .transfer, .members:
                throw Violation("a write is answered with rows")
            }
        }
    }

    private func checkRows(_ rows: [History.Row]) throws(Violation) {
        for row in rows {
            guard row.sequence.value < UInt64(log.rows.count),
                case let found = log.rows[Int(row.sequence.value)],
                found.revision == row.revision || found.isAdministration || row.kind == .erased,
                Array(found.leafHash.description.utf8) == row.leafHash,
                mayBe(row.kind, found, row.sequence)
            else {
                throw Violation("a read shows at sequence \(row.sequence) what is not there")
            }
        }
    }

    private func mayBe(
        _ kind: History.Row.Kind, _ row: LogAudit.Row, _ sequence: Sequence
    ) -> Bool {
        switch kind {
        case .whole: true
        case .compacted: log.retention.compacted.contains(Int(sequence.value))
        case .erased: log.retention.erased[row.uniqueID] != nil
        }
    }

    private func check(
        event uniqueID: [UInt8], _ head: RowsHead, _ rows: [History.Row],
        _ acknowledged: Acknowledgements
    ) throws(Violation) {
        let least = acknowledged.revisions[uniqueID] ?? 0
        switch head.outcome {
        case .found:
            guard rows.count == 1, rows[0].kind == .erased || rows[0].revision.value >= least,
                log.rows[Int(rows[0].sequence.value)].uniqueID == uniqueID
            else {
                throw Violation(
                    "a read shows \(rows.count) rows, revision \(rows.first?.revision ?? .zero) "
                        + "at best; revision \(least) was acknowledged before")
            }
        default:
            guard least == 0 else {
                throw Violation("a read finds nothing where revision \(least) was acknowledged")
            }
        }
    }

    private func check(
        page from: Sequence, _ consistency: Query.Consistency, _ head: RowsHead,
        _ rows: [History.Row], _ acknowledged: Acknowledgements
    ) throws(Violation) {
        var next = from
        for row in rows {
            guard row.sequence >= next, mayBeLeftOut(next, row.sequence) else {
                throw Violation("a page from \(from) shows \(row.sequence) where \(next) follows")
            }
            next = row.sequence.advanced(by: 1)
        }
        guard head.next >= next, mayBeLeftOut(next, head.next) else {
            throw Violation("a page from \(from) of \(rows.count) rows goes on at \(head.next)")
        }
        guard head.next > from || head.end <= from else {
            throw Violation("a page from \(from) is empty; \(head.end) events are there")
        }
        let least: UInt64
        switch consistency {
        case .linearizable: least = acknowledged.end
        case .after(let sequence): least = sequence.value
        case .stale: least = 0
        }
        guard head.end.value >= least else {
            throw Violation("a read of \(head.end) events; \(least) were acknowledged before")
        }
    }

    /// Whether a page may have no rows of the events from `begin` to before `end`: all of them
    /// were compacted away, or erased.
    private func mayBeLeftOut(_ begin: Sequence, _ end: Sequence) -> Bool {
        guard begin < end else { return true }
        guard end.value <= UInt64(log.rows.count) else { return false }
        return (Int(begin.value)..<Int(end.value)).allSatisfy { sequence in
            log.retention.remains(of: log.rows[sequence], at: sequence) != .whole
        }
    }
}

/// When events were asked for.
private struct Invocations {
    /// By sequence: when the last of the events through it was asked for first.
    private var moments: [Int] = []

    init(_ history: History, _ log: LogAudit) {
        var first: [Int: Int] = [:]
        for operation in history.operations {
            guard case .append(let content, _) = operation.request else { continue }
            first[content] = min(first[content] ?? .max, operation.invoked)
        }
        for row in log.rows {
            let moment = history.content(withDigest: row.digest).flatMap { first[$0] } ?? 0
            moments.append(max(moments.last ?? 0, moment))
        }
    }

    func latest(before end: Sequence) -> Int {
        let place = min(Int(clamping: end.value), moments.count) - 1
        return place < 0 ? -1 : moments[place]
    }
}

/// What was acknowledged up to a moment of a history.
struct Acknowledgements {
    /// The sequence after the last acknowledged one.
    private(set) var end: UInt64 = 0
    /// The newest acknowledged revision by unique_id.
    private(set) var revisions: [[UInt8]: UInt32] = [:]
    private let facts: [(moment: Int, end: UInt64, uniqueID: [UInt8], revision: UInt32)]
    private var next = 0

    init(_ history: History) {
        var facts: [(moment: Int, end: UInt64, uniqueID: [UInt8], revision: UInt32)] = []
        for operation in history.operations {
            guard let moment = operation.completed else { continue }
            switch (operation.request, operation.answer) {
            case (.append(let content, _), .receipt(let receipt))
            where receipt.verdict == .appended || receipt.verdict == .duplicate:
                facts.append(
                    (
                        moment, receipt.sequence.value + 1, history.contents[content].uniqueID,
                        receipt.revision.value
                    ))
            case (.page(_, .linearizable), .rows(let head, _)):
                facts.append((moment, head.end.value, [], 0))
            default: break
            }
        }
        self.facts = facts.sorted { $0.moment < $1.moment }
    }

    mutating func advance(to moment: Int) {
        while next < facts.count, facts[next].moment < moment {
            let fact = facts[next]
            end = max(end, fact.end)
            if fact.revision > 0 {
                revisions[fact.uniqueID] = max(revisions[fact.uniqueID] ?? 0, fact.revision)
            }
            next += 1
        }
    }
}
