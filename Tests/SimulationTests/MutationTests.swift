import Bytes
import Crypto
import PeerWire
import Records
import Testing

@testable import Simulation

/// The checks on the histories of real runs, each changed in one way.
struct MutationTests {
    /// What a run was told, what its log is, and what is drawn from for a change.
    struct Case {
        var history: History
        var log: LogAudit
        var random: RandomSource

        init(seed: UInt64) throws {
            let simulation = try Simulation(SimulationOptions(seed: seed))
            try simulation.run()
            history = simulation.history
            log = try LogAudit(
                of: simulation.checks.commits.entries(from: simulation.checks.log),
                cluster: simulation.cluster)
            random = RandomSource(seed: seed)
        }

        var verdict: String? {
            do {
                try HistoryCheck.check(history, against: log, mayMeetDamage: true)
                return nil
            } catch { return error.text }
        }

        /// A drawn operation that `isWanted`; nil when there is none.
        mutating func draw(_ isWanted: (History.Operation) -> Bool) -> Int? {
            let places = history.operations.indices.filter { isWanted(history.operations[$0]) }
            return places.isEmpty ? nil : random.pick(places)
        }

        /// One that appended an event, for the only time that it was asked for.
        mutating func drawAppended() -> (place: Int, content: Int, receipt: Receipt)? {
            var counts: [Int: Int] = [:]
            for operation in history.operations {
                if case .append(let content, _) = operation.request {
                    counts[content, default: 0] += 1
                }
            }
            let place = draw { operation in
                guard case .append(let content, _) = operation.request,
                    case .receipt(let receipt) = operation.answer
                else { return false }
                return receipt.verdict == .appended && counts[content] == 1
            }
            guard let place, case .append(let content, _) = history.operations[place].request,
                case .receipt(let receipt) = history.operations[place].answer
            else { return nil }
            return (place, content, receipt)
        }

        mutating func drawRows(
            _ isWanted: (History.Request, RowsHead, [History.Row]) -> Bool
        ) -> (place: Int, head: RowsHead, rows: [History.Row])? {
            let place = draw { operation in
                guard case .rows(let head, let rows) = operation.answer, head.outcome == .found
                else { return false }
                return isWanted(operation.request, head, rows)
            }
            guard let place, case .rows(let head, let rows) = history.operations[place].answer
            else { return nil }
            return (place, head, rows)
        }

        mutating func ask(_ request: History.Request, _ answer: History.Answer) {
            let operation = history.invoke(request, gateway: 900, life: 1)
            history.complete(operation, answer)
        }

        /// What a whole page of the log as it is in the end shows.
        func page(of range: Range<Int>) -> History.Answer {
            var head = RowsHead(id: 1, outcome: .found)
            head.next = Sequence(UInt64(range.upperBound))
            head.end = Sequence(UInt64(log.rows.count))
            var rows: [History.Row] = []
            for place in range {
                let row = log.rows[place]
                let remains = log.retention.remains(of: row, at: place)
                guard remains != .compacted else { continue }
                rows.append(
                    History.Row(
                        sequence: Sequence(UInt64(place)), revision: row.revision,
                        leafHash: Array(row.leafHash.description.utf8),
                        kind: remains == .whole ? .whole : .erased))
            }
            return .rows(head, rows)
        }
    }

    /// False when the history has nothing to change so.
    typealias Mutation = @Sendable (inout Case) -> Bool

    private static func row(
        _ change: @escaping @Sendable (inout LogAudit.Row) -> Void
    ) -> Mutation {
        { one in
            guard let (_, _, receipt) = one.drawAppended() else { return false }
            change(&one.log.rows[Int(receipt.sequence.value)])
            return true
        }
    }

    private static func receipt(_ change: @escaping @Sendable (inout Receipt) -> Void) -> Mutation {
        { one in
            guard let (place, _, found) = one.drawAppended() else { return false }
            var receipt = found
            change(&receipt)
            one.history.operations[place].answer = .receipt(receipt)
            return true
        }
    }

