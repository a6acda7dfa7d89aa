import PeerWire
import Records
import SegmentLog

// What an operator does about the members while everything else goes on: adds, promotes and removes
// nodes, the leader too, and brings a wiped disk back as a new learner.

/// What the operator is at.
struct MemberOperator {
    /// The command under way, by place in the history.
    var operation: Int?
    /// Whose removal was asked for, until it is certain what became of it.
    var removing: NodeID?
    /// How many voters there are to be.
    var wanted: Int
    /// When the last answer came: what was asked before may still be carried out a while later.
    var answeredAt = Instant.zero
}

extension Simulation {
    /// A member that is nowhere: a mistyped address.
    private static let ghost = NodeID(99)
    /// How long before the end of the faults the operator begins nothing new, in some seeds.
    private static let restTime: UInt64 = 6_000_000_000
    private static let operatorPause: ClosedRange<UInt64> = 40_000_000...500_000_000

    var hasOperator: Bool { options.faults.contains(.members) }

    func planOperator() {
        guard hasOperator else { return }
        queue.insert(.members, at: later(random.number(in: Self.operatorPause)))
    }

    /// A node, when there is one of that number.
    func node(_ id: NodeID) -> SimulatedNode? {
        let place = Int(id.value) - 1
        return nodes.indices.contains(place) ? nodes[place] : nil
    }

    func isMember(_ node: SimulatedNode) -> Bool { members.hasMember(node.id) }

    /// Whether the node is to run and to have the whole log in the end.
    func isExpected(_ node: SimulatedNode) -> Bool {
        isMember(node) && !resting[node.place] && !node.isWiped
    }

    /// No change is under way or may come of what was asked, and no member's disk is empty.
    var membersRest: Bool {
        guard hasOperator else { return true }
        return memberOperator.operation == nil && memberOperator.removing == nil
            && members.isSettled && !members.rows.contains { node($0.id)?.isWiped ?? false }
    }

    /// Whether the operator still begins changes.
    private var mayBegin: Bool {
        guard isSafetyPhase else { return false }
        let rest = options.operatorRests ? min(options.safetyTime / 2, Self.restTime) : 0
        let end = options.safetyTime - rest
        return now.nanoseconds < end + 1_000_000_000
    }

    // MARK: Acting

    /// The operator looks at the cluster, and asks for the next change.
    func actOperator() throws {
        planOperator()
        guard memberOperator.operation == nil, mayBegin || !isMembershipSettled else { return }
        if mayBegin, random.chance(8) { drawWantedVoters() }
        guard let change = try nextChange() else { return }
        if case .remove(let id) = change { memberOperator.removing = id }
        memberOperator.operation = history.operations.count
        begin(.members(change), client: nil)
    }

    func drawWantedVoters() {
        let sizes = [1, 3, 5, 7].filter { $0 <= options.nodeCount }
        memberOperator.wanted = random.pick(sizes)
        note("the operator wants \(memberOperator.wanted) voters")
    }

    private func nextChange() throws -> MemberChange? {
        if let removing = memberOperator.removing { return .remove(removing) }
        if let wiped = nodes.first(where: \.isWiped) {
            if members.hasMember(wiped.id) { return .remove(wiped.id) }
            guard members.isSettled else { return nil }
            try replaceDisk(of: wiped)
        }
        if let learner = members.learners.first(where: { $0 == Self.ghost || node($0) != nil }) {
            return step(with: learner)
        }
        guard mayBegin else { return nil }
        let voters = members.voters
        if voters.count < memberOperator.wanted || random.chance(10) {
            if random.chance(4) { return .add(Self.ghost, address: "nowhere:7400") }
            let others = nodes.filter { !isMember($0) && !$0.isWiped }
            guard !others.isEmpty else { return nil }
            let id = random.pick(others).id
            return .add(id, address: "node-\(id):7400")
        }
        guard voters.count > memberOperator.wanted || random.chance(5), voters.count > 1, mayLose
        else { return nil }
        if random.chance(40), let leader = nodes.first(where: { $0.hasLed && $0.isRunning }) {
            return members.hasMember(leader.id) ? .remove(leader.id) : nil
        }
        return .remove(random.pick(voters))
    }

    /// A learner gets its vote, or goes again.
    private func step(with learner: NodeID) -> MemberChange {
        if learner == Self.ghost {
            return mayBegin && random.chance(70) ? .promote(learner) : .remove(learner)
        }
        return mayBegin && mayLose && random.chance(5) ? .remove(learner) : .promote(learner)
    }

    /// Nothing that is damaged has its last good copy on a member that goes.
    private var mayLose: Bool { !hasDamage && !nodes.contains { $0.isRotten || $0.isWiped } }

