import Crypto
import Gateway
import HTTPWire
import Ledger
import Linux
import PeerWire
import Records

// From a request to its answer: admission, the way through the cluster, the response.

extension GatewayServer {
    /// Handles what the connection has whole, until it needs bytes or an answer.
    func drive(_ connection: ClientConnection, now: Instant) {
        while !connection.isClosed {
            if connection.http.requestID.isEmpty {
                connection.http.requestID = core.nextRequestID()
            }
            let requestID = connection.requestID
            switch connection.http.advance(now: now.nanoseconds) {
            case .needsBytes, .closed: return
            case .head:
                if beginRequest(connection, now: now) { admitBody(connection, now: now) }
            case .bodyTooLarge: handle(connection, isOversized: true, now: now)
            case .request: handle(connection, isOversized: false, now: now)
            case .malformed(let defect):
                metrics.malformedRequests += 1
                noteMalformed(connection, requestID, status: defect.status, now: now)
            }
        }
    }

    /// Lets the body be read, up to the route's limit; a bulk body only within what all of them
    /// may hold together.
    private func admitBody(_ connection: ClientConnection, now: Instant) {
        let (head, bytes) = (connection.http.head, connection.http.bytes)
        let limit = RouteTable.bodyLimit(head.method, path: head.path, in: bytes.span)
        if limit == GatewayLimits.bulkBodyBytes {
            var refusal = core.refusalBeforeBody(head, in: bytes.span, at: moment(now))
            releaseBulk(connection)
            let expected = head.isChunked ? limit : min(head.contentLength ?? 0, limit)
            if refusal == nil, bulkBytes + expected > GatewayLimits.bulkBytesHeld {
                refusal = Refusal(
                    .notReady, "Too many bulk requests are being read. Send it again.")
            }
            if let refusal {
                return respond(
                    core.refuse(refusal, on: .native, requestID: connection.requestID),
                    on: connection, now: now)
            }
            connection.bulkBytes = expected
            bulkBytes += expected
        }
        connection.http.admitBody(limit: limit, now: now.nanoseconds)
    }

    /// The connection's bulk body is done with.
    func releaseBulk(_ connection: ClientConnection) {
        bulkBytes -= connection.bulkBytes
        connection.bulkBytes = 0
    }

    private func handle(_ connection: ClientConnection, isOversized: Bool, now: Instant) {
        connection.access?.requestBytes = connection.http.body.count
        connection.admittedAt = now
        admit(connection, isOversized: isOversized, now: now)
    }

    private func admit(_ connection: ClientConnection, isOversized: Bool, now: Instant) {
        let bytes = connection.http.bytes
        let (admission, route) = core.admit(
            connection.http.head, body: connection.http.body, isOversized: isOversized,
            in: bytes.span, requestID: connection.requestID, from: connection.source,
            at: moment(now),
            entropy: { RandomBytes.make(count: Entropy.byteCount) })
        connection.access?.credential = core.credentialID
        let needsDirectory =
            route.map { $0.needsToken || $0.surface == .compatible } ?? false
        if core.directory == nil, needsDirectory {
            wait(connection, isOversized: isOversized)
        } else if case .awaitUse = admission {
            wait(connection, isOversized: isOversized)
        } else {
            carryOut(admission, connection, now: now)
        }
    }

    private func wait(_ connection: ClientConnection, isOversized: Bool) {
        begin(.directory(isOversized: isOversized), connection)
        early.append(connection)
    }

    private func moment(_ now: Instant) -> Moment { Moment(now: now, wall: Self.wall) }

    /// Goes on with the request whose password was hashed.
    func resume(_ result: PasswordThreads.Result, now: Instant) {
        passwordsAtWork -= 1
        guard let connection = connection(ExchangeID(result.exchange)),
            case .password = connection.exchange
        else { return }
        let admission = core.resume(
            result.work, digest: result.digest, at: moment(now), requestID: connection.requestID)
        carryOut(admission, connection, now: now)
        drive(connection, now: now)
    }

    private func hash(_ work: PasswordWork, _ connection: ClientConnection, now: Instant) {
        guard passwordsAtWork < PasswordThreads.limit else {
            return respond(
                core.refuse(
                    Refusal(.rateLimitExceeded, "Too many passwords are judged at the moment."),
                    on: .compatible, requestID: connection.requestID),
                on: connection, now: now)
        }
        passwordsAtWork += 1
        begin(.password, connection)
        passwords.perform(.init(exchange: connection.exchangeID.value, work: work))
    }

