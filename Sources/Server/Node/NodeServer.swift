import Bytes
import Consensus
import Crypto
import Ledger
import Linux
import Maintenance
import PeerWire
import Records
package import Replica
import SegmentLog

/// Why a node does not start or does not go on.
package struct NodeFailure: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// How one node is run.
package struct NodeConfiguration: Sendable {
    package var directory: String
    /// Where it listens; nil for its own address in the log; see `inProcess` for no port at all.
    package var listen: String?
    /// No port is opened; the connections are those that are handed over.
    package var inProcess = false
    package var settings = ReplicaSettings()
    package var security = PeerSecurity.plain

    package init(directory: String) { self.directory = directory }
}

/// A running node: one event loop that owns all sockets and the replica, one log-writer thread, one
/// reader thread. Not Sendable: made and run on one thread.
package final class NodeServer {
    enum Message: Sendable {
        case written(Int)
        case failed(DiskError)
        case maintained(Result<MaintenanceReport, ReadFailure>)
        case read(ReaderThread.Result)
        case stop
    }

    static let listenToken: UInt64 = 0
    static let mailboxToken: UInt64 = 1

    let log: ServerLog
    let poller: Poller
    let inbox: Mailbox<Message>
    let handshake: Handshake
    let security: PeerSecurity
    let listener: Listener?
    let logThread: LogThread
    let reader: ReaderThread
    let maintenance: MaintenanceThread
    var replica: Replica
    var outcome = ReplicaOutcome()
    var links: [OutboundLink] = []
    /// As of when `links` are those of the members.
    var linkedVersion: UInt64?
    var linkedServing = false
    /// Whom this node has refused with what, so that it is said once.
    var refusals: [String] = []
    static let refusalLimit = 64
    /// Connections that others opened, by token.
    var accepted: [UInt64: AcceptedConnection] = [:]
    var nextToken: UInt64 = 16
    var queued: [FrameConnection] = []
    /// Told to stop; until then at most it waits for another node to lead.
    private var stopDeadline: Instant?
    private var wantsReopening = false
    /// To see how much room there is.
    private let disk: DirectoryDisk
    private var diskDeadline = Instant.zero
    private var measuredAt = Instant.zero
    /// Held until the process ends: two processes on one directory are refused.
    private let lock: FileDescriptor

    /// Opens the directory, recovers the log and listens. Throws a NodeFailure that says what to do.
    package init(_ configuration: NodeConfiguration) throws {
        lock = try NodeDirectory.lock(configuration.directory)
        disk = try DirectoryDisk(path: configuration.directory)
        security = configuration.security
        let recovered = try NodeDirectory.recover(
            configuration.directory, settings: configuration.settings.log)
        log = ServerLog(source: "node-\(recovered.identity.nodeID)")
        if let cut = recovered.cut {
            log.write(
                .warning, "cut a torn write, which was never acknowledged",
                [("file", cut.file), ("offset", "\(cut.offset)"), ("found", "\(cut.defect)")])
        }
        if recovered.damagedCopies > 0 {
            log.write(
                .warning, "wrote damaged copies of persist records anew",
                [("copies", "\(recovered.damagedCopies)")])
        }
        let inbox = try Mailbox<Message>()
        self.inbox = inbox
        poller = try Poller()
        handshake = Handshake(
            role: .node, clusterID: recovered.identity.clusterID, node: recovered.identity.nodeID,
            incarnation: recovered.identity.incarnation)
        let index = try NodeDirectory.openIndex(
            configuration.directory, of: recovered.catalogue.archive, log)
        replica = try Replica(
            recovered: recovered,
            source: ArchiveSource(
                disk: try DirectoryDisk(path: configuration.directory)),
            index: DiskArchiveIndex(
                index, disk: try DirectoryDisk(path: configuration.directory)),
            settings: configuration.settings, key: RandomBytes.make(count: KeyStream.keyByteCount),
            seed: RandomBytes.makeSeed(), now: Self.now)
        logThread = try LogThread(
            directory: configuration.directory, settings: configuration.settings.log,
            recovered: recovered
        ) { result in
            switch result {
            case .success(let count): inbox.put(.written(count))
            case .failure(let error): inbox.put(.failed(error))
            }
        }
        maintenance = try MaintenanceThread(
            directory: configuration.directory, manifest: recovered.catalogue.archive,
            index: index
        ) { inbox.put(.maintained($0)) }
        reader = try ReaderThread(directory: configuration.directory) { inbox.put(.read($0)) }
        let own = replica.members.first { $0.id == recovered.identity.nodeID }
        if configuration.inProcess {
            listener = nil
        } else {
            guard let address = configuration.listen ?? own?.address else {
                throw NodeFailure(
                    "node \(recovered.identity.nodeID) is no member as far as its log knows, and "
                        + "no --listen HOST:PORT is given")
            }
            try security.check(address)
            listener = try Listener(address)
            log.write(.info, "listens", [("address", address)])
        }
        try watchAll()
    }

    private func watchAll() throws {
        try poller.register(
            inbox.wakeup.descriptor, token: Self.mailboxToken, interest: .read)
        if let listener {
            try poller.register(
                listener.socket.descriptor, token: Self.listenToken, interest: .read)
        }
    }

    static var now: Instant { Instant(nanoseconds: Clock.monotonicNanoseconds()) }
    static var wall: Timestamp { Timestamp(microseconds: Clock.wallMicroseconds()) }

    /// Something that ends the loop from another thread.
    package var stopper: @Sendable () -> Void {
        let inbox = inbox
        return { inbox.put(.stop) }
    }

    /// How a run ends that did not fail.
    package enum Ending: Equatable, Sendable {
        case stopped
        /// The files are other ones now: make a new server of them.
        case reopen
    }

    /// Runs turns until it is stopped. Throws when the node cannot go on.
    package func run() throws -> Ending {
        var ready: [Readiness] = []
        var messages: [Message] = []
        var wantsTurn = true
        while true {
            let now = Self.now
            let deadline = min(
                replica.nextDeadline(), nextLinkAttempt(), diskDeadline,
                stopDeadline ?? Instant(nanoseconds: .max))
            let timeout = wantsTurn ? 0 : deadline.nanoseconds(since: now)
            try poller.wait(timeoutNanoseconds: timeout, into: &ready)
            let turn = Self.now
            try measureDisk(now: turn)
            for event in ready { take(event, now: turn) }
            messages.removeAll(keepingCapacity: true)
            inbox.take(into: &messages)
            for message in messages { try take(message, now: turn) }
            listener?.resume(poller, token: Self.listenToken, now: turn)
            followMembers(now: turn)
            openLinks(now: turn)
            replica.endTurn(now: turn, wall: Self.wall, into: &outcome)
            wantsTurn = outcome.wantsTurn
            try carryOut(now: turn)
            if let stopDeadline, replica.hasHandedOver || turn >= stopDeadline {
                stopThreads()
                return .stopped
            }
            if wantsReopening {
                stopThreads()
                return .reopen
            }
        }
    }

    /// How much room there is: once a second, and while there is work much more often.
    private func measureDisk(now: Instant) throws {
        guard now.nanoseconds(since: measuredAt) >= 20_000_000 else { return }
        measuredAt = now
        diskDeadline = now.advanced(byNanoseconds: 1_000_000_000)
        replica.measured(
            free: UInt64(try disk.freeByteCount()), total: UInt64(try disk.totalByteCount()),
            now: now, wall: Self.wall, into: &outcome)
    }

    /// A table of the index was damaged and is removed; it is built again when all is opened anew.
    private func reopen(_ reason: String) {
        log.write(.warning, "opens its files anew: an index table is damaged", [("why", reason)])
        wantsReopening = true
    }

    /// Returns when no thread of this server touches a file any more.
    private func stopThreads() {
        logThread.stop()
        maintenance.stop()
        reader.jobs.put(.stop)
    }

    /// A leader hands over before it stops, so that nobody has to wait for an election; at most for
    /// an election timeout, which is how long the others would take without it.
    private func prepareStop(now: Instant) {
        guard stopDeadline == nil else { return }
        let isHandingOver = replica.handOver(now: now, wall: Self.wall, into: &outcome)
        let patience = replica.settings.consensus.electionTimeoutNanoseconds
        stopDeadline = now.advanced(byNanoseconds: isHandingOver ? patience : 0)
    }

    private func take(_ event: Readiness, now: Instant) {
        switch event.token {
        case Self.listenToken: acceptAll(now: now)
        case Self.mailboxToken: break
        default: takeConnection(event, now: now)
        }
    }

    private func take(_ message: Message, now: Instant) throws {
        switch message {
        case .written(let count): replica.written(count, now: now, into: &outcome)
        case .failed(let error):
            throw NodeFailure(
                "\(error.operation) of \(error.file) failed with errno \(error.code); "
                    + "nothing more is acknowledged until the node is started again")
        case .maintained(.success(let report)): replica.maintained(report, into: &outcome)
        case .maintained(.failure(.corrupt(let file, _, .indexTable))): reopen(file)
        case .maintained(.failure(let failure)): throw NodeFailure("the archive: \(failure)")
        case .read(.answer(let destination, let frame)): send(frame, to: destination, now: now)
        case .read(.unsettled(let rows)): replica.settle(rows, into: &outcome)
        case .read(.failed(let failed)): replica.readFailed(failed, now: now, into: &outcome)
        case .stop: prepareStop(now: now)
        }
    }

    /// Hands tasks to the log writer, frames to the sockets and reads to the reader.
    private func carryOut(now: Instant) throws {
        if !outcome.tasks.isEmpty { logThread.perform(outcome.tasks) }
        for frames in outcome.frames { send(frames.bytes, to: frames.destination, now: now) }
        for read in outcome.reads { reader.jobs.put(.rows(read)) }
        for fetch in outcome.fetches { reader.jobs.put(.fetch(fetch)) }
        for task in outcome.maintenance { maintenance.tasks.put(task) }
        for event in outcome.events { write(event) }
        let failure = outcome.failure
        if outcome.wantsReopening { wantsReopening = true }
        outcome.clear()
        flushQueued(now: now)
        if case .index(let reason) = failure { return reopen(reason) }
        if let failure { throw NodeFailure("the node stops: \(failure)") }
    }

    /// Queues frames; what has no connection, or one that takes too little, gets nothing.
    private func send(_ bytes: [UInt8], to destination: Destination, now: Instant) {
        switch destination {
        case .peer(let peer):
            guard let connection = connection(to: peer),
                connection.pendingBytes <= OutboundLink.queueBytes
            else { return }
            send(bytes, on: connection)
        case .client(let id):
            if let connection = client(id, now: now) { send(bytes, on: connection) }
        }
    }

    /// The own link to a member; to a node that this log does not name yet, the connection that it
    /// opened.
    private func connection(to peer: NodeID) -> FrameConnection? {
        if let link = links.first(where: { $0.peer == peer }) { return link.connection }
        for found in accepted.values {
            if case .peer(let other) = found.role, other == peer { return found.connection }
        }
        return nil
    }

    func send(_ bytes: [UInt8], on connection: FrameConnection) {
        connection.queue(bytes)
        guard !connection.isQueued else { return }
        connection.isQueued = true
        queued.append(connection)
    }

    private func flushQueued(now: Instant) {
        let connections = queued
        queued.removeAll(keepingCapacity: true)
        for connection in connections {
            connection.isQueued = false
            if !connection.flush(poller) { drop(connection.token, now: now) }
        }
    }

    private func write(_ event: ReplicaEvent) {
        switch event {
        case .standing(let standing):
            log.write(
                .info, standing.role.rawValue,
                [
                    ("term", "\(standing.term)"),
                    ("leader", standing.leader.map { "\($0)" } ?? "none"),
                ])
        case .serving(let term): log.write(.info, "serves", [("term", "\(term)")])
        case .followerNeedsInstall(let node):
            log.write(.warning, "a node needs segments", [("node", "\(node)")])
        case .needsInstall(let hint):
            log.write(
                .warning, "needs segments",
                [("from", "\(hint.from)"), ("through", "\(hint.base)")])
        case .handsOver(let node): log.write(.info, "hands over", [("to", "\(node)")])
        case .transferAbandoned(let node):
            log.write(.warning, "did not hand over", [("to", "\(node)")])
        case .truncated(let index):
            log.write(.warning, "cut uncommitted entries", [("from", "\(index)")])
        case .archived(let index):
            log.write(.info, "archived a segment", [("through", "\(index)")])
        case .fetched(let file, let byteCount, let takeover):
            var fields = [("file", file), ("bytes", "\(byteCount)")]
            if let takeover {
                fields.append(("takeover", "\(takeover.fetchedBytes)/\(takeover.totalBytes)"))
            }
            log.write(.info, "fetched from peers", fields)
        case .damaged(let file):
            log.write(
                .warning, "a file of the archive is damaged: asks its peers for it",
                [("file", file)])
        case .fetchedWrong(let peer):
            log.write(.warning, "got something else than was asked for", [("peer", "\(peer)")])
        case .compacted(let index, let text):
            log.write(.info, "compacted", [("entry", "\(index)"), ("what", text)])
        case .compactionFailed(let index, let reason):
            log.write(
                .warning, "takes no part in a compaction",
                [("entry", "\(index)"), ("why", reason)])
        case .compactionAbandoned(let index):
            log.write(
                .warning, "no majority made the same files; the compaction is given up",
                [("entry", "\(index)")])
        case .diskLow(true, let free):
            log.write(
                .warning, "short of disk: events are not taken", [("free_bytes", "\(free)")])
        case .diskLow(false, let free):
            log.write(.info, "there is room again", [("free_bytes", "\(free)")])
        case .sealed(let index): log.write(.info, "sealed a segment", [("entry", "\(index)")])
        case .membersChange(let index):
            let rows = replica.memberRows.map { "\($0.id):\($0.role)" }
            log.write(
                .info, "changes the members",
                [("entry", "\(index)"), ("members", rows.joined(separator: " "))])
        case .retired(let peer, let reason):
            log.write(
                .error, "stands for no election: a leader does not take this node for a member",
                [("leader", "\(peer)"), ("why", reason)])
        case .peerRefused(let peer, let reason):
            log.write(.warning, "refused a frame", [("peer", "\(peer)"), ("why", reason)])
        }
    }
}
