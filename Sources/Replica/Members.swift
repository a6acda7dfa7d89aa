import Bytes
import Consensus
import Ledger
import PeerWire
package import Records
import SegmentLog

// Members that come, vote and go (docs/internals/consensus.md has the core's part). The newest entry
// in the log says who they are, committed or not; this leader proposes the next one when the core has
// no objection, and answers once it is applied.

/// What is known of the members beyond the applied log, and who waits for a change.
struct PendingMembers {
    /// Commands that wait. One more is answered `none`, and its sender asks again.
    static let waitingLimit = 64

    struct Unapplied {
        let index: LogIndex
        let rows: [Membership.Row]
    }

    struct Waiting {
        let client: ClientID
        let id: UInt64
        let change: MemberChange
        /// What the core objects to may pass: until then it is asked again.
        let deadline: Instant
        /// The entry that makes it so; nil until that is proposed.
        var index: LogIndex?
    }

    /// Entries of the log that are not applied, in its order.
    var unapplied: [Unapplied] = []
    /// Rises whenever the members, or what is committed of them, are other ones.
    var version: UInt64 = 0
    /// The disks that peers said they have, where the log does not name any.
    var disks: [(id: NodeID, incarnation: Identifier)] = []
    /// Disks that went back to an earlier state, with what they had acknowledged.
    var distrusted: [Seal.Voter] = []
    var waiting: [Waiting] = []
    /// Why a peer does not take this node for a member; nil when none has said so.
    var refusal: String?
}

extension Replica {
    /// The members of the newest entry in the log, committed or not.
    package var memberRows: [Membership.Row] {
        pendingMembers.unapplied.last?.rows ?? ledger.membership.rows
    }

    /// Rises whenever `memberRows`, or what is committed of them, changes.
    package var membersVersion: UInt64 { pendingMembers.version }

    /// The member, as the newest entry says, or the newest that is applied.
    func memberRow(_ id: NodeID) -> Membership.Row? {
        memberRows.first { $0.id == id } ?? ledger.membership.row(id)
    }

    /// The other members, for who asks them for something.
    var peers: [NodeID] { memberRows.map(\.id).filter { $0 != identity.nodeID } }

    /// Voters, this node included where it is one.
    var voters: [NodeID] { consensus.configuration.voters }

    // MARK: The log

    /// An entry was appended.
    mutating func noteMembers(_ entry: Entry) {
        guard entry.header.kind == .membership else { return }
        guard let rows = try? entry.membership()?.members else {
            preconditionFailure("the members of entry \(entry.header.index) were not read before")
        }
        pendingMembers.unapplied.append(.init(index: entry.header.index, rows: rows))
        pendingMembers.version += 1
    }

    /// Entries from `index` on were cut off.
    mutating func forgetMembers(from index: LogIndex) {
        guard let last = pendingMembers.unapplied.last, last.index >= index else { return }
        pendingMembers.unapplied.removeAll { $0.index >= index }
        pendingMembers.version += 1
    }

    /// Entries were applied.
    mutating func settleMembers() {
        guard let first = pendingMembers.unapplied.first, first.index <= ledger.applied else {
            return
        }
        pendingMembers.unapplied.removeAll { $0.index <= ledger.applied }
        pendingMembers.version += 1
        let rows = memberRows
        pendingMembers.distrusted.removeAll { gone in
            !rows.contains { $0.id == gone.id && $0.incarnation == gone.incarnation }
        }
        pendingMembers.disks.removeAll { disk in
            !rows.contains { $0.id == disk.id && $0.incarnation == .unknown }
        }
    }

    // MARK: Changing them

    /// A change of the members from a gateway.
    mutating func changeMembers(
        _ change: MemberChange, for client: ClientID, id: UInt64, now: Instant,
        into outcome: inout ReplicaOutcome
    ) {
        guard serves, pendingMembers.waiting.count < PendingMembers.waitingLimit else {
            return clusterReply(.none, to: id, client, into: &outcome)
        }
        let patience = settings.consensus.electionTimeoutNanoseconds
        pendingMembers.waiting.append(
            .init(
                client: client, id: id, change: change,
                deadline: now.advanced(byNanoseconds: patience)))
        outcome.wantsTurn = true
    }

    /// When the next change that waits is given up.
    var memberDeadline: Instant {
        pendingMembers.waiting.first { $0.index == nil }?.deadline ?? Instant(nanoseconds: .max)
    }