    /// Goes on with the requests that came before the directory was known, or before it showed their
    /// session's use, and gives up those that have waited too long for it.
    func resumeEarly(now: Instant) {
        guard !early.isEmpty else { return }
        let version = core.directory?.version
        let hasNews = version != earlyVersion
        earlyVersion = version
        let waiting = early
        early.removeAll()
        for connection in waiting where !connection.isClosed {
            guard case .directory(let isOversized) = connection.exchange else { continue }
            let waited = now.nanoseconds(since: connection.admittedAt)
            if core.directory != nil, hasNews {
                admit(connection, isOversized: isOversized, now: now)
                drive(connection, now: now)
            } else if core.isDirectoryUnreadable, core.directory == nil {
                admit(connection, isOversized: isOversized, now: now)
                drive(connection, now: now)
            } else if waited >= configuration.settings.requestDeadlineNanoseconds {
                refuseEarly(connection, now: now)
            } else {
                early.append(connection)
            }
        }
    }

    private func refuseEarly(_ connection: ClientConnection, now: Instant) {
        let (head, bytes) = (connection.http.head, connection.http.bytes)
        var surface = Route.Surface.native
        if case .route(let route) = RouteTable.match(
            head.method, path: head.path, in: bytes.span)
        {
            surface = route.surface
        }
        let refusal = Refusal(.notReady, "No node that takes events has been heard yet.")
        respond(
            core.refuse(refusal, on: surface, requestID: connection.requestID), on: connection,
            now: now)
        drive(connection, now: now)
    }

    private func carryOut(_ admission: Admission, _ connection: ClientConnection, now: Instant) {
        switch admission {
        case .answer(let answer): respond(answer, on: connection, now: now)
        case .append(let event): append(event, connection, now: now)
        case .bulk(let credential): beginBulk(credential, connection, now: now)
        case .read(let read):
            begin(.read(read), connection)
            cluster.query(
                .of(stale: read.stale, after: read.after),
                .event(uniqueID: read.uniqueID, revision: read.revision, history: read.history),
                anywhere: read.after != nil, exchange: connection.exchangeID, now: now)
        case .replay(let replay): beginReplay(replay, connection, now: now)
        case .command(let command):
            begin(.command(command), connection)
            cluster.command(
                command.command, record: command.record, exchange: connection.exchangeID, now: now)
        case .index(let scan): beginIndex(scan, connection, now: now)
        case .hash(let work): hash(work, connection, now: now)
        case .awaitUse(let id): preconditionFailure("session \(id) waits")
        case .cluster(let action, let author):
            begin(.cluster, connection)
            cluster.request(action, author: author, exchange: connection.exchangeID, now: now)
        case .fetch(let item, let node):
            begin(.cluster, connection)
            cluster.fetch(item, from: node, exchange: connection.exchangeID, now: now)
        case .clusterStatus: respond(clusterAnswer(), on: connection, now: now)
        case .live: respond(health(200, "live", []), on: connection, now: now)
        case .ready(let verbose): respond(readiness(verbose), on: connection, now: now)
        case .metrics: respond(metricsAnswer(), on: connection, now: now)
        }
    }

    func begin(_ exchange: ClientConnection.Exchange, _ connection: ClientConnection) {
        lastExchange &+= 1
        connection.exchangeNumber = lastExchange
        connection.exchange = exchange
    }

    func respond(_ answer: Answer, on connection: ClientConnection, now: Instant) {
        connection.exchange = .none
        releaseBulk(connection)
        metrics.answered(status: answer.status)
        connection.http.respond(
            status: answer.status, contentType: answer.contentType, extraHeaders: answer.headers,
            body: answer.body.span, now: now.nanoseconds)
        connection.access?.status = answer.status
        connection.access?.answerBytes = answer.body.count
        writeAccess(connection, isWhole: true, now: now)
        queue(connection)
    }

    // MARK: One event