    static let bad: [(name: String, mutate: Mutation)] = [
        ("a row has another revision", row { $0.revision = Revision($0.revision.value + 1) }),
        ("a row is invented", row { $0.digest[0] ^= 1 }),
        ("a row has other bytes", row { $0.draft[$0.draft.count / 2] ^= 1 }),
        ("a row has another salt", row { $0.salt = Identifier(high: 1, low: 1) }),
        ("a row has another leaf", row { $0.leafHash = .zero }),
        (
            "a row has another time",
            row { $0.recordedAt = $0.recordedAt.advanced(byMicroseconds: 1) }
        ),
        ("a receipt has another revision", receipt { $0.revision = $0.revision.next }),
        ("a receipt has another salt", receipt { $0.salt = Identifier(high: 1, low: 1) }),
        ("a receipt has another leaf", receipt { $0.leafHash = .zero }),
        ("a receipt has another sequence", receipt { $0.sequence = $0.sequence.advanced(by: 1) }),
        (
            "a receipt has another time",
            receipt { $0.recordedAt = $0.recordedAt.advanced(byMicroseconds: 1) }
        ),
        (
            "a receipt says a conflict with what never was",
            receipt { $0 = Receipt(verdict: .conflict, revision: Revision(9_999)) }
        ),
        (
            "what is there was answered as not appended",
            { one in
                guard let (place, _, _) = one.drawAppended() else { return false }
                one.history.operations[place].answer = .notAppended(isUnknown: false)
                return true
            }
        ),
        (
            "an acknowledged event is lost",
            { one in
                guard let (_, _, receipt) = one.drawAppended() else { return false }
                one.log.rows.remove(at: Int(receipt.sequence.value))
                return true
            }
        ),
        (
            "an event is there twice",
            { one in
                guard let (_, _, receipt) = one.drawAppended() else { return false }
                one.log.rows.append(one.log.rows[Int(receipt.sequence.value)])
                return true
            }
        ),
        (
            "two events change places",
            { one in
                guard let (_, _, first) = one.drawAppended(),
                    let (_, _, second) = one.drawAppended(), first.sequence != second.sequence
                else { return false }
                one.log.rows.swapAt(Int(first.sequence.value), Int(second.sequence.value))
                return true
            }
        ),
        (
            "a page leaves out a row",
            { one in
                guard
                    let (place, head, found) = one.drawRows({ request, _, rows in
                        guard case .page = request else { return false }
                        return rows.contains { $0.kind == .whole }
                    })
                else { return false }
                guard
                    let gap = found.firstIndex(where: { row in
                        let sequence = Int(row.sequence.value)
                        return one.log.retention.remains(
                            of: one.log.rows[sequence], at: sequence) == .whole
                    })
                else { return false }
                var rows = found
                rows.remove(at: gap)
                one.history.operations[place].answer = .rows(head, rows)
                return true
            }
        ),
        (
            "a row that was read has another leaf",
            { one in
                guard let (place, head, found) = one.drawRows({ _, _, rows in !rows.isEmpty })
                else { return false }
                var rows = found
                let old = rows[0]
                rows[0] = History.Row(
                    sequence: old.sequence, revision: old.revision, leafHash: [], kind: old.kind)
                one.history.operations[place].answer = .rows(head, rows)
                return true
            }
        ),
        (
            "a linearizable page ends before what was acknowledged",
            { one in
                guard one.log.rows.count > 1 else { return false }
                var head = RowsHead(id: 1, outcome: .found)
                head.end = Sequence(1)
                head.next = Sequence(1)
                one.ask(.page(from: Sequence(1), .linearizable), .rows(head, []))
                return true
            }
        ),
        (
            "an acknowledged event is not found",
            { one in
                guard let (_, content, _) = one.drawAppended() else { return false }
                one.ask(
                    .event(uniqueID: one.history.contents[content].uniqueID),
                    .rows(RowsHead(id: 1, outcome: .notFound), []))
                return true
            }
        ),
        (
            "an event is read before it was posted",
            { one in
                guard one.log.rows.count > 3,
                    let read = one.draw({
                        if case .rows(let head, _) = $0.answer { return head.end == .zero }
                        return false
                    })
                        ?? one.history.operations.indices.first(where: { place in
                            if case .rows = one.history.operations[place].answer {
                                true
                            } else {
                                false
                            }
                        })
                else { return false }
                let request = one.history.operations[read].request
                let answer = one.history.operations[read].answer
                guard case .page = request, case .rows(let head, let rows)? = answer,
                    head.outcome == .found
                else { return false }
                var later = head
                later.end = Sequence(UInt64(one.log.rows.count))
                one.history.operations[read].answer = .rows(later, rows)
                return true
            }
        ),
        (
            "a command that was done is not there",
            { one in
                guard
                    let place = one.draw({ operation in
                        guard case .command(let command) = operation.request,
                            case .command(.done) = operation.answer
                        else { return false }
                        if case .erase = command.change { return false }
                        return true
                    }), case .command(let command) = one.history.operations[place].request
                else { return false }
                one.log.commands.removeAll { $0.request == command.request }
                return true
            }
        ),
        (
            "a command is there twice",
            { one in
                guard let command = one.log.commands.first(where: { $0.author.value > 0 }) else {
                    return false
                }
                one.log.commands.append(command)
                return true
            }
        ),
        (
            "a command that nobody asked for is there",
            { one in
                one.log.commands.append(
                    DirectoryCommand(
                        request: Identifier(high: 99, low: 99), author: TokenID(1),
                        change: .revokeToken(TokenID(5_555))))
                return true
            }
        ),
        (
            "a token is refused that nobody revoked",
            { one in
                guard let (_, content, _) = one.drawAppended() else { return false }
                guard one.history.contents[content].token == TokenID(1) else { return false }
                one.ask(
                    .append(content: content, expected: nil),
                    .receipt(Receipt(verdict: .tokenRefused, revision: .zero)))
                return true
            }
        ),
        (
            "an event is answered as erased that nobody erased",
            { one in
                guard let (_, content, _) = one.drawAppended() else { return false }
                guard one.log.retention.erased[one.history.contents[content].uniqueID] == nil
                else { return false }
                one.ask(
                    .append(content: content, expected: nil),
                    .receipt(Receipt(verdict: .erased, revision: .zero)))
                return true
            }
        ),
    ]

