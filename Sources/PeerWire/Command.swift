package import Bytes
package import Ledger
package import Records

/// A directory command on its way to the leader: an id for the answer, the stored record of its
/// administrative event, and the command.
package struct CommandRequest: Equatable, Sendable {
    /// Bytes of a command. A longer one is malformed.
    static let byteLimit = 128 * 1_024

    package let id: UInt64
    /// The stored record, its salt still zero.
    package let record: [UInt8]
    package let command: DirectoryCommand

    package init(id: UInt64, record: [UInt8], command: DirectoryCommand) {
        self.id = id
        self.record = record
        self.command = command
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        guard payload.count <= Self.byteLimit else { throw ByteDefect(offset: payload.lowerBound) }
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        let place = try cursor.counted(bytes)
        let record = bytes.copy(place)
        guard let view = try? RecordView(decoding: record.span, at: 0, end: record.count),
            view.resource == .administration, view.range.upperBound == record.count
        else { throw ByteDefect(offset: place.lowerBound) }
        self.record = record
        command = try DirectoryCommand(&cursor, bytes)
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        payload.append(counted: record)
        command.append(to: &payload)
    }
}

/// What became of a directory command.
package struct CommandReply: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        case done(CommandAnswer)
        /// No such token, or it is not one that can be changed so.
        case unknownToken
        /// Its author's token is not an administrator's, or is revoked.
        case refused
        /// Nothing was appended: this node does not lead.
        case none
        /// This node proposed it and does not know what became of it.
        case unknown
    }

    package let id: UInt64
    package let outcome: Outcome

    package init(id: UInt64, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        let code = try cursor.integer(bytes, as: UInt8.self)
        let token = TokenID(try cursor.integer(bytes))
        switch code {
        case 0: outcome = .done(.created(token))
        case 1: outcome = .done(.revoked(token))
        case 2: outcome = .unknownToken
        case 3: outcome = .refused
        case 4: outcome = .none
        case 5: outcome = .unknown
        default: throw ByteDefect(offset: cursor.offset)
        }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        let (code, token): (UInt8, TokenID) =
            switch outcome {
            case .done(.created(let token)): (0, token)
            case .done(.revoked(let token)): (1, token)
            case .unknownToken: (2, TokenID(0))
            case .refused: (3, TokenID(0))
            case .none: (4, TokenID(0))
            case .unknown: (5, TokenID(0))
            }
        payload.append(code)
        payload.append(littleEndian: token.value)
    }
}