    /// `daybook init node --join` on an empty disk: it has the genesis and another incarnation.
    private func replaceDisk(of node: SimulatedNode) throws {
        try node.replaceDisk(genesis: genesis, cluster: cluster)
        note("node \(node.id) has a new disk")
        queue.insert(.start(node: node.place), at: now)
    }

    /// The operator has an answer, or gives it up.
    func takeMembersAnswer(_ request: History.Request, _ answer: History.Answer) {
        memberOperator.operation = nil
        memberOperator.answeredAt = now
        guard case .members(let change) = request, case .cluster(let outcome) = answer else {
            return
        }
        switch outcome {
        case .members: memberOperator.removing = nil
        case .refused(let reason, _):
            memberOperator.removing = nil
            cover(reason, of: change)
        default: break
        }
    }

    private func cover(_ reason: ClusterReply.Reason, of change: MemberChange) {
        switch reason {
        case .lagging: statistics.cover(.promotionRefusedForLag)
        case .unreachable where change.node == Self.ghost: statistics.cover(.ghostNotPromoted)
        case .losesQuorum: statistics.cover(.changeRefusedForQuorum)
        default: break
        }
    }

    // MARK: The log

    /// Entries through `last` are committed.
    func noteCommittedMembers(from first: Int, through last: Int) throws(Violation) {
        for place in first..<max(first, last) {
            let index = LogIndex(UInt64(place + 1))
            guard
                let before = try members.commit(
                    LogPosition(term: checks.commits.entries[place].term, index: index))
            else { continue }
            note("members from entry \(index) on: \(members.rows.map { "\($0.id) \($0.role)" })")
            cover(before, members.rows)
        }
    }

    private func cover(_ before: MemberRecords.Rows, _ after: MemberRecords.Rows) {
        for row in after {
            let known = before.first { $0.id == row.id }
            switch (known?.role, row.role) {
            case (nil, _):
                statistics.cover(.memberAdded)
                if let node = node(row.id), node.incarnation.low > 1 {
                    statistics.cover(.wipedDiskJoins)
                }
            case (.learner, .voter):
                statistics.cover(.learnerPromoted)
                if row.incarnation.low > 1 { statistics.cover(.wipedDiskVotes) }
                switch after.count(where: { $0.role == .voter }) {
                case 2: statistics.cover(.votersGrowToTwo)
                case 3: statistics.cover(.votersGrowToThree)
                case 4: statistics.cover(.votersGrowToFour)
                case 5: statistics.cover(.votersGrowToFive)
                case 6: statistics.cover(.votersGrowToSix)
                case 7: statistics.cover(.votersGrowToSeven)
                default: break
                }
            default: break
            }
        }
        for row in before where !after.contains(where: { $0.id == row.id }) {
            statistics.cover(row.role == .voter ? .voterRemoved : .learnerRemoved)
            if row.role == .voter, node(row.id)?.hasLed ?? false {
                statistics.cover(.formerLeaderRemoved)
            }
            if after.count(where: { $0.role == .voter }) == 1 {
                statistics.cover(.votersShrinkToOne)
            }
        }
    }

    // MARK: A wiped disk

    /// The disk of one voter of three or more is empty, while all others are whole.
    func wipe(_ node: SimulatedNode) throws {
        let voters = members.voters
        guard hasOperator, membersRest, mayLose, members.learners.isEmpty, voters.count > 2,
            voters.contains(node.id), nodes.allSatisfy({ $0.aside == nil })
        else { return }
        crash(node, losingPower: false)
        node.wipe()
        if earlierDisk?.place == node.place { earlierDisk = nil }
        statistics.cover(.diskWipedInTheMix)
        statistics.diskFaultCount += 1
        note("the disk of node \(node.id) is empty")
        try demandRefusal(of: node)
    }

    /// A node does not start on an empty disk, and writes nothing to it.
    func demandRefusal(of node: SimulatedNode) throws(Violation) {
        let found = Result {
            _ = try LogDirectory.recover(disk: node.disk, clusterID: cluster)
        }
        guard case .failure(RecoveryFailure.notInitialized) = found, node.disk.names.isEmpty else {
            throw Violation("node \(node.id) does not refuse an empty disk: \(found)")
        }
    }

    // MARK: The end

    private var isMembershipSettled: Bool {
        membersRest && members.learners.isEmpty
    }

    /// What the operator began comes to its end: no member is missing, and every learner has its
    /// vote.
    func demandMembers() throws {
        guard hasOperator else { return }
        var steps = 0
        let settled = try run(until: later(memberPatience)) {
            steps += 1
            return steps % 16 == 0 && isMembershipSettled && hasConverged
        }
        guard settled else {
            let rows = members.rows.map { "\($0.id) \($0.role)" }
            throw Violation("the members do not settle: \(rows)")
        }
    }
}
