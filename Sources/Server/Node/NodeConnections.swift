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
    /// The other end is in this process.
    let isInside: Bool
    var role = Role.unknown
    /// What a peer said of itself.
    var hello: Handshake?

    init(_ connection: FrameConnection, isInside: Bool = false) {
        self.connection = connection
        self.isInside = isInside
    }

    /// Why who said `hello` is not let in.
    func objection(to hello: Handshake, _ own: Handshake, _ security: PeerSecurity) -> String? {
        if let reason = own.objection(to: hello) { return reason }
        return isInside ? nil : security.objection(connection.socket, to: hello)
    }
}

extension NodeServer {
    /// Bytes that wait for one gateway. Beyond it the connection is closed; it asks again.
    static let clientQueueBytes = 256 * 1_024 * 1_024

    /// Takes over the other end of a connection inside this process.
    package func adopt(_ socket: consuming StreamSocket) throws {
        try take(socket, isInside: true)
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
                try take(try security.accepting(socket), isInside: false)
            } catch {
                log.write(.warning, "accept failed", [("why", "\(error)")])
                return listener.pause(poller, token: Self.listenToken, now: now)
            }
        }
    }

    private func take(_ socket: consuming StreamSocket, isInside: Bool) throws(SystemError) {
        let connection = try FrameConnection(
            socket: socket, token: takeToken(), isConnecting: false, poller: poller)
        accepted[connection.token] = AcceptedConnection(connection, isInside: isInside)
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
            let isOpen = connection.read(poller)
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
                        kind, payload, in: connection.frames.bytes.span, from: peer,
                        disk: found.hello?.incarnation ?? .unknown, now: now, into: &outcome)
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
        case .mailReports: replica.noteMail(try MailReportsFrame.reports(payload, bytes))
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
        let refusal =
            found.objection(to: hello, handshake, security).map { HandshakeRefusal(.other, $0) }
            ?? replica.objection(to: hello)
        if let refusal {
            noteRefused(refusal, from: name)
            say(refusal, on: connection)
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
            found.hello = hello
        case .gateway:
            let id = ClientID(connection.token)
            found.role = .client(id)
            replica.clientConnected(id, now: now, into: &outcome)
        }
        return true
    }

    private func say(_ refusal: HandshakeRefusal, on connection: FrameConnection) {
        connection.queue { output in
            Frame.append(.refusal, to: &output) { refusal.append(to: &$0) }
        }
        _ = connection.flush(poller)
    }

    /// A node that is refused tries again every second: it is said once.
    private func noteRefused(_ refusal: HandshakeRefusal, from name: String) {
        let host = String(name.split(separator: ":").first ?? "")
        let known = host + refusal.reason
        guard !refusals.contains(known) else { return }
        if refusals.count == Self.refusalLimit { refusals.removeFirst() }
        refusals.append(known)
        log.write(
            .warning, "refused a connection", [("from", name), ("why", refusal.reason)])
    }

    // MARK: Members

    /// Opens and closes links as members come and go, and lets go of peers that are none any more.
    func followMembers(now: Instant) {
        let version = replica.membersVersion
        guard version != linkedVersion || replica.serves != linkedServing else { return }
        (linkedVersion, linkedServing) = (version, replica.serves)
        let own = handshake.node
        let members = replica.members.filter { $0.id != own }
        for link in links
        where !members.contains(where: { $0.id == link.peer && $0.address == link.address }) {
            link.anyConnection?.close(poller)
            log.write(.info, "unlinked", [("peer", "\(link.peer)"), ("address", link.address)])
        }
        links.removeAll { link in
            !members.contains { $0.id == link.peer && $0.address == link.address }
        }
        for member in members where !links.contains(where: { $0.peer == member.id }) {
            links.append(OutboundLink(peer: member.id, address: member.address, security: security))
        }
        links.sort { $0.peer < $1.peer }
        for (token, found) in accepted {
            guard let hello = found.hello, let refusal = replica.memberObjection(to: hello) else {
                continue
            }
            say(refusal, on: found.connection)
            drop(token, now: now)
        }
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
            let hello = handshake.claiming(replica.claim)
            if !link.greet(connection, hello, poller) { drop(event.token, now: now) }
        case .greeting(let connection), .open(let connection):
            if event.isWritable, !connection.flush(poller) {
                return drop(event.token, now: now)
            }
            guard event.isReadable else { return }
            let isOpen = connection.read(poller)
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
                    let why =
                        link.objection(to: welcome, on: connection, handshake)
                        ?? replica.memberObjection(to: welcome)?.reason
                    if let why {
                        noteRefusal(link, why)
                        return false
                    }
                    link.opened(connection)
                    link.welcome = welcome
                    replica.greeted(by: welcome)
                    log.write(.info, "linked", [("peer", "\(link.peer)")])
                case .refusal:
                    let bytes = connection.frames.bytes
                    let refusal = HandshakeRefusal(payload, bytes.span)
                    noteRefusal(link, refusal.reason)
                    replica.refused(by: link.peer, refusal, into: &outcome)
                    return false
                default:
                    // The peer does not know this node's address yet, and says here what it has to.
                    guard let welcome = link.welcome else { return false }
                    replica.receive(
                        kind, payload, in: connection.frames.bytes.span, from: link.peer,
                        disk: welcome.incarnation, now: now, into: &outcome)
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
