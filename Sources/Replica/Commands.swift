import Bytes
import Consensus
import Ledger
package import PeerWire
import Records
import SegmentLog

// Directory commands: one in flight at a time, decided on applied state.

/// Commands that wait their turn, and the one that is in the log.
struct PendingCommands {
    /// Commands that wait. One more is refused, and its sender asks again.
    static let waitingLimit = 256

    struct Waiting {
        let client: ClientID
        let request: CommandRequest
    }

    struct InFlight {
        let client: ClientID
        let request: CommandRequest
        let index: LogIndex
    }

    var waiting: [Waiting] = []
    var inFlight: InFlight?

    /// Whether the end of `id` is proposed; it counts at once. `user`: of a session.
    func isRevoking(_ id: TokenID, of user: UserID?) -> Bool {
        switch inFlight?.request.command.change {
        case .revokeToken(let revoked): revoked == id
        case .directory(.deleteSession(let session)): session == id
        case .directory(.deleteUser(let deleted)): deleted == user
        case .directory(.updateUser(let change)): change.id == user && change.password != nil
        default: false
        }
    }

    /// Whether an erasure of the unique_id in `range` is proposed; it is closed at once.
    func isErasing(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard let inFlight, case .erase(let id, _) = inFlight.request.command.change else {
            return false
        }
        return bytes.equals(id.span, in: range)
    }
}

extension Replica {
    /// A directory command from a gateway.
    package mutating func command(
        _ request: CommandRequest, from client: ClientID, into outcome: inout ReplicaOutcome
    ) {
        guard serves, commands.waiting.count < PendingCommands.waitingLimit else {
            reply(.none, to: request.id, client, into: &outcome)
            return
        }
        commands.waiting.append(.init(client: client, request: request))
    }

    /// Proposes the next command, when none is in flight.
    mutating func proposeCommand(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        while serves, commands.inFlight == nil, !commands.waiting.isEmpty {
            let next = commands.waiting.removeFirst()
            if let refusal = refusal(of: next.request, wall: wall, into: &outcome) {
                reply(refusal, to: next.request.id, next.client, into: &outcome)
                continue
            }
            closeBatch(now: now, wall: wall, into: &outcome)
            if case .compact(let order) = next.request.command.change, order.sealsFirst {
                seal(now: now, wall: wall, into: &outcome)
            }
            commands.inFlight = .init(
                client: next.client, request: next.request, index: catalogue.lastIndex.next)
            propose(
                entry(for: next.request, previous: catalogue.lastHeader, wall: wall), now: now,
                into: &outcome)
        }
    }

    /// Why the command is not proposed, or its answer when it was proposed before.
    private func refusal(
        of request: CommandRequest, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) -> CommandReply.Outcome? {
        if let known = ledger.answers.answer(to: request.command.request) {
            return .done(known.answer)
        }
        do throws(DirectoryObjection) {
            try ledger.directory.judge(
                request.command.change, author: request.command.author,
                application: request.application, at: wall)
        } catch {
            return error == .permission || error == .credential ? .refused : .objected(error)
        }
        switch request.command.change {
        case .createToken: return nil
        case .revokeToken(let id):
            guard let token = ledger.directory.token(id) else { return .unknownToken }
            return token.id == request.command.author ? .refused : nil
        case .directory(let change):
            switch change {
            case .useSessions, .mail(.reports), .mail(.owe), .mail(.erase), .mail(.heldBack):
                return .refused
            default: return nil
            }
        case .compact: return ledger.retention.run == nil ? nil : .running
        case .addHold(let id, _):
            if ledger.isClosed(id.uniqueID) { return .closed }
            let isKnown = ledger.retention.hold(of: id.uniqueID) != nil
            return isKnown || ledger.retention.holds.count < Retention.holdLimit ? nil : .full
        case .removeHold(let id):
            return ledger.retention.hold(of: id.uniqueID) == nil ? .unknownID : nil
        case .erase(let id, _):
            if let erased = ledger.erased(id) {
                return .done(.erased(UInt64(erased.sequences.count)))
            }
            if ledger.retention.hold(of: id) != nil { return .held }
            let key = ledger.index.key(id.span, 0..<id.count)
            do {
                let newest = try ledger.index.newest(of: key, withOverlay: true)
                return newest == nil ? .unknownID : nil
            } catch {
                outcome.failure = .index(error.reason)
                return .refused
            }
        }
    }

