import Gateway
import HTTPWire
import Linux
import PeerWire
import Records

// The index of events: one page of the log after the other, until the scan has enough.

extension GatewayServer {
    func beginIndex(_ scan: EventIndexScan, _ connection: ClientConnection, now: Instant) {
        begin(.index(scan), connection)
        // A cursor at the end of its stretch leaves nothing to read.
        goOn(scan, connection, now: now)
    }

    private func goOn(_ scan: EventIndexScan, _ connection: ClientConnection, now: Instant) {
        guard scan.isOver else {
            return cluster.query(
                scan.known.map { .after($0) } ?? .linearizable, .page(scan.nextPage),
                exchange: connection.exchangeID, now: now)
        }
        metrics.indexPages += UInt64(scan.pageCount)
        respond(core.answer(scan, requestID: connection.requestID), on: connection, now: now)
    }

    func continueIndex(
        _ scan: EventIndexScan, _ head: RowsHead, _ rows: [UInt8], _ connection: ClientConnection,
        now: Instant
    ) {
        connection.exchange = .none
        var scan = scan
        if head.outcome != .found {
            let text = String(decoding: rows, as: UTF8.self)
            respond(
                core.refuse(
                    Refusal(.applicationCrash, "What is stored there is damaged: \(text)"),
                    on: .compatible, requestID: connection.requestID),
                on: connection, now: now)
        } else if scan.take(head, rows) {
            connection.exchange = .index(scan)
            goOn(scan, connection, now: now)
            guard scan.isOver else { return }
        } else {
            respond(
                core.refuseCursor(requestID: connection.requestID), on: connection, now: now)
        }
        drive(connection, now: now)
    }

    func failIndex(_ connection: ClientConnection, now: Instant) {
        respond(
            core.refuse(Refusal(.notReady), on: .compatible, requestID: connection.requestID),
            on: connection, now: now)
        drive(connection, now: now)
    }
}
