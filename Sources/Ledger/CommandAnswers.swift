import BugZoo
package import Bytes
package import Records

/// What a directory command was answered; holds no secrets.
package enum CommandAnswer: Equatable, Sendable {
    case created(TokenID)
    case revoked(TokenID)
    /// A run over all sealed segments has begun; the entry names it.
    case compacting(LogIndex)
    case held
    case released
    /// So many events are hidden from now on.
    case erased(UInt64)
    case user(UserID)
    case session(TokenID)
    /// It is so now.
    case changed
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

    // MARK: - The state table

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let request = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
            let index = LogIndex(try cursor.integer(bytes))
            rows.append(
                Row(request: request, answer: try CommandAnswer(&cursor, bytes), index: index))
        }
    }

    func append(to bytes: inout [UInt8]) {
        let rows = PlantedBug.answersNotInTable.isPlanted ? [] : rows
        bytes.append(littleEndian: UInt32(rows.count))
        for row in rows {
            row.request.append(to: &bytes)
            bytes.append(littleEndian: row.index.value)
            row.answer.append(to: &bytes)
        }
    }
}

extension CommandAnswer {
    /// The answer to a change of the directory; nil for bookkeeping, which nobody asked for.
    init?(to change: DirectoryCommand.Change) {
        switch change {
        case .createToken(let row): self = .created(row.id)
        case .revokeToken(let id): self = .revoked(id)
        case .directory(.createUser(let row)): self = .user(row.id)
        case .directory(.registerClient(let change)), .directory(.updateUser(let change)):
            self = .user(change.id)
        case .directory(.createSession(let row)): self = .session(row.id)
        case .directory(.useSessions), .directory(.mail(.reports)): return nil
        case .directory: self = .changed
        case .compact, .addHold, .removeHold, .erase:
            preconditionFailure("no change of the directory: \(change)")
        }
    }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        let kind: UInt8 = try cursor.integer(bytes)
        let value: UInt64 = try cursor.integer(bytes)
        switch kind {
        case 1: self = .created(TokenID(value))
        case 2: self = .revoked(TokenID(value))
        case 3: self = .compacting(LogIndex(value))
        case 4: self = .held
        case 5: self = .released
        case 6: self = .erased(value)
        case 7: self = .user(UserID(value))
        case 8: self = .session(TokenID(value))
        case 9: self = .changed
        default: throw ByteDefect(offset: place)
        }
    }

    package func append(to bytes: inout [UInt8]) {
        let (kind, value): (UInt8, UInt64) =
            switch self {
            case .created(let token): (1, token.value)
            case .revoked(let token): (2, token.value)
            case .compacting(let run): (3, run.value)
            case .held: (4, 0)
            case .released: (5, 0)
            case .erased(let events): (6, events)
            case .user(let id): (7, id.value)
            case .session(let id): (8, id.value)
            case .changed: (9, 0)
            }
        bytes.append(kind)
        bytes.append(littleEndian: value)
    }
}
