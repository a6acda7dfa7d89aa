import Gateway
import HTTPWire
import Linux
import Records

// Where requests come from: limits, names, the access log, and what connections may hold together.

extension GatewayServer {
    /// Names the request whose head is there, and judges how often its source asks. False when it
    /// was answered.
    func beginRequest(_ connection: ClientConnection, now: Instant) -> Bool {
        let (head, bytes) = (connection.http.head, connection.http.bytes)
        if let chosen = RequestID.read(head, bytes.span) { connection.http.requestID = chosen }
        connection.http.traceParent = TraceParent.read(head, bytes.span)
        connection.source = RequestSource.of(
            head, in: bytes.span, peer: connection.peer,
            trusted: configuration.settings.trustedProxies)
        if accessLog != nil {
            connection.access = AccessRecord(
                requestID: connection.requestID, time: Self.wall, startedAt: now,
                source: connection.source, head: head, in: bytes.span)
        }
        let refusal = core.refusalOfAddress(
            head, in: bytes.span, from: connection.source, requestID: connection.requestID,
            at: now)
        guard let refusal else { return true }
        respond(refusal, on: connection, now: now)
        return false
    }

    /// The line of what is no request, or was not whole in time.
    func noteMalformed(
        _ connection: ClientConnection, _ requestID: String, status: Int, now: Instant
    ) {
        metrics.answered(status: status)
        guard accessLog != nil else { return }
        if connection.access == nil {
            let bytes: [UInt8] = []
            connection.access = AccessRecord(
                requestID: requestID, time: Self.wall, startedAt: now,
                source: RequestSource(address: connection.peer, isForwarded: false), head: nil,
                in: bytes.span)
        }
        connection.access?.status = status
        writeAccess(connection, isWhole: true, now: now)
    }

    /// Writes the current request's line, if there is a log and it was not written yet.
    func writeAccess(_ connection: ClientConnection, isWhole: Bool, now: Instant) {
        guard let record = connection.access else { return }
        connection.access = nil
        guard let accessLog else { return }
        var line: [UInt8] = []
        record.append(endedAt: now, isWhole: isWhole, to: &line)
        accessLog.write(line)
    }

    /// Counts what the connection holds; when all of them hold too much, the one that holds most is
    /// closed. A client that sends its request and reads its answer holds little, and for a short
    /// time.
    func countHeld(_ connection: ClientConnection, now: Instant) {
        let held = connection.isClosed || connection.bulkBytes > 0 ? 0 : connection.http.heldBytes
        heldBytes += held - connection.heldBytes
        connection.heldBytes = held
        while heldBytes > GatewayLimits.connectionBytesHeld {
            var largest: ClientConnection?
            for case let other? in slots where other.heldBytes > largest?.heldBytes ?? 0 {
                largest = other
            }
            guard let largest else { return }
            metrics.shedConnections += 1
            close(largest, now: now)
        }
    }

    /// Makes room for a connection: the longest idle one is closed, or, when none is idle, the one
    /// that has been at its request for longest. False when all are owed an answer.
    func makeRoom(now: Instant) -> Bool {
        var longest: (connection: ClientConnection, isIdle: Bool, since: UInt64)?
        for case let connection? in slots {
            guard let since = connection.http.awaitsSince else { continue }
            let isIdle = connection.http.isIdle
            guard let known = longest, known.isIdle != isIdle ? known.isIdle : known.since <= since
            else {
                longest = (connection, isIdle, since)
                continue
            }
        }
        guard let longest else { return false }
        metrics.shedConnections += 1
        close(longest.connection, now: now)
        return true
    }
}
