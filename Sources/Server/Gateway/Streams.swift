import Bytes
import Gateway
import HTTPWire
import Linux
import PeerWire
import Records

// Answers that come in pieces: bulk appends and replays.

extension GatewayServer {
    // MARK: Both

    private func beginStream(
        _ connection: ClientConnection, _ headers: [(StaticString, String)] = [], now: Instant
    ) {
        metrics.answered(status: 200)
        connection.access?.status = 200
        connection.http.beginStream(
            status: 200, contentType: "application/x-ndjson", extraHeaders: headers,
            now: now.nanoseconds)
    }

    private func writeChunk(_ chunk: [UInt8], _ connection: ClientConnection, now: Instant) {
        connection.access?.answerBytes += chunk.count
        connection.http.writeChunk(chunk.span, now: now.nanoseconds)
    }

    private func endStream(_ connection: ClientConnection, now: Instant) {
        connection.http.endStream(now: now.nanoseconds)
        writeAccess(connection, isWhole: true, now: now)
    }

    // MARK: Bulk

    func beginBulk(_ credential: Credential, _ connection: ClientConnection, now: Instant) {
        let http = connection.http
        let isArray = core.isArray(http.head, http.bytes.span)
        do throws(Refusal) {
            let reading = try BulkReading(
                http.bytes.span.copy(http.body), isArray: isArray, credential: credential)
            begin(.bulk(BulkExchange(reading: reading)), connection)
        } catch {
            return respond(
                core.refuse(error, on: .native, requestID: connection.requestID), on: connection,
                now: now)
        }
        continueBulk(connection, now: now)
    }

    /// Writes the lines of the window that is decided, and submits the next window.
    ///
    /// One window a turn, and none while the client does not take what is written: a body of lines
    /// that are all refused must not keep the loop from others.
    func continueBulk(_ connection: ClientConnection, now: Instant) {
        var hasSubmitted = false
        while case .bulk(var bulk) = connection.exchange, bulk.waitingCount == 0 {
            connection.exchange = .none
            if !bulk.hasBegun {
                bulk.hasBegun = true
                beginStream(connection, now: now)
            }
            write(bulk.lines, connection, now: now)
            bulk.lines.removeAll(keepingCapacity: true)
            guard !hasSubmitted, cluster.hasRoom,
                connection.http.pendingOutput < GatewayLimits.replayOutputBytes
            else {
                connection.exchange = .bulk(bulk)
                stalledBulks.append(connection)
                return queue(connection)
            }
            hasSubmitted = true
            let isOver = submitWindow(&bulk, connection, now: now)
            if isOver, bulk.lines.isEmpty {
                endStream(connection, now: now)
                releaseBulk(connection)
                queue(connection)
                return drive(connection, now: now)
            }
            connection.exchange = .bulk(bulk)
            queue(connection)
        }
    }

    /// Goes on with bulk requests that waited for room.
    func resumeBulks(now: Instant) {
        guard !stalledBulks.isEmpty, cluster.hasRoom else { return }
        let stalled = stalledBulks
        stalledBulks.removeAll()
        for connection in stalled where !connection.isClosed {
            if connection.http.pendingOutput < GatewayLimits.replayOutputBytes {
                continueBulk(connection, now: now)
            } else {
                stalledBulks.append(connection)
            }
        }
    }

    private func write(
        _ lines: [BulkExchange.Line], _ connection: ClientConnection, now: Instant
    ) {
        var chunk: [UInt8] = []
        for case .done(let line) in lines { chunk.append(contentsOf: line) }
        writeChunk(chunk, connection, now: now)
    }

    /// Reads and submits events up to a window's bound. True when the body is at its end.
    private func submitWindow(
        _ bulk: inout BulkExchange, _ connection: ClientConnection, now: Instant
    ) -> Bool {
        core.draft.removeAll(keepingCapacity: true)
        while bulk.lines.count < BulkExchange.windowEvents,
            core.draft.count < GatewayLimits.submitBytes
        {
            let start = core.draft.count
            switch core.nextEvent(&bulk.reading) {
            case .end: return true
            case .refused(let refusal):
                metrics.refusedEvents += 1
                var line: [UInt8] = []
                core.appendLine(refusal, to: &line)
                bulk.lines.append(.done(line))
            case .event(let uniqueID, let expected):
                cluster.append(
                    core.draft, start..<core.draft.count, expected: expected,
                    exchange: connection.exchangeID, item: bulk.lines.count, now: now)
                bulk.lines.append(.waiting(uniqueID: uniqueID))
                bulk.waitingCount += 1
            }
        }
        return false
    }