    /// Answers what is applied, proposes the next change, and names disks that are not named yet.
    mutating func advanceMembers(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        answerMembers(now: now, into: &outcome)
        guard serves else { return }
        while let place = pendingMembers.waiting.firstIndex(where: { $0.index == nil }) {
            guard !pendingMembers.waiting.contains(where: { $0.index != nil }) else { return }
            switch step(pendingMembers.waiting[place].change, now: now) {
            case .done:
                let done = pendingMembers.waiting.remove(at: place)
                clusterReply(
                    .members(memberReport(now: now)), to: done.id, done.client, into: &outcome)
            case .propose(let rows):
                proposeMembers(rows, now: now, wall: wall, into: &outcome)
                pendingMembers.waiting[place].index = catalogue.lastIndex
            case .handOver:
                let asked = pendingMembers.waiting.remove(at: place)
                return handOver(for: asked, now: now, wall: wall, into: &outcome)
            case .refuse(let reason, let detail, let mayPass):
                if mayPass, now < pendingMembers.waiting[place].deadline { return }
                let refused = pendingMembers.waiting.remove(at: place)
                clusterReply(
                    .refused(reason, detail: detail), to: refused.id, refused.client,
                    into: &outcome)
            }
        }
        nameDisks(now: now, wall: wall, into: &outcome)
    }

    private mutating func answerMembers(now: Instant, into outcome: inout ReplicaOutcome) {
        let done = pendingMembers.waiting.filter { $0.index.map { $0 <= ledger.applied } ?? false }
        guard !done.isEmpty else { return }
        pendingMembers.waiting.removeAll { $0.index.map { $0 <= ledger.applied } ?? false }
        for change in done {
            // In front: whoever asks for the status behind the answer sees what was done.
            if clients.contains(change.client) {
                send(status(now: now), to: change.client, into: &outcome)
            }
            clusterReply(
                .members(memberReport(now: now)), to: change.id, change.client, into: &outcome)
        }
    }

    /// Leadership is gone: whether the change will be committed is not known.
    mutating func failMembers(into outcome: inout ReplicaOutcome) {
        for waiting in pendingMembers.waiting {
            clusterReply(
                waiting.index == nil ? .none : .unknown, to: waiting.id, waiting.client,
                into: &outcome)
        }
        pendingMembers.waiting.removeAll()
    }

    /// Puts an entry that sets the members into the log, with every disk that is known by now.
    private mutating func proposeMembers(
        _ rows: [Membership.Row], now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        closeBatch(now: now, wall: wall, into: &outcome)
        var body: [UInt8] = []
        ControlPayload.membership(Membership(members: rows.map(naming))).append(to: &body)
        let previous = catalogue.lastHeader
        propose(
            Entry(
                kind: .membership, term: consensus.term, after: previous,
                timestamp: timestamp(after: previous, wall: wall), body: body),
            now: now, into: &outcome)
        outcome.events.append(.membersChange(catalogue.lastIndex))
        statusDeadline = .zero
    }

    /// The row with its disk, where that is known.
    func naming(_ row: Membership.Row) -> Membership.Row {
        guard row.incarnation == .unknown else { return row }
        let own = row.id == identity.nodeID ? identity.incarnation : nil
        let known = own ?? pendingMembers.disks.first { $0.id == row.id }?.incarnation
        return Membership.Row(
            id: row.id, role: row.role, incarnation: known ?? .unknown, address: row.address)
    }

    /// Writes into the log which disks founders and new members have, once those have said so: from
    /// then on another disk under the same number has no vote.
    private mutating func nameDisks(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        let rows = memberRows
        guard rows.count > 1, pendingMembers.waiting.isEmpty,
            rows.contains(where: { row in
                row.incarnation == .unknown && pendingMembers.disks.contains { $0.id == row.id }
            }), consensus.changeRefusal(to: consensus.configuration, now: now) == nil
        else { return }
        proposeMembers(rows, now: now, wall: wall, into: &outcome)
    }

    /// A leader that is to go hands over first; the command is sent again to whoever leads then.
    private mutating func handOver(
        for asked: PendingMembers.Waiting, now: Instant, wall: Timestamp,
        into outcome: inout ReplicaOutcome
    ) {
        guard let target = consensus.transferCandidate(now: now) else {
            return clusterReply(
                .refused(
                    .unreachable,
                    detail: "Node \(identity.nodeID) leads, and no other voter can take over."),
                to: asked.id, asked.client, into: &outcome)
        }
        transfer(to: target, id: asked.id, asked.client, now: now, wall: wall, into: &outcome)
    }
}

// MARK: - Judging

extension Replica {
    private enum MemberStep {
        /// It is so.
        case done
        case propose([Membership.Row])
        /// This node is to go, and leads.
        case handOver
        /// `mayPass`: it may be right in a moment.
        case refuse(ClusterReply.Reason, String, mayPass: Bool)
    }

