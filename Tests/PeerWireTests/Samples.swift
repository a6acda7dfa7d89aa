import Bytes
import Consensus
import Ledger
import Records
import Testing

@testable import PeerWire

/// A payload of each kind of frame, and what reads and writes it again.
struct Sample: Sendable {
    let kind: FrameKind
    let name: String
    let payload: [UInt8]
    /// Reads the payload in `range` and writes what it read.
    let again: @Sendable (Range<Int>, [UInt8]) throws(ByteDefect) -> [UInt8]

    static func written(_ write: (inout [UInt8]) -> Void) -> [UInt8] {
        var payload: [UInt8] = []
        write(&payload)
        return payload
    }

    /// The payload of the one frame that `write` appends.
    static func framed(_ write: (inout [UInt8]) -> Void) -> [UInt8] {
        Array(written(write)[Frame.headerByteCount...])
    }

    // MARK: Handshake and status

    static let hello = Handshake(
        role: .node, clusterID: Identifier(high: 1, low: 2), node: NodeID(3),
        incarnation: Identifier(high: 4, low: 5))

    static let status: NodeStatus = {
        var status = NodeStatus(node: NodeID(2))
        status.role = .leader
        status.term = Term(7)
        status.leader = NodeID(2)
        status.serves = true
        (status.commit, status.applied, status.lastIndex) = (LogIndex(9), LogIndex(8), LogIndex(10))
        status.nextSequence = Sequence(11)
        status.heardMilliseconds = 12
        status.logBytes = 13
        status.storage.takeover = Takeover(fetchedBytes: 14, totalBytes: 15)
        status.storage.compaction.run = .init(
            index: LogIndex(5), policy: .latest, outcome: .noMajority,
            startedAt: Timestamp(microseconds: 6), segments: 7, done: 3)
        status.storage.compaction.figures.erased = 2
        status.storage.compaction.total.bytesAfter = 8
        status.storage.compaction.stage = .withheld
        status.storage.compaction.isSettled = false
        status.storage.compaction.holds = 4
        status.members = [
            NodeStatus.Member(id: NodeID(1), address: "a:1", durable: LogIndex(6)),
            NodeStatus.Member(id: NodeID(2), address: "b:2", durable: LogIndex(10)),
        ]
        return status
    }()

    static let query: [Query] = {
        var filter = EventFilter()
        filter.resources = .all
        filter.uniqueID = Array("x".utf8)
        filter.fileName = []
        filter.since = Timestamp(microseconds: -5)
        filter.state = .finished
        filter.search = EventSearch(term: "Naïve", in: [.notes, .uniqueID])
        filter.newestBefore = Sequence(12)
        let page = PageRequest(
            from: Sequence(3), until: Sequence(9), filter: filter, byteLimit: 77, waits: true)
        let open = PageRequest(
            from: .zero, until: nil, filter: EventFilter(), byteLimit: 1, waits: false)
        return [
            Query(id: 1, consistency: .linearizable, subject: .page(page)),
            Query(id: 2, consistency: .after(Sequence(4)), subject: .page(open)),
            Query(
                id: 3, consistency: .stale,
                subject: .event(
                    uniqueID: Array("é".utf8), revision: Revision(2), history: false)),
            Query(
                id: 4, consistency: .linearizable,
                subject: .event(uniqueID: [0x61], revision: nil, history: true)),
        ]
    }()

