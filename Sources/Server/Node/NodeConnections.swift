import Bytes
package import Linux
import PeerWire
import Records
import Replica

/// A connection that somebody opened to this node.
final class AcceptedConnection {
    enum Role {
        case unknown
        case peer(NodeID)
        case client(ClientID)
    }

    let connection: FrameConnection
    var role = Role.unknown

    init(_ connection: FrameConnection) { self.connection = connection }
}

extension NodeServer {
    /// Bytes that wait for one gateway. Beyond it the connection is closed; it asks again.
    static let clientQueueBytes = 256 * 1_024 * 1_024

    /// Takes over the other end of a connection inside this process.
    package func adopt(_ socket: consuming StreamSocket) throws {
        try accept(socket)
    }

    func takeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    func acceptAll(now: Instant) {
        guard let listener else { return }
        while true {
            do {
                guard let socket = try listener.socket.accept() else { return }
                try accept(socket)
            } catch {
                log.write(.warning, "accept failed", [("why", "\(error)")])
                return listener.pause(poller, token: Self.listenToken, now: now)
            }
        }
    }

    private func accept(_ socket: consuming StreamSocket) throws(SystemError) {
        let connection = try FrameConnection(
            socket: socket, token: takeToken(), isConnecting: false, poller: poller)
        accepted[connection.token] = AcceptedConnection(connection)
    }

    /// The client's connection; nil when it is gone, or closed now for taking too little.
    func client(_ id: ClientID, now: Instant) -> FrameConnection? {
        guard let found = accepted[id.value] else { return nil }
        guard found.connection.pendingBytes <= Self.clientQueueBytes else {
            drop(id.value, now: now)
            return nil
        }
        return found.connection
    }

    /// Reads from or writes to the connection that is ready.
    func takeConnection(_ event: Readiness, now: Instant) {
        if let found = accepted[event.token] {
            let connection = found.connection
            if event.isWritable, !connection.flush(poller) {
                return drop(event.token, now: now)
            }
            guard event.isReadable else { return }
            let isOpen = connection.read()
            let isSound = takeFrames(of: found, now: now)
            if !isOpen || !isSound { drop(event.token, now: now) }
        } else if let link = links.first(where: { $0.anyConnection?.token == event.token }) {
            takeLink(link, event, now: now)
        }
    }

    /// Takes the whole frames that were read. False when the connection is to be closed.
    private func takeFrames(of found: AcceptedConnection, now: Instant) -> Bool {
        let connection = found.connection
        do {
            while let (kind, payload) = try connection.frames.next() {
                switch found.role {
                case .unknown:
                    guard kind == .hello, greet(found, payload, now: now) else { return false }
                case .peer(let peer):
                    replica.receive(
                        kind, payload, in: connection.frames.bytes.span, from: peer, now: now,
                        into: &outcome)
                case .client(let id):
                    try takeClientFrame(
                        kind, payload, connection.frames.bytes.span, from: id, now: now)
                }
            }
            connection.frames.compact()
            return true
        } catch {
            log.write(.warning, "closed a connection", [("why", "\(error)")])
            return false
        }
    }

    private func takeClientFrame(
        _ kind: FrameKind, _ payload: Range<Int>, _ bytes: Span<UInt8>, from client: ClientID,
        now: Instant
    ) throws {
        switch kind {
        case .submit:
            try replica.submit(
                payload, in: bytes, from: client, now: now, wall: Self.wall, into: &outcome)
        case .query:
            replica.query(
                try Query(payload, bytes), from: client, now: now, into: &outcome)
        case .command:
            replica.command(try CommandRequest(payload, bytes), from: client, into: &outcome)
        case .clusterCommand:
            replica.cluster(
                try ClusterCommand(payload, bytes), from: client, now: now, wall: Self.wall,
                into: &outcome)
        case .sessionUses: replica.noteUses(try SessionUsesFrame.uses(payload, bytes))
        case .fetch: replica.fetch(try Fetch(payload, bytes), from: client, into: &outcome)
        default: throw FrameDefect.kind(kind.rawValue)
        }
    }