    private func append(_ event: EventAdmission, _ connection: ClientConnection, now: Instant) {
        guard cluster.hasRoom else {
            metrics.refusedEvents += 1
            return respond(
                core.refuse(
                    Refusal(.notReady, "Too many events wait at the moment. Send it again."),
                    on: .compatible, requestID: connection.requestID),
                on: connection, now: now)
        }
        begin(.event(event), connection)
        cluster.append(
            core.draft, 0..<core.draft.count, expected: event.expected,
            exchange: connection.exchangeID, item: 0, now: now)
    }

    // MARK: What the cluster says

    /// Hands every delivery to the connection that waits for it.
    func deliverAll(now: Instant) {
        let deliveries = cluster.deliveries
        cluster.deliveries.removeAll(keepingCapacity: true)
        for delivery in deliveries { deliver(delivery, now: now) }
    }

    func connection(_ exchange: ExchangeID) -> ClientConnection? {
        let slot = Int(UInt32(truncatingIfNeeded: exchange.value))
        guard slot < slots.count, let connection = slots[slot],
            connection.exchangeID == exchange
        else { return nil }
        return connection
    }

    private func deliver(_ delivery: Delivery, now: Instant) {
        switch delivery {
        case .receipt(let exchange, let item, let receipt):
            count(receipt)
            guard let connection = connection(exchange) else { return }
            deliver(receipt, item: item, connection, now: now)
        case .notAppended(let exchange, let item, let why):
            metrics.refusedEvents += 1
            guard let connection = connection(exchange) else { return }
            deliverFailure(item: item, why, connection, now: now)
        case .rows(let exchange, let head, let rows):
            guard let connection = connection(exchange) else { return }
            deliver(head, rows, connection, now: now)
        case .noRows(let exchange):
            guard let connection = connection(exchange) else { return }
            deliverNoRows(connection, now: now)
        case .command(let exchange, let outcome):
            guard let connection = connection(exchange),
                case .command(let command) = connection.exchange
            else { return }
            if awaitsMail(outcome, command, connection, now: now) { return }
            respond(
                core.answer(outcome, command, requestID: connection.requestID), on: connection,
                now: now)
            drive(connection, now: now)
        case .cluster(let exchange, let outcome, let wasSo):
            guard let connection = connection(exchange), case .cluster = connection.exchange else {
                return
            }
            respond(
                core.answer(outcome, wasSo: wasSo, requestID: connection.requestID),
                on: connection, now: now)
            drive(connection, now: now)
        case .fetched(let exchange, let fetched):
            guard let connection = connection(exchange), case .cluster = connection.exchange else {
                return
            }
            respond(
                core.answer(fetched, requestID: connection.requestID), on: connection, now: now)
            drive(connection, now: now)
        }
    }

    private func count(_ receipt: Receipt) {
        switch receipt.verdict {
        case .appended: metrics.appendedEvents += 1
        case .duplicate, .erased: metrics.duplicateEvents += 1
        case .conflict, .tokenRefused: metrics.refusedEvents += 1
        }
    }

    /// `isMailLate`: nil until mail that the event may owe was looked for.
    func deliver(
        _ receipt: Receipt, item: Int, _ connection: ClientConnection,
        isMailLate: Bool? = nil, now: Instant
    ) {
        if isMailLate == nil {
            if case .event = connection.exchange {
                metrics.appended(after: now.nanoseconds(since: connection.admittedAt))
            }
            if awaitsMail(receipt, item: item, connection, now: now) { return }
        }
        switch connection.exchange {
        case .event(var event):
            event.isMailLate = isMailLate ?? false
            respond(
                core.answer(receipt, event, requestID: connection.requestID), on: connection,
                now: now)
            drive(connection, now: now)
        case .bulk(var bulk):
            connection.exchange = .none
            if case .waiting(let uniqueID) = bulk.lines[item] {
                var line: [UInt8] = []
                core.appendLine(
                    receipt, uniqueID: uniqueID, isMailLate: isMailLate ?? false, to: &line)
                bulk.finish(item, line)
            }
            connection.exchange = .bulk(bulk)
            if bulk.waitingCount == 0 { continueBulk(connection, now: now) }
        case .none, .directory, .password, .read, .command, .cluster, .index, .replay:
            log.write(.error, "a receipt for a request that is no append")
        }
    }

