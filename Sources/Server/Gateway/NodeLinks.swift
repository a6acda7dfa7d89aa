import Bytes
import Gateway
import Ledger
package import Linux
import PeerWire
import Records

// The gateway's links to the nodes.

extension GatewayServer {
    /// Takes over one end of a connection inside this process, to the only node.
    package func adopt(_ socket: consuming StreamSocket) throws {
        links[0].isAdopted = true
        links[0].state = .connecting(
            try FrameConnection(
                socket: socket, token: takeLinkToken(), isConnecting: true, poller: poller))
    }

    private func takeLinkToken() -> UInt64 {
        defer { nextLinkToken += 1 }
        return nextLinkToken
    }

    /// Begins to connect to the nodes whose time has come.
    func openLinks(now: Instant) throws {
        for link in links {
            if let deadline = link.openingDeadline, deadline <= now { drop(link, now: now) }
            guard case .waiting(let until) = link.state, until <= now else { continue }
            guard !link.isAdopted else {
                throw NodeFailure("the node in this process has ended its connection")
            }
            link.connect(token: takeLinkToken(), poller: poller, now: now)
        }
    }

    func takeLink(_ event: Readiness, now: Instant) {
        guard let link = links.first(where: { $0.anyConnection?.token == event.token }) else {
            return
        }
        switch link.state {
        case .waiting: break
        case .connecting(let connection):
            if !link.greet(connection, handshake, poller) { drop(link, now: now) }
        case .greeting(let connection), .open(let connection):
            if event.isWritable, !connection.flush(poller) { return drop(link, now: now) }
            guard event.isReadable else { return }
            let isOpen = connection.read(poller)
            link.heardAt = now
            if !takeFrames(of: link, connection, now: now) || !isOpen { drop(link, now: now) }
        }
    }

    private func takeFrames(
        of link: OutboundLink, _ connection: FrameConnection, now: Instant
    ) -> Bool {
        do {
            while let (kind, payload) = try connection.frames.next() {
                let bytes = connection.frames.bytes
                guard try take(kind, payload, bytes, link, connection, now: now) else {
                    return false
                }
            }
            connection.frames.compact()
            return true
        } catch {
            log.write(
                .warning, "closed a link", [("node", "\(link.peer)"), ("why", "\(error)")])
            return false
        }
    }

    /// False when the link is to be closed.
    private func take(
        _ kind: FrameKind, _ payload: Range<Int>, _ bytes: [UInt8], _ link: OutboundLink,
        _ connection: FrameConnection, now: Instant
    ) throws -> Bool {
        switch kind {
        case .welcome:
            let welcome = try Handshake(payload, bytes.span)
            if let why = link.objection(to: welcome, on: connection, handshake) {
                note(why, link)
                return false
            }
            connection.frames.payloadLimit = Frame.payloadBytes
            link.opened(connection)
            cluster.opened(link.peer)
            log.write(.info, "linked", [("node", "\(link.peer)")])
        case .refusal:
            note(HandshakeRefusal(payload, bytes.span).reason, link)
            return false
        case .status:
            let status = try NodeStatus(payload, bytes.span)
            let leader = cluster.leader
            cluster.heard(status)
            note(status, now: now)
            if cluster.leader != leader { core.reportUsesAgain() }
            if status.serves {
                adoptDirectory(of: link)
                follow(status)
            }
        case .directory:
            var cursor = ByteCursor(payload)
            do throws(ByteDefect) {
                link.directory = try Directory(&cursor, bytes.span)
                try cursor.finish()
            } catch {
                core.isDirectoryUnreadable = true
                throw error
            }
            core.isDirectoryUnreadable = false
            if core.directory != nil { adoptDirectory(of: link) }
        case .directoryChange:
            return follow(try AppliedChange(payload, bytes.span), of: link)
        case .receipts: try cluster.receipts(payload, bytes.span, from: link.peer)
        case .rows: try cluster.rows(payload, bytes.span, from: link.peer)
        case .commandAnswer: try cluster.commandAnswer(payload, bytes.span, from: link.peer)
        case .clusterAnswer: try cluster.clusterAnswer(payload, bytes.span, from: link.peer)
        case .fetched: try cluster.fetched(payload, bytes.span, from: link.peer)
        default: throw FrameDefect.kind(kind.rawValue)
        }
        return true
    }

