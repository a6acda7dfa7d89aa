package import Records

/// What a directory command was answered; holds no secrets.
package enum CommandAnswer: Equatable, Sendable {
    case created(TokenID)
    case revoked(TokenID)
}

/// The answers to the newest commands by their request ids, so that repeating one is safe.
///
/// Bounded by their count, so that every replica forgets the same: at `keptEntries` the oldest tenth
/// goes.
package struct CommandAnswers: Equatable, Sendable {
    package static let keptEntries = 10_000

    private struct Row: Equatable, Sendable {
        let request: Identifier
        let answer: CommandAnswer
        let index: LogIndex
    }

    /// In log order.
    private var rows: [Row] = []

    package init() {}

    package func answer(to request: Identifier) -> (answer: CommandAnswer, index: LogIndex)? {
        rows.last { $0.request == request }.map { ($0.answer, $0.index) }
    }

    mutating func remember(_ request: Identifier, _ answer: CommandAnswer, at index: LogIndex) {
        if rows.count == Self.keptEntries { rows.removeFirst(Self.keptEntries / 10) }
        rows.append(Row(request: request, answer: answer, index: index))
    }
}