    private func step(_ change: MemberChange, now: Instant) -> MemberStep {
        // Judged on what is committed: what is under way may be cut off.
        guard pendingMembers.unapplied.isEmpty else {
            return .refuse(.underWay, "Another change of the members is under way.", mayPass: true)
        }
        var rows = memberRows
        let known = rows.first { $0.id == change.node }
        switch change {
        case .add(let id, let address):
            if let known {
                return known.address == address
                    ? .done
                    : .refuse(
                        .alreadyMember,
                        "Node \(id) is a member already, at \(known.address). Remove it first.",
                        mayPass: false)
            }
            if let objection = objectionToAdding(address, to: rows) { return objection }
            rows.append(.init(id: id, role: .learner, incarnation: .unknown, address: address))
            rows.sort { $0.id < $1.id }
        case .promote(let id):
            guard let known else { return unknown(id) }
            guard known.role == .learner else { return .done }
            guard naming(known).incarnation != .unknown else {
                return .refuse(
                    .unreachable,
                    lagText(id) + " It has not said which disk it has: is "
                        + "\(known.address) right, and does it run?", mayPass: true)
            }
            rows = rows.map {
                $0.id == id
                    ? .init(
                        id: id, role: .voter, incarnation: $0.incarnation, address: $0.address)
                    : $0
            }
        case .remove(let id):
            guard let known else { return .done }
            guard known.role == .learner || voters != [id] else {
                return .refuse(
                    .lastVoter, "Node \(id) is the only voter: without it there is no cluster.",
                    mayPass: false)
            }
            if id == identity.nodeID { return .handOver }
            rows.removeAll { $0.id == id }
        }
        let changed = Configuration(Membership(members: rows))
        guard let refusal = consensus.changeRefusal(to: changed, now: now) else {
            return .propose(rows)
        }
        return explain(refusal)
    }

    private func objectionToAdding(
        _ address: String, to rows: [Membership.Row]
    ) -> MemberStep? {
        if let other = rows.first(where: { $0.address == address }) {
            return .refuse(
                .alreadyMember, "\(address) is the address of node \(other.id).", mayPass: false)
        }
        guard rows.count == Limits.members else { return nil }
        return .refuse(
            .full, "A cluster has at most \(Limits.members) members. Remove one first.",
            mayPass: false)
    }

    private func unknown(_ id: NodeID) -> MemberStep {
        .refuse(
            .unknownMember,
            "There is no member \(id). `daybook member add` makes it a learner first.",
            mayPass: false)
    }

    private func explain(_ refusal: ChangeRefusal) -> MemberStep {
        switch refusal {
        case .notLeading, .notCommittedInTerm:
            .refuse(.underWay, "The leader is not ready.", mayPass: true)
        case .underWay(let index):
            .refuse(
                .underWay, "The change of the members at entry \(index) is not committed yet.",
                mayPass: true)
        case .handingOver(let node):
            .refuse(.underWay, "Leadership is being handed to node \(node).", mayPass: true)
        case .several: .refuse(.underWay, "One voter at a time.", mayPass: false)
        case .notLearner(let node): unknown(node)
        case .unreachable(let node, _):
            .refuse(.unreachable, lagText(node) + " It does not answer.", mayPass: true)
        case .lagging(let node, _, _):
            .refuse(.lagging, lagText(node) + " Ask again when it has caught up.", mayPass: true)
        case .losesQuorum(let reachable, let needed):
            .refuse(
                .losesQuorum,
                "Of the voters that there would be, \(reachable) answer and \(needed) are needed: "
                    + "the cluster might never commit anything again.", mayPass: true)
        }
    }

    /// By how much a member lags, as a sentence.
    private func lagText(_ id: NodeID) -> String {
        guard let follower = consensus.progress.first(where: { $0.id == id }) else {
            return "Nothing is known of node \(id)."
        }
        let (entryCount, byteCount) = consensus.lag(of: follower)
        let bytes = byteCount.map { "\($0) bytes" } ?? "more bytes than are in the tail"
        return "Node \(id) lacks \(entryCount) entries (\(bytes)) of the log."
    }
}

// MARK: - Telling

extension Replica {
    /// All members, as this leader knows them.
    func memberReport(now: Instant) -> MemberReport {
        MemberReport(
            index: ledger.membership.index, lastIndex: consensus.lastPosition.index,
            members: memberStatuses(now: now))
    }

    func memberStatuses(now: Instant) -> [NodeStatus.Member] {
        memberRows.map { row in
            var status = NodeStatus.Member(id: row.id, address: row.address, durable: .zero)
            status.role = row.role
            status.incarnation = naming(row).incarnation
            if row.id == identity.nodeID {
                status.durable = consensus.durablePosition.index
                status.isReachable = true
            } else if let progress = consensus.progress.first(where: { $0.id == row.id }) {
                status.durable = progress.matchIndex
                status.isReachable = consensus.isReachable(row.id, now: now)
                status.isDistrusted = isDistrusted(row.id, disk: row.incarnation)
            }
            return status
        }
    }

    /// What a SEAL says of its voters: how far each one's disk was, as this leader knows it.
    var sealedVoters: [Seal.Voter] {
        memberRows.filter { $0.role == .voter }.compactMap { row in
            var durable = consensus.durablePosition
            if row.id != identity.nodeID {
                let progress = consensus.progress.first { $0.id == row.id }
                guard let match = progress?.matchIndex, match > .zero,
                    let term = consensus.term(at: match)
                else { return nil }
                durable = LogPosition(term: term, index: match)
            }
            return Seal.Voter(
                id: row.id, incarnation: naming(row).incarnation, acknowledged: durable)
        }
    }
}
