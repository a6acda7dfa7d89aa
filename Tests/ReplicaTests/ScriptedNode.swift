import Bytes
import Consensus
import Crypto
import EventIndex
import Maintenance
import PeerWire
import Records
import Replica
import SegmentLog

@testable import Simulation

/// One real node on a simulated disk; the test is its clock, its log writer and its peers.
struct ScriptedNode {
    static let cluster = Identifier(high: 7, low: 9)
    static let administrator = TokenID(1)
    static let gateway = ClientID(70)

    let disk: SimulatedDisk
    let settings: ReplicaSettings
    var replica: Replica
    var writer: LogWriter<SimulatedDisk>
    var persist: PersistWriter<SimulatedDisk>
    var maintainer: Maintainer<SimulatedDisk>
    var outcome = ReplicaOutcome()
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Handed to the log writer and not yet written.
    var tasks: [LogTask] = []
    var maintenance: [MaintenanceTask] = []
    var reads: [ReadJob] = []
    /// Frames that were sent: to whom, and one frame.
    var sent: [(to: Destination, bytes: [UInt8])] = []
    let hash = SHA256()
    var leaf = Leaf(hash: SHA256())

    /// The first of `members`, as it is founded.
    init(members count: Int, segmentBytes: Int = 64 * 1_024, isJoining: Bool = false) throws {
        let members = (1...count).map { Member(id: NodeID(UInt32($0)), address: "n\($0):1") }
        let token = TokenRow(
            id: Self.administrator, kind: .administrator, application: "t", name: "t",
            permissions: ["*"], secretDigest: [UInt8](repeating: 0, count: 32),
            createdAt: Timestamp(microseconds: 0))
        let genesis = Genesis(
            clusterID: Self.cluster, members: members, administrator: token
        ).entry(createdAt: Timestamp(microseconds: 0))
        let founded = try SimulatedNode(
            place: 0, genesis: genesis, cluster: Self.cluster, isJoining: isJoining)
        var settings = ReplicaSettings()
        settings.log = LogSettings(segmentBytes: segmentBytes)
        try self.init(on: founded.disk, settings: settings)
    }

    init(on disk: SimulatedDisk, settings: ReplicaSettings) throws {
        self.disk = disk
        self.settings = settings
        let recovered = try LogDirectory.recover(
            disk: disk, clusterID: Self.cluster, settings: settings.log)
        let index = try IndexTables.start(
            recovered.catalogue.archive, disk: disk, seed: RevisionKey.Seed(3))
        replica = try Replica(
            recovered: recovered, source: ArchiveSource(disk: disk),
            index: DiskArchiveIndex(index.tables, disk: disk), settings: settings,
            key: [UInt8](repeating: 5, count: 32), seed: 3, now: now)
        writer = LogWriter(disk: disk, settings: settings.log, recovered: recovered)
        persist = PersistWriter(disk: disk, recovered: recovered)
        maintainer = Maintainer(
            disk: disk, manifest: recovered.catalogue.archive, tables: index.tables)
    }

    // MARK: Turns

    mutating func turn() {
        repeat {
            replica.endTurn(
                now: now, wall: Timestamp(microseconds: Int64(now.nanoseconds / 1_000)),
                into: &outcome)
            replica.consensus.checkInvariants()
            tasks += outcome.tasks
            reads += outcome.reads
            maintenance += outcome.maintenance
            for frames in outcome.frames { split(frames) }
            precondition(outcome.failure == nil, "\(String(describing: outcome.failure))")
            let wantsTurn = outcome.wantsTurn
            outcome.clear()
            if !wantsTurn { return }
        } while true
    }

    private mutating func split(_ frames: ReplicaOutcome.Frames) {
        var offset = 0
        while offset < frames.bytes.count {
            let length = Int(frames.bytes.span.littleEndian(UInt32.self, at: offset))
            let end = offset + Frame.headerByteCount + length
            sent.append((frames.destination, Array(frames.bytes[offset..<end])))
            offset = end
        }
    }

    /// The log writer and the maintainer do what they were handed, until there is no more.
    mutating func write() throws {
        while !tasks.isEmpty || !maintenance.isEmpty {
            let work = tasks
            tasks = []
            try writer.perform(work, marking: &persist)
            if !work.isEmpty { replica.written(work.count, now: now, into: &outcome) }
            turn()
            let files = maintenance
            maintenance = []
            for task in files {
                replica.maintained(try maintainer.perform(task), into: &outcome)
            }
            turn()
        }
    }

    mutating func pass(_ milliseconds: UInt64) {
        now = now.advanced(byNanoseconds: milliseconds * 1_000_000)
    }

    // MARK: Peers

    mutating func receive(_ message: Message, from peer: UInt32) {
        var bytes: [UInt8] = []
        ConsensusFrames.append(message, entries: [], to: &bytes)
        let kind = FrameKind(rawValue: bytes[4]) ?? .hello
        replica.receive(
            kind, Frame.headerByteCount..<bytes.count, in: bytes.span, from: NodeID(peer),
            now: now, into: &outcome)
        turn()
    }

    /// Makes this node the leader, with the vote of node 2 where one is needed.
    mutating func lead() throws {
        now = max(now, replica.consensus.nextDeadline())
        turn()
        let term = Term(replica.consensus.term.value)
        if replica.members.count > 1 {
            receive(.preVoteResponse(term: term.next, granted: true), from: 2)
            try write()
            receive(.voteResponse(term: term.next, granted: true), from: 2)
        }
        try write()
    }