    // MARK: Replay

    func beginReplay(
        _ admission: ReplayAdmission, _ connection: ClientConnection, now: Instant
    ) {
        guard connection.http.head.method != .head else {
            return respond(
                Answer(status: 200, contentType: "application/x-ndjson", body: []),
                on: connection, now: now)
        }
        let replay = ReplayExchange(admission)
        begin(.replay(replay), connection)
        ask(connection, now: now)
    }

    /// Asks for the next page.
    private func ask(_ connection: ClientConnection, now: Instant) {
        guard case .replay(var replay) = connection.exchange, !replay.isAsking else { return }
        replay.isAsking = true
        let isFirst = !replay.hasBegun
        let consistency: Query.Consistency =
            isFirst || replay.stale
            ? .of(stale: replay.stale, after: replay.after) : .after(replay.known)
        cluster.query(
            consistency, .page(replay.page), anywhere: isFirst && replay.after != nil,
            exchange: connection.exchangeID, now: now)
        connection.exchange = .replay(replay)
    }

    func continueReplay(
        _ head: RowsHead, _ rows: [UInt8], _ connection: ClientConnection, now: Instant
    ) {
        guard case .replay(var replay) = connection.exchange else { return }
        replay.isAsking = false
        guard head.outcome == .found else {
            log.write(
                .error, "a replay met damage",
                [("where", String(decoding: rows, as: UTF8.self))])
            connection.exchange = .replay(replay)
            let text = String(decoding: rows, as: UTF8.self)
            return failReplay(
                connection,
                Refusal(.applicationCrash, "What is stored there is damaged: \(text)"), now: now)
        }
        if !replay.hasBegun {
            if let refusal = GatewayCore.refusal(of: replay.after, head) {
                connection.exchange = .replay(replay)
                return failReplay(connection, refusal, now: now)
            }
            replay.hasBegun = true
            beginStream(
                connection, core.staleHeaders(head, isStale: replay.stale), now: now)
            if !replay.follow { replay.page.until = min(replay.page.until ?? head.end, head.end) }
        }
        metrics.replayedBytes += UInt64(rows.count)
        writeChunk(rows, connection, now: now)
        replay.page.from = head.next
        replay.known = max(replay.known, head.end)
        replay.page.waits = replay.follow && head.next >= head.end
        connection.exchange = .replay(replay)
        queue(connection)
        if let until = replay.page.until, head.next >= until {
            connection.exchange = .none
            endStream(connection, now: now)
            drive(connection, now: now)
        } else {
            afterFlush(connection, now: now)
        }
    }

    /// Output was written: a replay that waited for room asks for its next page.
    func afterFlush(_ connection: ClientConnection, now: Instant) {
        guard case .replay = connection.exchange,
            connection.http.pendingOutput < GatewayLimits.replayOutputBytes
        else { return }
        ask(connection, now: now)
    }

    /// Ends the replay: with `refusal` while nothing was answered yet.
    func failReplay(
        _ connection: ClientConnection, _ refusal: Refusal = Refusal(.notReady), now: Instant
    ) {
        guard case .replay(var replay) = connection.exchange else { return }
        replay.isAsking = false
        connection.exchange = .replay(replay)
        if !replay.hasBegun {
            respond(
                core.refuse(refusal, on: .native, requestID: connection.requestID),
                on: connection, now: now)
            drive(connection, now: now)
        } else if replay.follow {
            ask(connection, now: now)
        } else {
            connection.exchange = .none
            connection.http.abortStream(now: now.nanoseconds)
            writeAccess(connection, isWhole: false, now: now)
            queue(connection)
        }
    }
}
