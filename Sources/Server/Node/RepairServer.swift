import Crypto
import Linux
import PeerWire
import Records
import Replica
import SegmentLog

/// A node whose log's end is damaged, before it is a member again: it asks its peers for what it
/// lacks and answers what they ask, and nothing else. Not Sendable: made and run on one thread.
final class RepairServer {
    private static let listenToken: UInt64 = 0
    private static let mailboxToken: UInt64 = 1

    private let directory: String
    private let log: ServerLog
    private let poller: Poller
    private let inbox: Mailbox<Bool>
    private let handshake: Handshake
    private let listener: Listener
    private let security: PeerSecurity
    private let members: [Membership.Row]
    private var repair: TailRepair<DirectoryDisk>
    private var outcome = RepairOutcome()
    private var links: [OutboundLink] = []
    /// Connections that others opened, and who they are once they have said so.
    private var accepted: [UInt64: AcceptedConnection] = [:]
    private var nextToken: UInt64 = 16
    private let lock: FileDescriptor

    /// Reads what is left of the log, and listens. Throws a NodeFailure when nobody can help.
    init(_ configuration: NodeConfiguration) throws {
        directory = configuration.directory
        security = configuration.security
        lock = try NodeDirectory.lock(directory)
        let disk = try DirectoryDisk(path: directory)
        guard let remains = try TailRemains(disk: disk) else {
            throw NodeFailure("\(directory) was damaged and is not any more: start it again")
        }
        let identity = remains.recovered.identity
        log = ServerLog(source: "node-\(identity.nodeID)")
        members = try Replica.members(of: remains.recovered, ArchiveSource(disk: disk))
        let own = members.first { $0.id == identity.nodeID }
        guard members.count > 1, !configuration.inProcess,
            let address = configuration.listen ?? own?.address
        else { throw NodeDirectory.failure(remains.tail, in: directory) }
        inbox = try Mailbox<Bool>()
        poller = try Poller()
        handshake = Handshake(
            role: .node, clusterID: identity.clusterID, node: identity.nodeID,
            incarnation: identity.incarnation)
        repair = TailRepair(
            remains: remains, disk: disk,
            voters: members.filter { $0.role == .voter }.map(\.id), seed: RandomBytes.makeSeed())
        try security.check(address)
        listener = try Listener(address)
        links = members.filter { $0.id != identity.nodeID }.map {
            OutboundLink(
                peer: $0.id, address: $0.address, security: configuration.security)
        }
        try poller.register(inbox.wakeup.descriptor, token: Self.mailboxToken, interest: .read)
        try poller.register(listener.socket.descriptor, token: Self.listenToken, interest: .read)
        log.write(
            .warning, "the end of the log is damaged: asks its peers for it",
            Self.fields(of: remains.tail))
    }

    private static func fields(of tail: FaultyTail) -> [(String, String)] {
        [
            ("file", tail.file), ("offset", "\(tail.offset)"), ("found", "\(tail.defect)"),
            ("entries", "\(tail.firstIndex)-\(tail.lastPosition.index)"),
        ]
    }

    /// Entries that came from peers.
    var fetchedCount: Int { outcome.fetchedCount }

    /// Something that ends the loop from another thread.
    var stopper: @Sendable () -> Void {
        let inbox = inbox
        return { inbox.put(true) }
    }

    /// Runs turns until the log is whole or it is stopped.
    func run() throws -> NodeServer.Ending {
        var ready: [Readiness] = []
        var messages: [Bool] = []
        while true {
            let deadline = links.reduce(repair.deadline) { min($0, $1.nextAttempt) }
            let timeout = deadline.nanoseconds(since: NodeServer.now)
            try poller.wait(timeoutNanoseconds: timeout, into: &ready)
            let now = NodeServer.now
            for event in ready { take(event, now: now) }
            inbox.take(into: &messages)
            if !messages.isEmpty { return .stopped }
            listener.resume(poller, token: Self.listenToken, now: now)
            openLinks(now: now)
            repair.endTurn(now: now, into: &outcome)
            if try carryOut(now: now) { return .reopen }
        }
    }

    /// True when the log is whole.
    private func carryOut(now: Instant) throws -> Bool {
        for frames in outcome.frames {
            guard case .peer(let peer) = frames.destination,
                let link = links.first(where: { $0.peer == peer }),
                let connection = link.connection,
                connection.pendingBytes <= OutboundLink.queueBytes
            else { continue }
            connection.queue(frames.bytes)
            if !connection.flush(poller) { drop(connection.token, now: now) }
        }
        for event in outcome.events { write(event) }
        if let failure = outcome.failure { throw NodeDirectory.failure(failure, in: directory) }
        defer { outcome.clear() }
        guard outcome.isMended else { return false }
        log.write(
            .info, "the end of the log is whole again",
            [("entries_fetched", "\(outcome.fetchedCount)")])
        return true
    }

