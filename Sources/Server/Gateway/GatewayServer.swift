import Crypto
package import Gateway
import HTTPWire
import Ledger
package import Linux
import PeerWire
package import Records

/// How a gateway is run.
package struct GatewayConfiguration: Sendable {
    /// `host:port` of its HTTP.
    package var listen: String
    package var clusterID: Identifier
    package var members: [Member]
    /// Nodes that are reached at another address from here than the log says.
    package var addresses: [Member] = []
    package var settings = GatewaySettings()
    package var times = TimeReading()
    package var version: String
    /// Of its links to the nodes.
    package var security = PeerSecurity.plain
    /// HTTPS; nil for plain HTTP.
    package var web: TLSContext?
    /// How it hands mail over; nil where it leaves that to others.
    package var mail: MailDelivery?
    /// Where each answered request leaves a line; nil for nowhere.
    package var accessLog: AccessLog?

    package init(listen: String, clusterID: Identifier, members: [Member], version: String) {
        self.listen = listen
        self.clusterID = clusterID
        self.members = members
        self.version = version
    }
}

/// A running gateway: one event loop that owns all sockets. Made and run on one thread.
package final class GatewayServer {
    /// What other threads say.
    enum Message: Sendable {
        case hashed(PasswordThreads.Result)
        case mailed(MailThreads.Result)
        case stop
        /// For connections to come; those that are there go on.
        case renew(TLSContext)
    }

    static let listenToken: UInt64 = 0
    static let inboxToken: UInt64 = 1
    static let firstLinkToken: UInt64 = 16
    /// Tokens below it are links': one is used an attempt, so they must outlast the process.
    static let firstClientToken: UInt64 = 1 << 48
    /// Connections at once. At it the longest idle one is closed.
    static let connectionLimit = 16_384
    /// How often deadlines of connections are looked at.
    static let sweepNanoseconds: UInt64 = 250_000_000

    /// A node that is silent for so long is taken for gone.
    static let silenceNanoseconds: UInt64 = 3_000_000_000

    let configuration: GatewayConfiguration
    let log = ServerLog(source: "gateway")
    let poller: Poller
    let listener: Listener
    let handshake: Handshake
    let inbox: Mailbox<Message>
    let passwords: PasswordThreads
    let accessLog: AccessLog?
    /// Passwords that are hashed or wait for it.
    var passwordsAtWork = 0
    /// For connections to come; nil for plain HTTP.
    private var web: TLSContext?
    var mail: MailPost
    var core: GatewayCore
    var cluster: ClusterClient
    var metrics = GatewayMetrics()
    var links: [OutboundLink] = []
    /// The term and entry of the members that `links` are of.
    var membersAsOf = (term: Term.zero, entry: LogIndex.zero)
    var slots: [ClientConnection?] = []
    var freeSlots: [Int] = []
    var slotOfToken: [UInt64: Int] = [:]
    var queued: [ClientConnection] = []
    /// Want bytes that TLS holds already, so that no readiness tells.
    private var unread: [ClientConnection] = []
    var nextLinkToken = GatewayServer.firstLinkToken
    var nextClientToken = GatewayServer.firstClientToken
    var input: [UInt8] = []
    /// Numbers exchanges over all connections, so that no two have one name.
    var lastExchange: UInt32 = 0
    /// Requests that came before the directory was known.
    var early: [ClientConnection] = []
    /// Of the directory that they were judged by last.
    var earlyVersion: UInt64?
    /// Bulk requests that wait until the cluster's client has room.
    var stalledBulks: [ClientConnection] = []
    /// Bytes that connections hold, those with bulk bodies apart.
    var heldBytes = 0
    /// Bytes of bulk bodies over all connections.
    var bulkBytes = 0
    private var nextSweep = Instant.zero
    var lastSilenceCheck = Instant.zero

    /// Listens; the links to the nodes are opened by the first turn.
    package init(_ configuration: GatewayConfiguration) throws {
        self.configuration = configuration
        web = configuration.web
        accessLog = configuration.accessLog
        poller = try Poller()
        listener = try Listener(configuration.listen)
        let inbox = try Mailbox<Message>()
        self.inbox = inbox
        passwords = try PasswordThreads { inbox.put(.hashed($0)) }
        mail = try MailPost(configuration.mail, clusterID: configuration.clusterID) {
            inbox.put(.mailed($0))
        }
        handshake = Handshake(
            role: .gateway, clusterID: configuration.clusterID, node: nil,
            incarnation: Identifier(high: 0, low: 0))
        var settings = configuration.settings
        settings.clusterTag = configuration.clusterID.low
        settings.version = configuration.version
        core = GatewayCore(
            settings: settings, times: configuration.times,
            seed: RandomBytes.makeSeed())
        cluster = ClusterClient(
            nodes: configuration.members.map(\.id),
            deadlineNanoseconds: configuration.settings.requestDeadlineNanoseconds)
        links = configuration.members.map {
            OutboundLink(peer: $0.id, address: $0.address, security: configuration.security)
        }
        input.reserveCapacity(256 * 1_024)
        try poller.register(
            listener.socket.descriptor, token: Self.listenToken, interest: .read)
        try poller.register(
            inbox.wakeup.descriptor, token: Self.inboxToken, interest: .read)
        log.write(.info, "listens", [("address", configuration.listen)])
    }

    package func localPort() throws -> UInt16 { try listener.socket.localPort() }

    /// Something that ends the loop from another thread.
    package var stopper: @Sendable () -> Void {
        let inbox = inbox
        return { inbox.put(.stop) }
    }

    /// Something that gives connections to come another certificate, from another thread.
    package var renewer: @Sendable (TLSContext) -> Void {
        let inbox = inbox
        return { inbox.put(.renew($0)) }
    }

    static var now: Instant { Instant(nanoseconds: Clock.monotonicNanoseconds()) }
    static var wall: Timestamp { Timestamp(microseconds: Clock.wallMicroseconds()) }

    /// Runs turns until it is stopped.
    package func run() throws {
        var ready: [Readiness] = []
        while true {
            try poller.wait(timeoutNanoseconds: timeout(), into: &ready)
            let now = Self.now
            for event in ready {
                switch event.token {
                case Self.listenToken: acceptAll(now: now)
                case Self.inboxToken: if takeMessages(now: now) { return stop(now: now) }
                case ..<Self.firstClientToken: takeLink(event, now: now)
                default: takeClient(event, now: now)
                }
            }
            takeUnread(now: now)
            try openLinks(now: now)
            cluster.report(core.takeUses(now: now))
            cluster.endTurn(now: now)
            resumeEarly(now: now)
            deliverAll(now: now)
            advanceMail(now: now)
            resumeBulks(now: now)
            cluster.report(core.takeUses(now: now))
            cluster.endTurn(now: now)
            sendFrames(now: now)
            flushQueued(now: now)
            if now >= nextSweep { sweep(now: now) }
        }
    }

    private func stop(now: Instant) {
        cluster.report(mail.desk.leave(at: now))
        sendFrames(now: now)
        passwords.stop()
        accessLog?.stop()
        mail.stop()
    }

    private func timeout() -> UInt64 {
        if !unread.isEmpty { return 0 }
        let now = Self.now
        var deadline = nextSweep
        let canResume = stalledBulks.contains {
            $0.http.pendingOutput < GatewayLimits.replayOutputBytes
        }
        if canResume, cluster.hasRoom { return 0 }
        if let waiting = cluster.nextDeadline() { deadline = min(deadline, waiting) }
        if let waiting = mail.desk.deadline { deadline = min(deadline, waiting) }
        for link in links {
            if case .waiting(let until) = link.state { deadline = min(deadline, until) }
        }
        return deadline.nanoseconds(since: now)
    }

    /// True when this server is told to stop.
    private func takeMessages(now: Instant) -> Bool {
        var messages: [Message] = []
        inbox.take(into: &messages)
        for message in messages {
            switch message {
            case .hashed(let result): resume(result, now: now)
            case .mailed(let result): note(result)
            case .renew(let context):
                web = context
                log.write(.info, "has another certificate", [])
            case .stop: return true
            }
        }
        return false
    }

    // MARK: Clients

    private func acceptAll(now: Instant) {
        for _ in 0..<GatewayLimits.acceptsPerTurn {
            do {
                guard let socket = try listener.socket.accept() else { return }
                if let web {
                    try take(try socket.accepting(by: web), now: now)
                } else {
                    try take(socket, now: now)
                }
            } catch {
                log.write(.warning, "accept failed", [("why", "\(error)")])
                return listener.pause(poller, token: Self.listenToken, now: now)
            }
        }
    }

    private func take(_ socket: consuming StreamSocket, now: Instant) throws(SystemError) {
        // When all are owed an answer, this one is closed by being let go of.
        guard metrics.connections < Self.connectionLimit || makeRoom(now: now) else { return }
        let slot = freeSlots.last ?? slots.count
        let token = nextClientToken
        nextClientToken += 1
        let connection = ClientConnection(socket: socket, slot: slot, token: token, now: now)
        try poller.register(connection.socket.descriptor, token: token, interest: .read)
        if freeSlots.popLast() == nil { slots.append(nil) }
        slots[slot] = connection
        slotOfToken[token] = slot
        metrics.connections += 1
        metrics.acceptedConnections += 1
    }

    private func takeUnread(now: Instant) {
        let connections = unread
        unread.removeAll(keepingCapacity: true)
        for connection in connections where !connection.isClosed {
            guard read(connection, now: now) else { continue }
            drive(connection, now: now)
            queue(connection)
        }
    }

    private func takeClient(_ event: Readiness, now: Instant) {
        guard let slot = slotOfToken[event.token], let connection = slots[slot] else { return }
        if event.isReadable {
            guard read(connection, now: now) else { return }
            drive(connection, now: now)
        }
        // Both directions are over: nothing can be delivered any more.
        if event.isHangUp { return close(connection, now: now) }
        queue(connection)
    }

    /// False when the connection is gone.
    private func read(_ connection: ClientConnection, now: Instant) -> Bool {
        while connection.http.wantsBytes {
            input.removeAll(keepingCapacity: true)
            do {
                switch try connection.socket.read(into: &input) {
                case .count(let count):
                    connection.http.receive(input.span, now: now.nanoseconds)
                    if count < StreamSocket.leastReadBytes, !connection.socket.hasPending {
                        return true
                    }
                case .wouldBlock: return true
                case .closed:
                    // Who follows without end and has closed is gone; others may be waiting for
                    // the answer to what they sent.
                    if case .replay(let replay) = connection.exchange, replay.follow {
                        close(connection, now: now)
                        return false
                    }
                    connection.http.receiveEnd()
                    return true
                }
            } catch {
                close(connection, now: now)
                return false
            }
        }
        return true
    }

    func queue(_ connection: ClientConnection) {
        guard !connection.isQueued, !connection.isClosed else { return }
        connection.isQueued = true
        queued.append(connection)
    }

    private func flushQueued(now: Instant) {
        var place = 0
        while place < queued.count {
            let connection = queued[place]
            place += 1
            connection.isQueued = false
            guard !connection.isClosed else { continue }
            let isOpen = (try? connection.flush(poller, now: now)) ?? false
            guard isOpen else {
                close(connection, now: now)
                continue
            }
            countHeld(connection, now: now)
            guard !connection.isClosed else { continue }
            afterFlush(connection, now: now)
            if connection.http.wantsBytes, connection.socket.hasPending {
                unread.append(connection)
            }
        }
        queued.removeAll(keepingCapacity: true)
    }

    func close(_ connection: ClientConnection, now: Instant) {
        guard !connection.isClosed else { return }
        connection.isClosed = true
        writeAccess(connection, isWhole: false, now: now)
        heldBytes -= connection.heldBytes
        connection.heldBytes = 0
        cluster.abandon(connection.exchangeID)
        releaseBulk(connection)
        connection.exchange = .none
        try? poller.remove(connection.socket.descriptor)
        slots[connection.slot] = nil
        freeSlots.append(connection.slot)
        slotOfToken[connection.token] = nil
        metrics.connections -= 1
    }

    private func sweep(now: Instant) {
        nextSweep = now.advanced(byNanoseconds: Self.sweepNanoseconds)
        listener.resume(poller, token: Self.listenToken, now: now)
        dropSilentLinks(now: now)
        for case let connection? in slots {
            guard let deadline = connection.http.deadline(), deadline <= now.nanoseconds else {
                continue
            }
            let requestID = connection.requestID
            let expiry = connection.http.expire(now: now.nanoseconds)
            if expiry == .requestTimeout {
                noteMalformed(connection, requestID, status: 408, now: now)
            }
            if expiry != .none { queue(connection) }
        }
        flushQueued(now: now)
    }
}
