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

    /// The application for which the author acts, as the record says it.
    package var application: String {
        guard let view = try? RecordView(decoding: record.span, at: 0, end: record.count) else {
            preconditionFailure("a command's record was not checked")
        }
        return String(decoding: record[view.application], as: UTF8.self)
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        payload.append(counted: record)
        command.append(to: &payload)
    }
}

/// What became of a command.
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
        /// No event or hold has this unique_id.
        case unknownID
        /// A run of compactions is under way already.
        case running
        /// The unique_id is under a legal hold.
        case held
        /// The unique_id was erased.
        case closed
        /// There are as many holds as there may be.
        case full
        /// The directory does not take the change.
        case objected(DirectoryObjection)
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
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 0: outcome = .done(try CommandAnswer(&cursor, bytes))
        case 2: outcome = .unknownToken
        case 3: outcome = .refused
        case 4: outcome = .none
        case 5: outcome = .unknown
        case 6: outcome = .unknownID
        case 7: outcome = .running
        case 8: outcome = .held
        case 9: outcome = .closed
        case 10: outcome = .full
        case 11:
            guard let objection = DirectoryObjection(rawValue: try cursor.integer(bytes)) else {
                throw ByteDefect(offset: cursor.offset - 1)
            }
            outcome = .objected(objection)
        default: throw ByteDefect(offset: cursor.offset)
        }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        switch outcome {
        case .done(let answer):
            payload.append(0)
            answer.append(to: &payload)
        case .unknownToken: payload.append(2)
        case .refused: payload.append(3)
        case .none: payload.append(4)
        case .unknown: payload.append(5)
        case .unknownID: payload.append(6)
        case .running: payload.append(7)
        case .held: payload.append(8)
        case .closed: payload.append(9)
        case .full: payload.append(10)
        case .objected(let objection): payload.append(contentsOf: [11, objection.rawValue])
        }
    }
}