    /// Node 2 has everything that the log holds, and has heard the latest read round.
    mutating func acknowledge(readContext: UInt64 = .max >> 1) {
        receive(
            .appendResponse(
                AppendResponse(
                    term: replica.consensus.term,
                    result: .matched(through: replica.catalogue.lastPosition),
                    readContext: readContext)), from: 2)
    }

    /// Another node leads the next term.
    mutating func stepDown() {
        let term = replica.consensus.term.next
        receive(.voteRequest(term: term, last: LogPosition(term: term, index: .zero)), from: 3)
        receive(
            .appendRequest(
                AppendRequest(
                    term: term, previous: LogPosition(term: .zero, index: LogIndex(1)),
                    entries: [], commit: LogIndex(1), readContext: 0)), from: 3)
    }

    // MARK: A gateway

    struct Event {
        var id = "a"
        var note: Int
        var expected: Revision?
        var token = ScriptedNode.administrator
    }

    /// Sends a submit without ending the turn.
    mutating func submit(
        _ batch: UInt64, _ events: [Event], oldest: UInt64? = nil,
        from client: ClientID = ScriptedNode.gateway
    ) throws {
        var payload: [UInt8] = []
        Submit.begin(batch: batch, in: &payload)
        for event in events {
            let content = EventDraft.content(
                uniqueID: Array(event.id.utf8), note: event.note, padding: 10,
                token: event.token, hash: hash)
            Submit.appendItem(expected: event.expected, to: &payload)
            payload += content.draft
        }
        if let oldest { Submit.setOldest(oldest, at: 0, in: &payload) }
        try replica.submit(
            0..<payload.count, in: payload.span, from: client, now: now,
            wall: Timestamp(microseconds: 0), into: &outcome)
    }

    mutating func query(_ id: UInt64, _ subject: Query.Subject) {
        replica.query(
            Query(id: id, consistency: .linearizable, subject: subject), from: Self.gateway,
            now: now, into: &outcome)
    }

    mutating func command(_ id: UInt64, _ change: DirectoryCommand.Change) {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "a", subject: "s", details: Array("{}".utf8), application: "t",
            writtenBy: Self.administrator.description, to: &record)
        let command = DirectoryCommand(
            request: Identifier(high: 1, low: id), author: Self.administrator, change: change)
        replica.command(
            CommandRequest(id: id, record: record, command: command), from: Self.gateway,
            into: &outcome)
    }

    /// Asks for node `target` to lead, without ending the turn.
    mutating func transfer(
        _ id: UInt64, to target: UInt32, author: TokenID = ScriptedNode.administrator
    ) {
        replica.cluster(
            ClusterCommand(id: id, author: author, action: .transfer(to: NodeID(target))),
            from: Self.gateway, now: now, wall: Timestamp(microseconds: 0), into: &outcome)
    }

    /// Asks something about the cluster, as an administrator.
    mutating func ask(_ id: UInt64, _ action: ClusterCommand.Action) {
        replica.cluster(
            ClusterCommand(id: id, author: Self.administrator, action: action),
            from: Self.gateway, now: now, wall: Timestamp(microseconds: 0), into: &outcome)
    }

    mutating func clusterReplies() throws -> [ClusterReply] {
        try take(.clusterAnswer).map { try ClusterReply(0..<$0.count, $0.span) }
    }

    /// Takes the frames of `kind` that were sent to gateways.
    mutating func take(_ kind: FrameKind) -> [[UInt8]] {
        func isWanted(_ frame: (to: Destination, bytes: [UInt8])) -> Bool {
            guard case .client = frame.to else { return false }
            return frame.bytes[4] == kind.rawValue
        }
        defer { sent.removeAll(where: isWanted) }
        return sent.filter(isWanted).map { Array($0.bytes.dropFirst(Frame.headerByteCount)) }
    }

    struct Answer: Equatable {
        let batch: UInt64
        let outcome: Receipts.Outcome
        let receipts: [Receipt]
    }

    mutating func answers() throws -> [Answer] {
        try take(.receipts).map { payload in
            let head = try Receipts.Head(0..<payload.count, payload.span)
            return Answer(
                batch: head.batch, outcome: head.outcome,
                receipts: try (0..<head.count).map { try head.receipt($0, payload.span) })
        }
    }

    /// The reader does what it was handed.
    private mutating func runReads() {
        for job in reads {
            var bytes: [UInt8] = []
            switch job.run(ArchiveSource(disk: disk), leaf: &leaf, into: &bytes) {
            case .answered: sent.append((.client(job.client), bytes))
            case .unsettled(let rows):
                replica.settle(rows, into: &outcome)
                turn()
            case .failed(let failed):
                replica.readFailed(failed, now: now, into: &outcome)
                turn()
            }
        }
        reads = []
    }

    /// The text of the answers to queries.
    mutating func texts() throws -> [(outcome: RowsHead.Outcome, lines: [String])] {
        runReads()
        return try take(.rows).map { payload in
            var range = 0..<0
            let head = try RowsHead(0..<payload.count, payload.span, rows: &range)
            let text = String(decoding: payload[range], as: UTF8.self)
            return (head.outcome, text.split(separator: "\n").map { String($0) })
        }
    }

    mutating func rows() throws -> [(head: RowsHead, rows: [History.Row])] {
        runReads()
        return try take(.rows).map { payload in
            var range = 0..<0
            let head = try RowsHead(0..<payload.count, payload.span, rows: &range)
            return (head, RowReading.rows(of: Array(payload[range])))
        }
    }

    mutating func replies() throws -> [CommandReply] {
        try take(.commandAnswer).map { try CommandReply(0..<$0.count, $0.span) }
    }
}