    private func write(_ event: RepairEvent) {
        switch event {
        case .lacking(let index, let tail):
            log.write(
                .warning, "no peer gave an entry, and it may have been acknowledged; asks on",
                [("entry", "\(index)")] + Self.fields(of: tail))
        case .discarded(let index):
            log.write(
                .warning, "drops entries that were never committed", [("from", "\(index)")])
        case .fetchedWrong(let peer):
            log.write(.warning, "got something else than was asked for", [("peer", "\(peer)")])
        case .peerRefused(let peer, let reason):
            log.write(.warning, "refused a frame", [("peer", "\(peer)"), ("why", reason)])
        }
    }

    // MARK: Connections

    private func take(_ event: Readiness, now: Instant) {
        switch event.token {
        case Self.mailboxToken: return
        case Self.listenToken: acceptAll(now: now)
        default:
            if let found = accepted[event.token] {
                let connection = found.connection
                let isOpen = !event.isReadable || connection.read(poller)
                let isSound = connection.flush(poller) && takeFrames(of: found, now: now)
                if !isOpen || !isSound { drop(event.token, now: now) }
            } else if let link = links.first(where: { $0.anyConnection?.token == event.token }),
                !link.advance(event, handshake, poller)
            {
                drop(event.token, now: now)
            }
        }
    }

    private func acceptAll(now: Instant) {
        do {
            while let socket = try listener.socket.accept() {
                let connection = try FrameConnection(
                    socket: try security.accepting(socket), token: takeToken(), isConnecting: false,
                    poller: poller)
                accepted[connection.token] = AcceptedConnection(connection)
            }
        } catch {
            log.write(.warning, "accept failed", [("why", "\(error)")])
            listener.pause(poller, token: Self.listenToken, now: now)
        }
    }

    private func takeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    /// False when the connection is to be closed.
    private func takeFrames(of found: AcceptedConnection, now: Instant) -> Bool {
        let connection = found.connection
        do {
            while let (kind, payload) = try connection.frames.next() {
                switch found.role {
                case .peer(let peer):
                    repair.receive(
                        kind, payload, in: connection.frames.bytes.span, from: peer, now: now,
                        into: &outcome)
                case .unknown:
                    guard kind == .hello, greet(found, payload) else { return false }
                case .client: return false
                }
            }
            connection.frames.compact()
            return true
        } catch {
            return false
        }
    }

    private func greet(_ found: AcceptedConnection, _ payload: Range<Int>) -> Bool {
        let connection = found.connection
        guard let hello = try? Handshake(payload, connection.frames.bytes.span) else {
            return false
        }
        var objection = found.objection(to: hello, handshake, security)
        if objection == nil, !members.contains(where: { $0.id == hello.node }) {
            objection = hello.role == .node ? "it is no member" : "this node repairs its log"
        }
        guard objection == nil, let node = hello.node else {
            connection.queue { output in
                Frame.append(.refusal, to: &output) {
                    HandshakeRefusal(.other, objection ?? "a node without an id").append(to: &$0)
                }
            }
            _ = connection.flush(poller)
            return false
        }
        found.role = .peer(node)
        connection.frames.payloadLimit = Frame.payloadBytes
        connection.queue { output in
            Frame.append(.welcome, to: &output) { handshake.append(to: &$0) }
        }
        return connection.flush(poller)
    }

    private func openLinks(now: Instant) {
        for link in links {
            if let overdue = link.overdueToken(now: now) { drop(overdue, now: now) }
            if link.isDue(now: now) { link.connect(token: takeToken(), poller: poller, now: now) }
        }
    }

    private func drop(_ token: UInt64, now: Instant) {
        if let found = accepted.removeValue(forKey: token) {
            found.connection.close(poller)
        } else if let link = links.first(where: { $0.anyConnection?.token == token }) {
            link.anyConnection?.close(poller)
            link.backOff(now: now)
        }
    }
}

extension OutboundLink {
    /// Goes on with an attempt to connect, or writes what waits. False when the connection is over.
    fileprivate func advance(
        _ event: Readiness, _ own: Handshake, _ poller: Poller
    ) -> Bool {
        switch state {
        case .waiting: return true
        case .connecting(let connection): return greet(connection, own, poller)
        case .greeting(let connection), .open(let connection):
            guard connection.flush(poller) else { return false }
            guard event.isReadable else { return true }
            let isOpen = connection.read(poller)
            do {
                while let (kind, payload) = try connection.frames.next() {
                    guard kind == .welcome else { return false }
                    let welcome = try Handshake(payload, connection.frames.bytes.span)
                    guard objection(to: welcome, on: connection, own) == nil else { return false }
                    opened(connection)
                }
            } catch { return false }
            connection.frames.compact()
            return isOpen
        }
    }
}