    static let command: [CommandRequest] = {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "tokens/create", subject: "s", details: Array("{}".utf8), application: "a",
            writtenBy: "w", to: &record)
        let row = TokenRow(
            id: TokenID(7), kind: .application, application: "planox2", name: "n",
            permissions: ["*", "events/*"], secretDigest: [UInt8](repeating: 3, count: 32),
            createdAt: .absent)
        return [.createToken(row), .revokeToken(TokenID(9))].map {
            CommandRequest(
                id: 5, record: record,
                command: DirectoryCommand(
                    request: Identifier(high: 1, low: 2), author: TokenID(1), change: $0))
        }
    }()

    static let outcomes: [CommandReply.Outcome] = [
        .done(.created(TokenID(1))), .done(.revoked(TokenID(2))), .unknownToken, .refused, .none,
        .unknown, .done(.compacting(LogIndex(9))), .done(.held), .done(.released),
        .done(.erased(3)), .unknownID, .running, .held, .closed, .full,
        .done(.user(UserID(4))), .done(.session(TokenID(5))), .done(.changed),
        .objected(.emailTaken),
    ]

    static let reports = [
        CompactionReport(
            compaction: LogIndex(5),
            stage: .made([Digest([UInt8](repeating: 7, count: 32)), .zero])),
        CompactionReport(compaction: LogIndex(6), stage: .made([])),
        CompactionReport(compaction: LogIndex(7), stage: .withheld),
        CompactionReport(compaction: LogIndex(8), stage: .failed),
        CompactionReport(compaction: LogIndex(9), stage: .swapped),
    ]

    // MARK: Consensus

    static let entries: [Entry] = {
        let first = Entry(
            kind: .noOperation, term: Term(2), after: nil, timestamp: Timestamp(microseconds: 1))
        let second = Entry(
            kind: .events, term: Term(3), after: first.header, recordCount: 1,
            timestamp: Timestamp(microseconds: 2), body: [1, 2, 3])
        return [first, second]
    }()

    static let messages: [Message] = {
        let last = LogPosition(term: Term(2), index: LogIndex(3))
        let descriptors = entries.map {
            EntryDescriptor(position: $0.header.position, byteCount: $0.bytes.count)
        }
        func append(_ entries: [EntryDescriptor]) -> Message {
            .appendRequest(
                AppendRequest(
                    term: Term(4), previous: last, entries: entries, commit: LogIndex(2),
                    readContext: 6, window: 7))
        }
        func response(_ result: AppendResponse.Result) -> Message {
            .appendResponse(AppendResponse(term: Term(4), result: result, readContext: 8))
        }
        return [
            .preVoteRequest(term: Term(9), last: last), .voteRequest(term: Term(9), last: last),
            .preVoteResponse(term: Term(9), granted: true),
            .preVoteResponse(term: Term(9), granted: false),
            .voteResponse(term: Term(9), granted: true),
            .voteResponse(term: Term(9), granted: false),
            append([]), append(descriptors),
            .voteRequest(term: Term(9), last: last, byOrder: true), .timeoutNow(term: Term(9)),
            .installHint(term: Term(9), base: last),
            response(.matched(through: last)),
            response(.rejected(previous: LogIndex(7), hint: last, window: 5)),
        ]
    }()

    static func kind(of message: Message) -> FrameKind {
        switch message {
        case .preVoteRequest, .voteRequest: .voteRequest
        case .preVoteResponse, .voteResponse: .voteResponse
        case .appendRequest: .appendRequest
        case .appendResponse: .appendResponse
        case .timeoutNow: .timeoutNow
        case .installHint: .installHint
        }
    }

    static func entries(of message: Message) -> [Entry] {
        if case .appendRequest(let request) = message, !request.entries.isEmpty {
            entries
        } else {
            []
        }
    }

    // MARK: All

    /// Frames whose payloads end where their fields say; every truncation is a defect.
    static let closed: [Sample] = {
        var samples = [
            Sample(kind: .hello, name: "hello", payload: written { hello.append(to: &$0) }) {
                range, bytes throws(ByteDefect) in
                let read = try Handshake(range, bytes.span)
                return written { read.append(to: &$0) }
            },
            Sample(kind: .status, name: "status", payload: written { status.append(to: &$0) }) {
                range, bytes throws(ByteDefect) in
                let read = try NodeStatus(range, bytes.span)
                return written { read.append(to: &$0) }
            },
        ]
        for query in query {
            samples.append(
                Sample(
                    kind: .query, name: "query \(query.id)",
                    payload: written { query.append(to: &$0) }
                ) { range, bytes throws(ByteDefect) in
                    let read = try Query(range, bytes.span)
                    return written { read.append(to: &$0) }
                })
        }
        for command in command {
            samples.append(
                Sample(
                    kind: .command, name: "command",
                    payload: written { command.append(to: &$0) }
                ) { range, bytes throws(ByteDefect) in
                    let read = try CommandRequest(range, bytes.span)
                    return written { read.append(to: &$0) }
                })
        }
        for outcome in outcomes {
            let reply = CommandReply(id: 6, outcome: outcome)
            samples.append(
                Sample(
                    kind: .commandAnswer, name: "\(outcome)",
                    payload: written { reply.append(to: &$0) }
                ) { range, bytes throws(ByteDefect) in
                    let read = try CommandReply(range, bytes.span)
                    return written { read.append(to: &$0) }
                })
        }
        for report in reports {
            samples.append(
                Sample(
                    kind: .compactionReport, name: "\(report)",
                    payload: written { report.append(to: &$0) }
                ) { range, bytes throws(ByteDefect) in
                    let read = try CompactionReport(range, bytes.span)
                    return written { read.append(to: &$0) }
                })
        }
        return samples + cluster + consensus
    }()

    static let clusterReplies: [ClusterReply.Outcome] =
        [
            .leads(NodeID(2), Term(3)), .none, .unknown, .estimate(estimate), .holds(holds),
            .sealed(through: LogIndex(8), next: Sequence(5)), .members(members),
        ]
        + ClusterReply.Reason.allCases.map { .refused($0, detail: "é") }

    static let members = MemberReport(
        index: LogIndex(7), lastIndex: LogIndex(9), members: [voter, learner])

    static let voter: NodeStatus.Member = {
        var member = NodeStatus.Member(id: NodeID(1), address: "a:1", durable: LogIndex(9))
        member.incarnation = Identifier(high: 1, low: 2)
        member.isReachable = true
        return member
    }()

    static let learner: NodeStatus.Member = {
        var member = NodeStatus.Member(id: NodeID(4), address: "é:1", durable: LogIndex(3))
        member.role = .learner
        member.isDistrusted = true
        return member
    }()

    static let estimate: CompactionEstimate = {
        var estimate = CompactionEstimate()
        var figures = CompactionFigures()
        (figures.compacted, figures.erased) = (5, 6)
        (figures.bytesBefore, figures.bytesAfter) = (700, 300)
        estimate.rows = [
            .init(firstIndex: LogIndex(9), generation: 2, kept: 4, figures: figures)
        ]
        estimate.next = 3
        return estimate
    }()

    static let holds = HoldsPage(
        rows: [
            .init(
                uniqueID: Array("é".utf8), reason: "case 7", author: TokenID(8),
                since: Timestamp(microseconds: 9))
        ], hasMore: true)

    static let actions: [ClusterCommand.Action] = [
        .transfer(to: NodeID(3)), .seal,
        .estimate(
            CompactionOrder(policy: .newerThan, keptMicroseconds: 5, sealsFirst: true), from: 6),
        .holds(after: Array("a".utf8)), .members,
        .change(.add(NodeID(4), address: "é:1")), .change(.promote(NodeID(4))),
        .change(.remove(NodeID(4))),
    ]

    static let cluster: [Sample] = {
        let commands = actions.map { action in
            let command = ClusterCommand(id: 1, author: TokenID(2), action: action)
            return Sample(
                kind: .clusterCommand, name: "\(action)",
                payload: written { command.append(to: &$0) }
            ) { range, bytes throws(ByteDefect) in
                let read = try ClusterCommand(range, bytes.span)
                return written { read.append(to: &$0) }
            }
        }
        return commands
            + clusterReplies.map { outcome in
                let reply = ClusterReply(id: 4, outcome: outcome)
                return Sample(
                    kind: .clusterAnswer, name: "\(outcome)",
                    payload: written { reply.append(to: &$0) }
                ) { range, bytes throws(ByteDefect) in
                    let read = try ClusterReply(range, bytes.span)
                    return written { read.append(to: &$0) }
                }
            }
    }()

    static let consensus: [Sample] = messages.map { message in
        let kind = kind(of: message)
        return Sample(
            kind: kind, name: "\(kind)",
            payload: framed {
                ConsensusFrames.append(message, entries: entries(of: message), to: &$0)
            }
        ) { range, bytes throws(ByteDefect) in
            let read = try ConsensusFrames.read(kind, range, bytes.span)
            return framed {
                ConsensusFrames.append(read.message, entries: read.entries, to: &$0)
            }
        }
    }
}