    /// A leader that takes events had a majority within an election timeout; a follower says how long
    /// ago it heard one.
    private func note(_ status: NodeStatus, now: Instant) {
        if status.serves {
            core.heardAt = now
        } else if status.role == .follower {
            let age = UInt64(status.heardMilliseconds) * 1_000_000
            guard age < now.nanoseconds else { return }
            core.heardAt = max(core.heardAt, Instant(nanoseconds: now.nanoseconds - age))
        }
    }

    /// Takes over what the node told of the directory, unless a newer one is known. The first one
    /// must be a serving leader's: another node may not have applied its log yet.
    private func adoptDirectory(of link: OutboundLink) {
        guard let directory = link.directory else { return }
        link.directory = nil
        if core.directory.map({ $0.version < directory.version }) ?? true {
            core.directory = directory
        }
    }

    /// Keeps links to the members that a leader names, and to no others.
    private func follow(_ status: NodeStatus) {
        let asOf = (term: status.term, entry: status.membersIndex)
        guard asOf > membersAsOf, !links.contains(where: \.isAdopted) else { return }
        let isNew = asOf.entry != membersAsOf.entry
        membersAsOf = asOf
        guard isNew else { return }
        let members = status.members.map { member in
            configuration.addresses.first { $0.id == member.id }
                ?? Member(id: member.id, address: member.address)
        }
        let isGone = { (link: OutboundLink) in
            !members.contains { $0.id == link.peer && $0.address == link.address }
        }
        for link in links where isGone(link) {
            link.anyConnection?.close(poller)
            cluster.lost(link.peer)
            log.write(
                .info, "no member any more",
                [("node", "\(link.peer)"), ("address", link.address)])
        }
        links.removeAll(where: isGone)
        for member in members where !links.contains(where: { $0.peer == member.id }) {
            links.append(
                OutboundLink(
                    peer: member.id, address: member.address, security: configuration.security))
        }
        cluster.follow(members.map(\.id))
    }

    /// Carries out a change that a node has applied, unless another node told of it before. False
    /// when there is a gap: then all of the directory is asked for by a new connection.
    private func follow(_ applied: AppliedChange, of link: OutboundLink) -> Bool {
        guard core.directory != nil else { return Self.follow(applied, in: &link.directory) }
        return Self.follow(applied, in: &core.directory)
    }

    private static func follow(_ applied: AppliedChange, in directory: inout Directory?) -> Bool {
        guard let version = directory?.version else { return false }
        if applied.version <= version { return true }
        guard applied.version == version + 1 else { return false }
        return directory?.apply(applied.change, at: applied.time) ?? false
    }

    private func note(_ reason: String, _ link: OutboundLink) {
        guard link.remember(refusal: reason) else { return }
        log.write(.warning, "node refuses", [("node", "\(link.peer)"), ("why", reason)])
    }

    private func drop(_ link: OutboundLink, now: Instant) {
        link.anyConnection?.close(poller)
        if link.connection != nil {
            log.write(.warning, "lost a node", [("node", "\(link.peer)")])
        }
        link.backOff(now: now)
        cluster.lost(link.peer)
    }

    /// Drops links on which a node has said nothing for too long: nodes say how they are every
    /// 100 ms at least, so the other end is gone and nobody told.
    ///
    /// Silence does not count while this loop itself stood still.
    func dropSilentLinks(now: Instant) {
        defer { lastSilenceCheck = now }
        if now.nanoseconds(since: lastSilenceCheck) > Self.silenceNanoseconds / 2 {
            for link in links { link.heardAt = now }
        }
        for link in links where link.connection != nil {
            guard !link.isAdopted else { continue }
            if now.nanoseconds(since: link.heardAt) > Self.silenceNanoseconds {
                drop(link, now: now)
            }
        }
    }

    /// Sends what the cluster's client wants sent.
    func sendFrames(now: Instant) {
        for frames in cluster.frames {
            guard let link = links.first(where: { $0.peer == frames.node }),
                let connection = link.connection
            else { continue }
            connection.queue(frames.bytes)
        }
        cluster.frames.removeAll(keepingCapacity: true)
        for link in links {
            guard let connection = link.connection, connection.pendingBytes > 0 else { continue }
            if !connection.flush(poller) { drop(link, now: now) }
        }
    }
}
