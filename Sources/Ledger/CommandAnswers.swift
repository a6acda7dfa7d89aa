import Bytes
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
        bytes.append(littleEndian: UInt32(rows.count))
        for row in rows {
            row.request.append(to: &bytes)
            bytes.append(littleEndian: row.index.value)
            row.answer.append(to: &bytes)
        }
    }
}

extension CommandAnswer {
    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        let kind: UInt8 = try cursor.integer(bytes)
        let token = TokenID(try cursor.integer(bytes))
        switch kind {
        case 1: self = .created(token)
        case 2: self = .revoked(token)
        default: throw ByteDefect(offset: place)
        }
    }

    func append(to bytes: inout [UInt8]) {
        switch self {
        case .created(let token):
            bytes.append(1)
            bytes.append(littleEndian: token.value)
        case .revoked(let token):
            bytes.append(2)
            bytes.append(littleEndian: token.value)
        }
    }
}