    /// Answers a hello. False when this node does not talk to who said it.
    private func greet(
        _ found: AcceptedConnection, _ payload: Range<Int>, now: Instant
    ) -> Bool {
        let connection = found.connection
        let name = (try? connection.socket.peerName()) ?? "a connection in this process"
        guard let hello = try? Handshake(payload, connection.frames.bytes.span) else {
            log.write(.warning, "refused a connection", [("from", name), ("why", "no handshake")])
            return false
        }
        var objection = handshake.objection(to: hello)
        if objection == nil, hello.role == .node, let node = hello.node,
            !replica.members.contains(where: { $0.id == node })
        {
            objection = "node \(node) is no member"
        }
        if let objection {
            log.write(.warning, "refused a connection", [("from", name), ("why", objection)])
            connection.queue { output in
                Frame.append(.refusal, to: &output) { HandshakeRefusal.append(objection, to: &$0) }
            }
            _ = connection.flush(poller)
            return false
        }
        connection.frames.payloadLimit = Frame.payloadBytes
        connection.queue { output in
            Frame.append(.welcome, to: &output) { handshake.append(to: &$0) }
        }
        send([], on: connection)
        switch hello.role {
        case .node:
            guard let node = hello.node else { return false }
            found.role = .peer(node)
        case .gateway:
            let id = ClientID(connection.token)
            found.role = .client(id)
            replica.clientConnected(id, now: now, into: &outcome)
        }
        return true
    }

    /// Closes the connection with `token`.
    func drop(_ token: UInt64, now: Instant) {
        if let found = accepted.removeValue(forKey: token) {
            found.connection.close(poller)
            if case .client(let id) = found.role { replica.clientGone(id) }
        } else if let link = links.first(where: { $0.anyConnection?.token == token }) {
            link.anyConnection?.close(poller)
            link.backOff(now: now)
        }
    }

    // MARK: Links to peers

    /// When the next link may be tried again.
    func nextLinkAttempt() -> Instant {
        links.reduce(Instant(nanoseconds: .max)) { min($0, $1.nextAttempt) }
    }

    /// Begins to connect to the peers whose time has come.
    func openLinks(now: Instant) {
        for link in links {
            if let overdue = link.overdueToken(now: now) { drop(overdue, now: now) }
            if link.isDue(now: now) { link.connect(token: takeToken(), poller: poller, now: now) }
        }
    }

    private func takeLink(_ link: OutboundLink, _ event: Readiness, now: Instant) {
        switch link.state {
        case .waiting: break
        case .connecting(let connection):
            if !link.greet(connection, handshake, poller) { drop(event.token, now: now) }
        case .greeting(let connection), .open(let connection):
            if event.isWritable, !connection.flush(poller) {
                return drop(event.token, now: now)
            }
            guard event.isReadable else { return }
            let isOpen = connection.read()
            if !takeFrames(of: link, connection, now: now) || !isOpen {
                drop(event.token, now: now)
            }
        }
    }

    private func takeFrames(
        of link: OutboundLink, _ connection: FrameConnection, now: Instant
    ) -> Bool {
        do {
            while let (kind, payload) = try connection.frames.next() {
                switch kind {
                case .welcome:
                    let welcome = try Handshake(payload, connection.frames.bytes.span)
                    if let why = link.objection(to: welcome, handshake) {
                        noteRefusal(link, why)
                        return false
                    }
                    link.opened(connection)
                    log.write(.info, "linked", [("peer", "\(link.peer)")])
                case .refusal:
                    let bytes = connection.frames.bytes
                    noteRefusal(link, HandshakeRefusal.reason(payload, bytes.span))
                    return false
                default: return false
                }
            }
            connection.frames.compact()
            return true
        } catch {
            return false
        }
    }

    private func noteRefusal(_ link: OutboundLink, _ reason: String) {
        guard link.remember(refusal: reason) else { return }
        log.write(.warning, "peer refuses", [("peer", "\(link.peer)"), ("why", reason)])
    }
}
