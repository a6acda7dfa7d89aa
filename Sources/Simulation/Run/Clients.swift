import Bytes
import Gateway
import Ledger
import PeerWire
import Records

// The clients' operations.

extension Simulation {
    /// A client begins its next operation, or asks again.
    func actClient(_ place: Int) {
        guard workload.clients[place].operation == nil else { return }
        if let again = workload.clients[place].again {
            workload.clients[place].again = nil
            return begin(again, client: place)
        }
        guard isSafetyPhase else {
            workload.clients[place].isDone = true
            return
        }
        workload.clients[place].attempts = 0
        begin(drawRequest(), client: place)
    }

    private func drawRequest() -> History.Request {
        if options.retentionPercent > 0, workload.random.chance(options.retentionPercent) {
            return drawRetention()
        }
        switch workload.random.below(100) {
        case 0..<70: return drawAppend()
        case 70..<80: return .event(uniqueID: workload.uniqueID())
        case 80..<94: return drawPage()
        case 94..<98: return .command(createToken())
        default: return revokeToken() ?? drawAppend()
        }
    }

    private func drawAppend() -> History.Request {
        let content = workload.content(
            administrator: administrator, hash: hash, in: &history)
        var expected: Revision?
        if workload.random.chance(15) { expected = Revision(UInt32(workload.random.below(6))) }
        return .append(content: content, expected: expected)
    }

    private func drawPage() -> History.Request {
        let end = checks.commits.seenSequence
        let recent = min(end, 60)
        let from = workload.random.chance(5) ? 0 : end - workload.random.below(recent + 1)
        switch workload.random.below(10) {
        case 0..<7: return .page(from: Sequence(from), .linearizable)
        case 7: return .page(from: Sequence(from), .stale)
        default: return .page(from: Sequence(from), .after(Sequence(end)))
        }
    }

    private func createToken() -> DirectoryCommand {
        let row = TokenRow(
            id: workload.newToken(), kind: .application, application: "planox2", name: "token",
            permissions: ["*"], secretDigest: [UInt8](repeating: 1, count: 32),
            createdAt: Timestamp(microseconds: Self.wallAtStart))
        return DirectoryCommand(
            request: workload.request(), author: administrator, change: .createToken(row))
    }

    private func revokeToken() -> History.Request? {
        guard !workload.tokens.isEmpty else { return nil }
        let place = workload.random.below(workload.tokens.count)
        let token = workload.tokens.remove(at: place)
        return .command(
            DirectoryCommand(
                request: workload.request(), author: administrator, change: .revokeToken(token)))
    }

    /// Asks `request` at a drawn gateway.
    func begin(_ request: History.Request, client: Int?) {
        let gateway = gateways[workload.random.below(gateways.count)]
        let operation = history.invoke(request, gateway: gateway.place, life: gateway.life)
        owners.append(client)
        note("operation \(operation) begins at gateway \(gateway.place)")
        if let client {
            workload.clients[client].operation = operation
            workload.clients[client].attempts += 1
        }
        gateway.waiting.append(operation)
        let exchange = ExchangeID(UInt64(operation))
        switch request {
        case .append(let content, let expected):
            let draft = history.contents[content].draft
            gateway.client.append(
                draft, 0..<draft.count, expected: expected, exchange: exchange, item: 0, now: now)
        case .event(let uniqueID):
            gateway.client.query(
                .linearizable, .event(uniqueID: uniqueID, revision: nil, history: false),
                exchange: exchange, now: now)
        case .page(let from, let consistency):
            gateway.client.query(
                consistency, .page(page(from: from)), exchange: exchange, now: now)
        case .command(let command):
            gateway.client.command(
                command, record: record(of: command), exchange: exchange, now: now)
        case .transfer(let node):
            gateway.client.request(
                .transfer(to: node), author: administrator, exchange: exchange, now: now)
        case .members(let change):
            gateway.client.request(
                .change(change), author: administrator, exchange: exchange, now: now)
        }
        planTurn(gateway, at: later(20_000))
    }

    private func page(from: Sequence) -> PageRequest {
        var filter = EventFilter()
        filter.resources = .all
        return PageRequest(
            from: from, until: nil, filter: filter,
            byteLimit: workload.random.chance(50) ? 1_000 : 8_000,
            waits: workload.random.chance(20))
    }

    private func record(of command: DirectoryCommand) -> [UInt8] {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "tokens/change", subject: "\(command.request)", details: Array("{}".utf8),
            application: "planox2", writtenBy: administrator.description, to: &record)
        return record
    }

    /// An operation has its answer.
    func finish(_ operation: Int, _ answer: History.Answer) {
        guard history.operations[operation].answer == nil else { return }
        history.complete(operation, answer)
        let request = history.operations[operation].request
        note("operation \(operation) ends: \(Self.describe(answer))")
        remember(request, answer)
        if operation == memberOperator.operation { takeMembersAnswer(request, answer) }
        guard let client = owners[operation] else { return }
        workload.clients[client].operation = nil
        if isOpen(answer), workload.clients[client].attempts < 20,
            !isSafetyPhase || workload.random.chance(90)
        {
            workload.clients[client].again = request
        }
        queue.insert(.client(client), at: later(workload.pause() + 1))
    }

    private func isOpen(_ answer: History.Answer) -> Bool {
        switch answer {
        case .notAppended, .command(.none), .command(.unknown): true
        case .receipt, .rows, .noRows, .command, .cluster: false
        }
    }

    private func remember(_ request: History.Request, _ answer: History.Answer) {
        switch answer {
        case .command(.done(.created(let token))): workload.tokens.append(token)
        case .receipt(let receipt) where receipt.verdict == .appended:
            statistics.appendedCount += 1
        default: break
        }
        cover(request, answer)
    }

    static func describe(_ answer: History.Answer) -> String {
        switch answer {
        case .receipt(let receipt):
            "\(receipt.verdict) sequence \(receipt.sequence) revision \(receipt.revision)"
        case .rows(let head, let rows): "\(head.outcome) \(rows.count) rows up to \(head.end)"
        default: "\(answer)"
        }
    }
}