    func entry(
        for request: CommandRequest, previous: EntryHeader?, wall: Timestamp
    ) -> Entry {
        let command = request.command
        var kind = EntryKind.directory
        var body = request.record
        var payload: [UInt8] = []
        switch command.change {
        case .createToken, .revokeToken, .compact, .directory: command.append(to: &payload)
        case .addHold(let id, let reason):
            let named = NamedID(mark: ledger.mark(of: id.uniqueID), uniqueID: id.uniqueID)
            body = Self.record(request.record, about: named.mark)
            DirectoryCommand(
                request: command.request, author: command.author,
                change: .addHold(named, reason: reason)
            ).append(to: &payload)
        case .removeHold(let id):
            let named = NamedID(mark: ledger.mark(of: id.uniqueID), uniqueID: id.uniqueID)
            body = Self.record(request.record, about: named.mark)
            DirectoryCommand(
                request: command.request, author: command.author, change: .removeHold(named)
            ).append(to: &payload)
        case .erase(let id, let reason):
            kind = .erase
            let mark = ledger.mark(of: id)
            body = Self.record(request.record, about: mark)
            ControlPayload.erase(
                Erasure(
                    request: command.request, author: command.author, closedMark: mark,
                    uniqueID: id, reason: reason)
            ).append(to: &payload)
        }
        RecordEncoder.decide(revision: Revision(1), salts: salts, at: 0, in: &body)
        return Entry(
            kind: kind, term: consensus.term, after: previous, recordCount: 1,
            timestamp: timestamp(after: previous, wall: wall), body: body + payload)
    }

    /// The administrative record with the mark of a unique_id as its subject: the record itself
    /// stays when the unique_id is erased.
    private static func record(_ record: [UInt8], about mark: Digest) -> [UInt8] {
        let bytes = record.span
        guard let view = try? RecordView(decoding: bytes, at: 0, end: record.count) else {
            preconditionFailure("a command's record was not checked")
        }
        func text(_ range: Range<Int>) -> String {
            String(decoding: record[range], as: UTF8.self)
        }
        var made: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: text(view.uniqueID), subject: mark.description,
            details: view.notes.map { bytes.copy($0) } ?? [], application: text(view.application),
            writtenBy: text(view.writtenBy), to: &made)
        return made
    }

    /// Answers the command in flight once it is applied.
    mutating func answerCommands(now: Instant, into outcome: inout ReplicaOutcome) {
        guard let inFlight = commands.inFlight, inFlight.index <= ledger.applied else { return }
        commands.inFlight = nil
        guard let known = ledger.answers.answer(to: inFlight.request.command.request) else {
            preconditionFailure("command at \(inFlight.index) is applied without an answer")
        }
        // In front: whoever asks for the status behind the answer sees what was done.
        if clients.contains(inFlight.client) {
            send(status(now: now), to: inFlight.client, into: &outcome)
        }
        reply(.done(known.answer), to: inFlight.request.id, inFlight.client, into: &outcome)
        outcome.wantsTurn = outcome.wantsTurn || !commands.waiting.isEmpty
    }

    /// Leadership is lost: what is in flight may still come to be committed.
    mutating func failCommands(into outcome: inout ReplicaOutcome) {
        if let inFlight = commands.inFlight {
            reply(.unknown, to: inFlight.request.id, inFlight.client, into: &outcome)
        }
        for next in commands.waiting {
            reply(.none, to: next.request.id, next.client, into: &outcome)
        }
        commands = PendingCommands()
    }

    private func reply(
        _ result: CommandReply.Outcome, to id: UInt64, _ client: ClientID,
        into outcome: inout ReplicaOutcome
    ) {
        outcome.send(to: .client(client)) { bytes in
            Frame.append(.commandAnswer, to: &bytes) { payload in
                CommandReply(id: id, outcome: result).append(to: &payload)
            }
        }
    }
}