    static let good: [(name: String, mutate: Mutation)] = [
        ("nothing", { _ in true }),
        (
            "an answer never came",
            { one in
                guard let (place, _, _) = one.drawAppended() else { return false }
                one.history.operations[place].answer = .notAppended(isUnknown: true)
                return true
            }
        ),
        (
            "an answer came later",
            { one in
                guard let (place, _, _) = one.drawAppended() else { return false }
                one.history.operations[place].completed = .max - 1
                return true
            }
        ),
        (
            "a read had no answer",
            { one in
                guard let (place, _, _) = one.drawRows({ _, _, _ in true }) else { return false }
                one.history.operations[place].answer = .noRows
                return true
            }
        ),
        (
            "no read had an answer",
            { one in
                for place in one.history.operations.indices {
                    guard case .rows = one.history.operations[place].answer else { continue }
                    one.history.operations[place].answer = .noRows
                }
                return true
            }
        ),
        (
            "an event is posted again",
            { one in
                guard let (_, content, first) = one.drawAppended() else { return false }
                guard one.log.retention.erased[one.history.contents[content].uniqueID] == nil
                else { return false }
                var receipt = first
                receipt.verdict = .duplicate
                one.ask(.append(content: content, expected: nil), .receipt(receipt))
                return true
            }
        ),
        (
            "an event is posted, and what became of it is not known",
            { one in
                guard let content = one.history.contents.first else { return false }
                let place = one.history.add(
                    EventDraft.content(
                        uniqueID: content.uniqueID, note: 987_654, padding: 0, token: content.token,
                        hash: SHA256()))
                one.ask(
                    .append(content: place, expected: nil), .notAppended(isUnknown: true))
                return true
            }
        ),
        (
            "all is read in the end",
            { one in
                one.ask(
                    .page(from: .zero, .linearizable), one.page(of: 0..<one.log.rows.count))
                return true
            }
        ),
        (
            "half of it is read in the end",
            { one in
                one.ask(.page(from: .zero, .stale), one.page(of: 0..<(one.log.rows.count / 2)))
                return true
            }
        ),
        (
            "a stale page is empty",
            { one in
                one.ask(
                    .page(from: .zero, .stale), .rows(RowsHead(id: 1, outcome: .found), []))
                return true
            }
        ),
        (
            "an unknown unique_id is not found",
            { one in
                one.ask(
                    .event(uniqueID: Array("nobody's".utf8)),
                    .rows(RowsHead(id: 1, outcome: .notFound), []))
                return true
            }
        ),
        (
            "a conflict with what is not there yet",
            { one in
                guard let (_, content, _) = one.drawAppended() else { return false }
                guard one.log.retention.erased[one.history.contents[content].uniqueID] == nil
                else { return false }
                one.ask(
                    .append(content: content, expected: Revision(5_000)),
                    .receipt(Receipt(verdict: .conflict, revision: Revision(1))))
                return true
            }
        ),
        (
            "a command's answer never came",
            { one in
                guard
                    let place = one.draw({
                        if case .command(.done) = $0.answer { true } else { false }
                    })
                else { return false }
                one.history.operations[place].answer = .command(.unknown)
                return true
            }
        ),
        (
            "a command was refused",
            { one in
                one.ask(
                    .command(
                        DirectoryCommand(
                            request: Identifier(high: 98, low: 98), author: TokenID(1),
                            change: .revokeToken(TokenID(7_777)))), .command(.unknownToken))
                return true
            }
        ),
        (
            "a gateway started again between all operations",
            { one in
                for place in one.history.operations.indices {
                    let old = one.history.operations[place]
                    one.history.operations[place] = History.Operation(
                        request: old.request, gateway: place, gatewayLife: 1,
                        invoked: old.invoked, completed: old.completed, answer: old.answer)
                }
                return true
            }
        ),
    ]

    @Test func `every bad history is flagged, every good one passes`() throws {
        var (flagged, passed) = (0, 0)
        for seed in UInt64(1)...16 {
            let original = try Case(seed: seed)
            for (name, mutate) in Self.bad {
                var one = original
                guard mutate(&one) else { continue }
                #expect(one.verdict != nil, "seed \(seed): \(name)")
                flagged += 1
            }
            for (name, mutate) in Self.good {
                var one = original
                guard mutate(&one) else { continue }
                #expect(one.verdict == nil, "seed \(seed): \(name)")
                passed += 1
            }
        }
        print("checkers: \(flagged) bad histories flagged, \(passed) good ones passed")
        #expect(flagged >= 200 && passed >= 200)
    }
}