    private func deliverFailure(
        item: Int, _ why: NotAppended, _ connection: ClientConnection, now: Instant
    ) {
        let refusal = Refusal(why)
        switch connection.exchange {
        case .event:
            respond(
                core.refuse(refusal, on: .compatible, requestID: connection.requestID),
                on: connection, now: now)
            drive(connection, now: now)
        case .bulk(var bulk):
            connection.exchange = .none
            var line: [UInt8] = []
            core.appendLine(refusal, to: &line)
            bulk.finish(item, line)
            connection.exchange = .bulk(bulk)
            if bulk.waitingCount == 0 { continueBulk(connection, now: now) }
        case .none, .directory, .password, .read, .command, .cluster, .index, .replay:
            log.write(.error, "a failed append for a request that is none")
        }
    }

    private func deliver(
        _ head: RowsHead, _ rows: [UInt8], _ connection: ClientConnection, now: Instant
    ) {
        switch connection.exchange {
        case .read(let read):
            respond(
                core.answer(head, rows: rows, read, requestID: connection.requestID),
                on: connection, now: now)
            drive(connection, now: now)
        case .index(let scan): continueIndex(scan, head, rows, connection, now: now)
        case .replay: continueReplay(head, rows, connection, now: now)
        case .none, .directory, .password, .event, .command, .cluster, .bulk:
            log.write(.error, "rows for a request that is no read")
        }
    }

    private func deliverNoRows(_ connection: ClientConnection, now: Instant) {
        switch connection.exchange {
        case .read(let read):
            respond(
                core.refuse(
                    Refusal(.notReady), on: read.surface, requestID: connection.requestID),
                on: connection, now: now)
            drive(connection, now: now)
        case .index: failIndex(connection, now: now)
        case .replay: failReplay(connection, now: now)
        case .none, .directory, .password, .event, .command, .cluster, .bulk:
            log.write(.error, "a failed read for a request that is none")
        }
    }

    // MARK: Answers of the gateway itself

    private func clusterAnswer() -> Answer {
        var body: [UInt8] = []
        var addresses: [NodeID: String] = [:]
        for link in links { addresses[link.peer] = link.address }
        ClusterStatus.append(
            cluster.nodes, addresses: addresses, clusterID: configuration.clusterID,
            version: configuration.version, mail: core.directory?.mail, to: &body)
        return Answer(status: 200, contentType: "application/json; charset=utf-8", body: body)
    }

    private func readiness(_ verbose: Bool) -> Answer {
        var reasons: [String] = []
        if core.directory == nil { reasons.append("no node has told the directory yet") }
        let silence = Self.now.nanoseconds(since: core.heardAt)
        if core.directory != nil, silence > GatewayCore.silenceNanoseconds {
            reasons.append("no leader was heard for more than 10 seconds")
        }
        if cluster.leader == nil { reasons.append("no node leads and takes events") }
        return health(
            reasons.isEmpty ? 200 : 503, reasons.isEmpty ? "ready" : "not ready",
            verbose || !reasons.isEmpty ? reasons : [])
    }

    private func health(_ status: Int, _ word: String, _ reasons: [String]) -> Answer {
        let text = ([word] + reasons.map { "- " + $0 }).joined(separator: "\n") + "\n"
        let headers: [(StaticString, String)] =
            status == 503 ? [("Retry-After", "\(configuration.settings.retryAfterSeconds)")] : []
        return Answer(
            status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8),
            headers: headers)
    }

    private func metricsAnswer() -> Answer {
        var body: [UInt8] = []
        metrics.append(
            nodes: cluster.nodes, leader: cluster.leader, resent: cluster.resentCount,
            limited: core.rateRefusals, droppedLines: accessLog?.droppedLines ?? 0,
            residentBytes: Process.residentBytes,
            processorNanoseconds: Process.processorNanoseconds, version: configuration.version,
            to: &body)
        mail.metrics.append(
            core.directory?.mail, isDelivering: mail.desk.isDelivering(at: Self.now), to: &body)
        return Answer(
            status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: body)
    }
}

extension Query.Consistency {
    /// Of a read that may be stale, or must hold what is recorded through a sequence.
    static func of(stale: Bool, after: Sequence?) -> Self {
        if stale { return .stale }
        return after.map { .after($0.advanced(by: 1)) } ?? .linearizable
    }
}

extension BulkExchange {
    mutating func finish(_ item: Int, _ line: [UInt8]) {
        lines[item] = .done(line)
        waitingCount -= 1
    }
}
