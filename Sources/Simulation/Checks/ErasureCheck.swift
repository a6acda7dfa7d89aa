import PeerWire
import Records

/// An erased unique_id stays closed: nothing is appended to it behind its ERASE entry, and once the
/// erasure was answered nobody is shown or told anything of its events.
struct ErasureCheck {
    let history: History
    let log: LogAudit

    func check() throws(Violation) {
        for (sequence, row) in log.rows.enumerated() where !row.isAdministration {
            guard let erased = log.retention.erased[row.uniqueID] else { continue }
            guard row.entry < erased.index else {
                throw Violation("sequence \(sequence) was appended to an erased unique_id")
            }
        }
        try checkAnswers()
    }

    private func checkAnswers() throws(Violation) {
        var asked: [[UInt8]: Int] = [:]
        var done: [[UInt8]: Int] = [:]
        for operation in history.operations {
            guard case .command(let command) = operation.request,
                case .erase(let uniqueID, _) = command.change
            else { continue }
            asked[uniqueID] = min(asked[uniqueID] ?? .max, operation.invoked)
            if case .command(.done) = operation.answer, let moment = operation.completed {
                done[uniqueID] = min(done[uniqueID] ?? .max, moment)
            }
        }
        for operation in history.operations {
            switch (operation.request, operation.answer) {
            case (.append(let content, _), .receipt(let receipt)):
                let uniqueID = history.contents[content].uniqueID
                let isErased = done[uniqueID].map { $0 < operation.invoked } ?? false
                try check(receipt, isErased: isErased)
                if receipt.verdict == .erased {
                    guard asked[uniqueID] ?? .max < operation.completed ?? .max else {
                        throw Violation("an event is answered as erased, and nobody erased it")
                    }
                }
            case (.event, .rows(let head, let rows)),
                (.page(_, .linearizable), .rows(let head, let rows)):
                guard head.outcome == .found else { continue }
                try check(rows, done, before: operation.invoked)
            default: break
            }
        }
    }

    private func check(_ receipt: Receipt, isErased: Bool) throws(Violation) {
        guard isErased else { return }
        switch receipt.verdict {
        case .erased, .tokenRefused: break
        case .appended, .duplicate, .conflict:
            throw Violation(
                "sequence \(receipt.sequence) is told of after its unique_id was erased")
        }
    }

    private func check(
        _ rows: [History.Row], _ done: [[UInt8]: Int], before moment: Int
    ) throws(Violation) {
        for row in rows where row.kind != .erased {
            guard row.sequence.value < UInt64(log.rows.count) else { continue }
            let event = log.rows[Int(row.sequence.value)]
            guard !event.isAdministration, let erased = done[event.uniqueID], erased < moment
            else { continue }
            throw Violation("sequence \(row.sequence) is shown after it was erased")
        }
    }
}
