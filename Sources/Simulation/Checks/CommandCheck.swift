import PeerWire
import Records

/// Directory commands take effect once, when they were answered; a revocation counts at once.
struct CommandCheck {
    let history: History
    let log: LogAudit

    /// The author of what leaders begin by themselves.
    private static let schedule = TokenID(0)

    func check() throws(Violation) {
        var counts: [Identifier: Int] = [:]
        for command in log.commands { counts[command.request, default: 0] += 1 }
        var mayBeThere: [Identifier: Bool] = [:]
        for operation in history.operations {
            guard case .command(let command) = operation.request else { continue }
            let count = counts[command.request] ?? 0
            guard count <= 1 else {
                throw Violation("request \(command.request) is in the log \(count) times")
            }
            switch operation.answer {
            case .command(.done):
                guard count == 1 || wasErased(command) else {
                    throw Violation("request \(command.request) was done and is not in the log")
                }
                mayBeThere[command.request] = true
            case .command(.refused), .command(.unknownToken), .command(.none),
                .command(.unknownID), .command(.running), .command(.held), .command(.closed),
                .command(.full):
                break
            default: mayBeThere[command.request] = true
            }
        }
        for command in log.commands
        where mayBeThere[command.request] == nil && command.author != Self.schedule {
            throw Violation("request \(command.request) was answered as not done and is done")
        }
        try checkRevocations()
        try checkOrder()
    }

    /// Behind a revocation the log has nothing of the token, whoever had heard of what.
    private func checkOrder() throws(Violation) {
        for (token, sequence) in log.revocations {
            for place in log.rows.indices.dropFirst(sequence + 1) {
                guard let content = history.content(withDigest: log.rows[place].digest),
                    history.contents[content].token == token
                else { continue }
                throw Violation(
                    "sequence \(place) is of token \(token), which sequence \(sequence) revoked")
            }
        }
    }

    /// What was erased before is answered as done, and nothing is appended for it.
    private func wasErased(_ command: DirectoryCommand) -> Bool {
        guard case .erase(let uniqueID, _) = command.change else { return false }
        return log.retention.erased[uniqueID] != nil
    }

    private func checkRevocations() throws(Violation) {
        var asked: [TokenID: Int] = [:]
        var revoked: [TokenID: Int] = [:]
        for operation in history.operations {
            guard case .command(let command) = operation.request,
                case .revokeToken(let token) = command.change
            else { continue }
            asked[token] = min(asked[token] ?? .max, operation.invoked)
            if case .command(.done) = operation.answer, let moment = operation.completed {
                revoked[token] = min(revoked[token] ?? .max, moment)
            }
        }
        for operation in history.operations {
            guard case .append(let content, _) = operation.request,
                case .receipt(let receipt) = operation.answer,
                let moment = operation.completed
            else { continue }
            let token = history.contents[content].token
            if receipt.verdict == .tokenRefused {
                guard asked[token] ?? .max < moment else {
                    throw Violation("token \(token) is refused, and nobody revoked it")
                }
            } else if receipt.verdict == .appended, revoked[token] ?? .max < operation.invoked {
                throw Violation("token \(token) still writes after it was revoked")
            }
        }
    }
}
