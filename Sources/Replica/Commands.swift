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

    /// Whether a revocation of `id` is proposed; it counts at once.
    func isRevoking(_ id: TokenID) -> Bool {
        guard let inFlight, case .revokeToken(let revoked) = inFlight.request.command.change else {
            return false
        }
        return revoked == id
    }
}

extension Replica {
    /// Tokens of a cluster, revoked ones included: the directory goes to gateways in one frame.
    static let tokenLimit = 10_000

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
            if let refusal = refusal(of: next.request) {
                reply(refusal, to: next.request.id, next.client, into: &outcome)
                continue
            }
            closeBatch(now: now, wall: wall, into: &outcome)
            commands.inFlight = .init(
                client: next.client, request: next.request, index: catalogue.lastIndex.next)
            propose(entry(for: next.request, wall: wall), now: now, into: &outcome)
        }
    }

    /// Why the command is not proposed, or its answer when it was proposed before.
    private func refusal(of request: CommandRequest) -> CommandReply.Outcome? {
        if let known = ledger.answers.answer(to: request.command.request) {
            return .done(known.answer)
        }
        guard let author = ledger.directory.token(request.command.author),
            author.kind == .administrator, author.revokedAt == nil
        else { return .refused }
        switch request.command.change {
        case .createToken(let row):
            guard ledger.directory.tokens.count < Self.tokenLimit,
                row.permissions.allSatisfy(author.mayGrant)
            else { return .refused }
            return ledger.directory.token(row.id) == nil ? nil : .unknownToken
        case .revokeToken(let id):
            guard let token = ledger.directory.token(id) else { return .unknownToken }
            return token.id == request.command.author ? .refused : nil
        case .compact, .addHold, .removeHold, .erase: return .refused
        }
    }

    private func entry(for request: CommandRequest, wall: Timestamp) -> Entry {
        var body = request.record
        RecordEncoder.decide(revision: Revision(1), salts: salts, at: 0, in: &body)
        request.command.append(to: &body)
        let previous = catalogue.lastHeader
        return Entry(
            kind: .directory, term: consensus.term, after: previous, recordCount: 1,
            timestamp: timestamp(after: previous, wall: wall), body: body)
    }

    /// Answers the command in flight once it is applied.
    mutating func answerCommands(into outcome: inout ReplicaOutcome) {
        guard let inFlight = commands.inFlight, inFlight.index <= ledger.applied else { return }
        commands.inFlight = nil
        guard let known = ledger.answers.answer(to: inFlight.request.command.request) else {
            preconditionFailure("command at \(inFlight.index) is applied without an answer")
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
