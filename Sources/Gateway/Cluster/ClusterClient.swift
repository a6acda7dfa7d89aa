import BugZoo
package import Bytes
package import PeerWire
package import Records

// Invariants:
// - batches stand in the order of their ids, and are sent in it, so that what one connection posted
//   in turn reaches the log in turn
// - an item is delivered exactly once: its receipt, or a failure that says whether the outcome is
//   known
// - a batch that may have been appended never fails with the outcome `none`

/// Names one request of one connection; the driver knows which.
package struct ExchangeID: Hashable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }
}

/// What came of a request that went to the cluster.
package enum Delivery: Sendable {
    case receipt(ExchangeID, item: Int, Receipt)
    case notAppended(ExchangeID, item: Int, NotAppended)
    case rows(ExchangeID, RowsHead, rows: [UInt8])
    case noRows(ExchangeID)
    case command(ExchangeID, CommandReply.Outcome)
    /// `wasSo`: it was so before anybody did anything for it.
    case cluster(ExchangeID, ClusterReply.Outcome, wasSo: Bool)
    /// nil: the node did not answer.
    case fetched(ExchangeID, Fetched?)
}

/// Why there is no receipt.
package enum NotAppended: Equatable, Sendable {
    /// Nothing was appended.
    case none
    /// It may have been.
    case unknown
    /// Nothing was appended: the cluster's disks are short of room.
    case full
    /// Nothing was appended: more is under way than the cluster takes.
    case overloaded
}

