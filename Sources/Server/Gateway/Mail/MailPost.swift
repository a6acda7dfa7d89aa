import Crypto
import Gateway
import Ledger
import Linux
import PeerWire
import Records

/// A gateway's mail: what it decides, and who carries that out.
struct MailPost {
    var desk: MailDesk
    var metrics = MailMetrics()
    private let delivery: MailDelivery?
    private let threads: MailThreads?
    private var idle = Array(0..<MailDesk.attemptLimit)
    private let clusterID: Identifier

    init(
        _ delivery: MailDelivery?, clusterID: Identifier,
        report: @escaping @Sendable (MailThreads.Result) -> Void
    ) throws(SystemError) {
        self.delivery = delivery
        self.clusterID = clusterID
        if let delivery {
            threads = try MailThreads(delivery, report: report)
        } else {
            threads = nil
        }
        let name = RandomBytes.make(count: Identifier.encodedSize)
        desk = MailDesk(gateway: Identifier(name.span, at: 0), delivers: delivery != nil)
    }

    func stop() { threads?.stop() }

    /// Begins the attempts that were decided on.
    mutating func perform(_ core: GatewayCore) {
        guard let delivery, let threads, let directory = core.directory else { return }
        for attempt in desk.attempts {
            guard let thread = idle.popLast() else {
                preconditionFailure("more than \(MailDesk.attemptLimit) attempts at once")
            }
            let order = attempt.mail.order
            var user: UserRow?
            if case .welcome(let id) = order.subject { user = directory.user(id) }
            let body = Mandrill.body(
                key: delivery.key, name: Mandrill.name(of: attempt.mail.id, cluster: clusterID),
                recipient: order.recipient, MailText(order, user: user),
                from: directory.mail.rules)
            threads.perform(.init(attempt: attempt, body: body, thread: thread))
        }
        desk.attempts.removeAll()
    }

    mutating func finished(_ result: MailThreads.Result) {
        idle.append(result.thread)
        if result.failure == nil { metrics.delivered += 1 } else { metrics.failed += 1 }
        desk.finished(result.attempt, failure: result.failure)
    }
}

extension GatewayServer {
    /// Does what is due about mail, and gives the answers that waited for it.
    func advanceMail(now: Instant) {
        guard let book = core.directory?.mail else { return }
        mail.desk.advance(book, now: now, wall: Self.wall)
        mail.perform(core)
        cluster.report(mail.desk.reports)
        mail.desk.reports.removeAll()
        let settled = mail.desk.settled
        mail.desk.settled.removeAll()
        for (wait, isLate) in settled {
            if isLate { mail.metrics.late += 1 }
            guard let connection = connection(wait.exchange) else { continue }
            switch wait.answer {
            case .receipt(let receipt):
                deliver(
                    receipt, item: wait.item, connection, isMailLate: isLate, now: now)
            case .command(let outcome):
                guard case .command(var command) = connection.exchange else { continue }
                command.isMailLate = isLate
                respond(
                    core.answer(outcome, command, requestID: connection.requestID),
                    on: connection, now: now)
                drive(connection, now: now)
            }
        }
    }

    /// An attempt is over.
    func note(_ result: MailThreads.Result) {
        mail.finished(result)
        guard let failure = result.failure else { return }
        log.write(
            .warning, "mail was not taken",
            [
                ("mail", "\(result.attempt.mail.id)"),
                ("attempt", "\(result.attempt.mail.attempts + 1)"), ("why", failure),
            ])
    }

    /// Whether the receipt waits, for the event owes mail.
    func awaitsMail(
        _ receipt: Receipt, item: Int, _ connection: ClientConnection, now: Instant
    ) -> Bool {
        guard receipt.verdict == .appended else { return false }
        let owed = MailDesk.owed(for: receipt.sequence, in: core.directory?.mail)
        guard !owed.isEmpty else { return false }
        mail.desk.wait(
            for: owed, .receipt(receipt), exchange: connection.exchangeID, item: item, now: now)
        return true
    }

    /// Whether the answer to a command waits, for it owes mail.
    func awaitsMail(
        _ outcome: CommandReply.Outcome, _ command: CommandAdmission,
        _ connection: ClientConnection, now: Instant
    ) -> Bool {
        guard command.owesMail, case .done(.user(let user)) = outcome else { return false }
        let owed = MailDesk.owed(for: user, in: core.directory?.mail)
        guard !owed.isEmpty else { return false }
        mail.desk.wait(
            for: owed, .command(outcome), exchange: connection.exchangeID, item: 0, now: now)
        return true
    }
}