/// The gateway's side of the cluster: finds the leader, follows changes, sends again what was not
/// answered. Repeating is safe: the leader knows equal content (docs/reference/peer-protocol.md, Submit).
package struct ClusterClient {
    /// What must be sent, and to whom.
    package struct Frames: Sendable {
        package let node: NodeID
        package let bytes: [UInt8]
    }

    package struct Node: Sendable {
        package let id: NodeID
        package var isOpen = false
        package var status: NodeStatus?
        /// It refused what it was sent; its next status says when it takes more.
        var isRefusing = false
    }

    struct Batch {
        let id: UInt64
        var payload: [UInt8]
        var waiters: [(exchange: ExchangeID, item: Int)] = []
        let deadline: Instant
        /// Where it was sent and is not yet answered.
        var node: NodeID?
        var mayBeAppended = false
    }

    struct PendingQuery {
        let exchange: ExchangeID
        var query: Query
        let deadline: Instant
        /// Any node that has what the query is after may answer it; without one the leader does.
        var goesAnywhere = false
        var node: NodeID?

        /// Its answer does not depend on who leads.
        var outlivesLeaders: Bool { query.consistency == .stale || goesAnywhere }
    }

    struct PendingCommand {
        let exchange: ExchangeID
        let request: CommandRequest
        let deadline: Instant
        var node: NodeID?
        var mayBeDone = false
    }

    package private(set) var nodes: [Node]
    package var frames: [Frames] = []
    package var deliveries: [Delivery] = []
    /// Submits that were sent a second time or more, for the metrics.
    package private(set) var resentCount: UInt64 = 0

    let deadlineNanoseconds: UInt64
    private var nextID: UInt64 = 1
    private var batches: [Batch] = []
    private var open: Batch?
    private var queries: [PendingQuery] = []
    private var commands: [PendingCommand] = []
    var requests: [PendingRequest] = []
    var fetches: [PendingFetch] = []
    private var waitingBytes = 0

    package init(nodes: [NodeID], deadlineNanoseconds: UInt64) {
        self.nodes = nodes.sorted().map { Node(id: $0) }
        self.deadlineNanoseconds = deadlineNanoseconds
    }

    /// The node that leads and takes events, as far as is known.
    package var leader: NodeID? {
        var best: Node?
        for node in nodes {
            guard node.isOpen, !node.isRefusing, let status = node.status, status.serves else {
                continue
            }
            if best?.status.map({ $0.term < status.term }) ?? true { best = node }
        }
        return best?.id
    }

    /// Whether more events may wait; if not, requests are `not-ready`.
    package var hasRoom: Bool { waitingBytes < GatewayLimits.waitingBytes }

    package var isIdle: Bool {
        batches.isEmpty && open == nil && queries.isEmpty && commands.isEmpty && requests.isEmpty
            && fetches.isEmpty
    }

    /// The earliest time at which something that waits must be given up.
    package func nextDeadline() -> Instant? {
        [
            batches.first?.deadline, queries.map(\.deadline).min(),
            commands.map(\.deadline).min(), requests.first?.deadline, fetches.first?.deadline,
        ].compactMap { $0 }.min()
    }

    // MARK: Requests

    /// Takes an event: its stored record is at `range` of `drafts`.
    package mutating func append(
        _ drafts: [UInt8], _ range: Range<Int>, expected: Revision?, exchange: ExchangeID,
        item: Int, now: Instant
    ) {
        if let batch = open, batch.payload.count + range.count > GatewayLimits.submitBytes {
            closeBatch()
        }
        if open == nil {
            var batch = Batch(
                id: takeID(), payload: [],
                deadline: now.advanced(byNanoseconds: deadlineNanoseconds))
            Submit.begin(batch: batch.id, in: &batch.payload)
            open = batch
        }
        open?.add(drafts, range, expected: expected, exchange: exchange, item: item)
        waitingBytes += range.count
    }

    /// A read. `anywhere`: one that is to see all below a sequence may go to any node that has
    /// applied that much.
    package mutating func query(
        _ consistency: Query.Consistency, _ subject: Query.Subject, anywhere: Bool = false,
        exchange: ExchangeID, now: Instant
    ) {
        queries.append(
            PendingQuery(
                exchange: exchange,
                query: Query(id: takeID(), consistency: consistency, subject: subject),
                deadline: now.advanced(byNanoseconds: deadlineNanoseconds),
                goesAnywhere: anywhere))
    }

    package mutating func command(
        _ command: DirectoryCommand, record: [UInt8], exchange: ExchangeID, now: Instant
    ) {
        commands.append(
            PendingCommand(
                exchange: exchange,
                request: CommandRequest(id: takeID(), record: record, command: command),
                deadline: now.advanced(byNanoseconds: deadlineNanoseconds)))
    }

    /// Tells the leader of uses of sessions, when there is one; whoever asked looks at the directory
    /// for what became of it.
    package mutating func report(_ uses: [SessionUse]) {
        guard !uses.isEmpty, let leader else { return }
        send(.sessionUses, to: leader) { SessionUses.append(uses, to: &$0) }
    }

    /// Tells the leader about mail, when there is one; as with uses of sessions.
    package mutating func report(_ reports: [MailReport]) {
        guard !reports.isEmpty, let leader else { return }
        send(.mailReports, to: leader) { MailReports.append(reports, to: &$0) }
    }

    /// The client is gone: nobody waits for its reads any more. Events go on.
    package mutating func abandon(_ exchange: ExchangeID) {
        queries.removeAll { $0.exchange == exchange }
    }

    mutating func takeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }

    private mutating func closeBatch() {
        guard let batch = open else { return }
        batches.append(batch)
        open = nil
    }

    // MARK: Nodes

    package mutating func opened(_ id: NodeID) {
        update(id) {
            $0.isOpen = true
            $0.isRefusing = false
        }
    }

    /// The link is lost: what was sent on it may have been done.
    package mutating func lost(_ id: NodeID) {
        update(id) {
            $0.isOpen = false
            $0.status = nil
        }
        recall(from: id)
        failFetches(from: id)
    }

    /// The cluster's members are these. What was sent to others may have been done.
    package mutating func follow(_ members: [NodeID]) {
        for node in nodes where !members.contains(node.id) { lost(node.id) }
        nodes.removeAll { !members.contains($0.id) }
        for id in members where !nodes.contains(where: { $0.id == id }) {
            nodes.append(Node(id: id))
        }
        nodes.sort { $0.id < $1.id }
    }

    package mutating func heard(_ status: NodeStatus) {
        update(status.node) {
            $0.status = status
            $0.isRefusing = false
        }
        guard let leader else { return }
        for node in nodes where node.id != leader { recall(from: node.id) }
    }

    mutating func update(_ id: NodeID, _ change: (inout Node) -> Void) {
        for place in nodes.indices where nodes[place].id == id { change(&nodes[place]) }
    }

    /// Takes back what was sent to a node that does not lead any more, to send it elsewhere.
    private mutating func recall(from id: NodeID) {
        for place in batches.indices where batches[place].node == id {
            batches[place].node = nil
            batches[place].mayBeAppended = true
        }
        for place in queries.indices where queries[place].node == id {
            if !queries[place].outlivesLeaders || !isOpen(id) { queries[place].node = nil }
        }
        for place in commands.indices where commands[place].node == id {
            commands[place].node = nil
            commands[place].mayBeDone = true
        }
        recallRequests(from: id)
    }

    private func isOpen(_ id: NodeID) -> Bool {
        nodes.contains { $0.id == id && $0.isOpen }
    }

    // MARK: Answers

    /// The answer to a submit.
    package mutating func receipts(
        _ payload: Range<Int>, _ bytes: Span<UInt8>, from node: NodeID
    ) throws(ByteDefect) {
        let head = try Receipts.Head(payload, bytes)
        guard let place = batches.firstIndex(where: { $0.id == head.batch }) else { return }
        switch head.outcome {
        case .decided:
            let batch = batches[place]
            guard head.count == batch.waiters.count else {
                throw ByteDefect(offset: payload.lowerBound)
            }
            let delivered = deliveries.count
            do throws(ByteDefect) {
                for (ordinal, waiter) in batch.waiters.enumerated() {
                    deliveries.append(
                        .receipt(
                            waiter.exchange, item: waiter.item, try head.receipt(ordinal, bytes)))
                }
            } catch {
                // The batch is sent again: what was taken from a broken answer would come twice.
                deliveries.removeLast(deliveries.count - delivered)
                throw error
            }
            batches.remove(at: place)
            waitingBytes -= batch.eventBytes
        case .unknown:
            guard batches[place].node == node else { return }
            batches[place].mayBeAppended = true
            batches[place].node = nil
            update(node) { $0.isRefusing = true }
        case .full where !batches[place].mayBeAppended,
            .overloaded where !batches[place].mayBeAppended:
            guard batches[place].node == node else { return }
            let batch = batches.remove(at: place)
            waitingBytes -= batch.eventBytes
            for waiter in batch.waiters {
                let why = head.outcome == .full ? NotAppended.full : .overloaded
                deliveries.append(.notAppended(waiter.exchange, item: waiter.item, why))
            }
        case .none, .full, .overloaded:
            guard batches[place].node == node else { return }
            batches[place].node = nil
            update(node) { $0.isRefusing = true }
        }
    }

    /// The answer to a query.
    package mutating func rows(
        _ payload: Range<Int>, _ bytes: Span<UInt8>, from node: NodeID
    ) throws(ByteDefect) {
        var rows = 0..<0
        let head = try RowsHead(payload, bytes, rows: &rows)
        guard let place = queries.firstIndex(where: { $0.query.id == head.id }) else { return }
        if head.outcome == .elsewhere {
            queries[place].node = nil
            // Of one who does not lead it says only that it is behind what it was taken for.
            guard !queries[place].goesAnywhere else {
                queries[place].goesAnywhere = false
                return
            }
            update(node) { $0.isRefusing = true }
        } else {
            let query = queries.remove(at: place)
            deliveries.append(.rows(query.exchange, head, rows: bytes.copy(rows)))
        }
    }

    /// The answer to a command.
    package mutating func commandAnswer(
        _ payload: Range<Int>, _ bytes: Span<UInt8>, from node: NodeID
    ) throws(ByteDefect) {
        let reply = try CommandReply(payload, bytes)
        guard let place = commands.firstIndex(where: { $0.request.id == reply.id }) else { return }
        switch reply.outcome {
        case .none, .unknown:
            guard commands[place].node == node else { return }
            if reply.outcome == .unknown { commands[place].mayBeDone = true }
            commands[place].node = nil
            update(node) { $0.isRefusing = true }
        case .done, .refused, .unknownToken, .unknownID, .running, .held, .closed, .full, .objected:
            deliveries.append(.command(commands[place].exchange, reply.outcome))
            commands.remove(at: place)
        }
    }

    // MARK: Turns

    /// Sends what waits to whom it is for, and gives up what has waited too long.
    package mutating func endTurn(now: Instant) {
        closeBatch()
        giveUp(now: now)
        let leader = leader
        if let leader { sendToLeader(leader) }
        for place in queries.indices where queries[place].node == nil {
            sendQuery(at: place, leader: leader)
        }
    }

    private mutating func sendQuery(at place: Int, leader: NodeID?) {
        var query = queries[place].query
        var node = leader
        switch query.consistency {
        case .stale: node = anyNode(but: leader)
        case .after(let sequence) where queries[place].goesAnywhere:
            if let other = nodeApplied(below: sequence, but: leader) {
                node = other
            } else {
                // What was acknowledged is in all that a leader reads.
                queries[place].goesAnywhere = false
                query = Query(id: query.id, consistency: .linearizable, subject: query.subject)
                queries[place].query = query
            }
        case .after, .linearizable: break
        }
        guard let node else { return }
        queries[place].node = node
        send(.query, to: node) { query.append(to: &$0) }
    }

    /// A node that does not lead and says that it has applied everything below the sequence.
    private func nodeApplied(below sequence: Sequence, but leader: NodeID?) -> NodeID? {
        nodes.first { node in
            node.isOpen && node.id != leader && !node.isRefusing
                && node.status.map { $0.nextSequence >= sequence } ?? false
        }?.id
    }

    private mutating func sendToLeader(_ leader: NodeID) {
        for place in batches.indices where batches[place].node == nil {
            if batches[place].mayBeAppended { resentCount += 1 }
            batches[place].node = leader
            let (events, oldest) = (batches[place].payload, batches[0].id)
            send(.submit, to: leader) { payload in
                let start = payload.count
                payload.append(contentsOf: events)
                Submit.setOldest(oldest, at: start, in: &payload)
            }
        }
        for place in commands.indices where commands[place].node == nil {
            commands[place].node = leader
            let isAgain = commands[place].mayBeDone && PlantedBug.retryWithNewRequest.isPlanted
            let request = isAgain ? renamed(commands[place].request) : commands[place].request
            send(.command, to: leader) { request.append(to: &$0) }
        }
        sendRequests(to: leader)
    }

    /// The command under another request id: `PlantedBug.retryWithNewRequest`.
    private func renamed(_ request: CommandRequest) -> CommandRequest {
        let old = request.command
        let id = Identifier(high: ~old.request.high, low: old.request.low &+ 1)
        return CommandRequest(
            id: request.id, record: request.record,
            command: DirectoryCommand(request: id, author: old.author, change: old.change))
    }

    /// A node for a stale read: one that does not lead, if there is one.
    private func anyNode(but leader: NodeID?) -> NodeID? {
        nodes.first { $0.isOpen && $0.id != leader && !$0.isRefusing }?.id ?? leader
    }

    mutating func send(
        _ kind: FrameKind, to node: NodeID, _ write: (inout [UInt8]) -> Void
    ) {
        var bytes: [UInt8] = []
        Frame.append(kind, to: &bytes, write)
        frames.append(Frames(node: node, bytes: bytes))
    }

    private mutating func giveUp(now: Instant) {
        while let batch = batches.first, batch.deadline <= now {
            batches.removeFirst()
            waitingBytes -= batch.eventBytes
            let isUnknown =
                (batch.mayBeAppended || batch.node != nil)
                && !PlantedBug.timeoutToldAsFailure.isPlanted
            for waiter in batch.waiters {
                deliveries.append(
                    .notAppended(
                        waiter.exchange, item: waiter.item, isUnknown ? .unknown : .none))
            }
        }
        for query in queries where query.deadline <= now {
            deliveries.append(.noRows(query.exchange))
        }
        queries.removeAll { $0.deadline <= now }
        for command in commands where command.deadline <= now {
            let isUnknown = command.mayBeDone || command.node != nil
            deliveries.append(.command(command.exchange, isUnknown ? .unknown : .none))
        }
        commands.removeAll { $0.deadline <= now }
        giveUpRequests(now: now)
        giveUpFetches(now: now)
    }
}

extension ClusterClient.Batch {
    /// What the batch counts for in the bound of waiting bytes.
    var eventBytes: Int {
        payload.count - Submit.headByteCount - Submit.itemHeaderByteCount * waiters.count
    }

    mutating func add(
        _ drafts: [UInt8], _ range: Range<Int>, expected: Revision?, exchange: ExchangeID,
        item: Int
    ) {
        Submit.appendItem(expected: expected, to: &payload)
        payload.append(drafts.span.extracting(range))
        waiters.append((exchange, item))
    }
}
