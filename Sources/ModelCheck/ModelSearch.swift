package import BugZoo
import Consensus
import Records

// Invariants:
// - states are visited in the order of their distance from the start, so that the first violation is
//   at the end of a shortest way
// - `parents` and `fingerprints` have a row for each visited state, in the order of the visit

/// Everything that three members can do within bounds, looked at state by state.
package final class ModelSearch {
    package struct Report: Sendable {
        package var states = 0
        /// Steps from the start to the states that were visited last.
        package var depth = 0
        /// Ways to a state, those to states that were met before included.
        package var transitions = 0
        /// Distinct states of one member.
        package var nodeStates = 0
        /// Nothing within the bounds is left.
        package var isComplete = false
        /// What does not hold, and the way there: one line a step.
        package var violation: (text: String, way: [String])?
    }

    private let bounds: ModelBounds
    private var start: ModelState
    private var tables = ModelTables()
    private var visited: FingerprintSet
    private var parents: [UInt32] = []
    private var fingerprints: [UInt64] = []
    package private(set) var report = Report()

    package init(_ bounds: ModelBounds = ModelBounds(), bugs: PlantedBugs = PlantedBugs()) {
        precondition(bounds.inFlight <= ModelState.inFlightLimit, "\(bounds.inFlight) in flight")
        precondition(bounds.terms <= 7 && bounds.entries <= 15, "\(bounds) is too much")
        self.bounds = bounds
        visited = FingerprintSet(capacity: bounds.states)
        var start = ModelState()
        for place in 0..<3 {
            start.nodes[place] = tables.number(of: ModelNode(Renaming.node(place), bugs: bugs))
        }
        start.history.crashes = bounds.crashes
        start.history.corruptions = bounds.corruptions
        start.history.duplicates = bounds.duplicates
        start.history.reads = bounds.reads
        start.history.transfers = bounds.transfers
        self.start = start
        if bounds.startsLed { self.start = led() }
    }

    /// The nearest state in which a leader has committed and all disks hold what it committed, with
    /// nothing under way.
    private func led() -> ModelState {
        var frontier = [start]
        var seen = FingerprintSet(capacity: 1_000_000)
        while !frontier.isEmpty {
            var next: [ModelState] = []
            for state in frontier {
                var found: ModelState?
                // What is wrong already is found by searches that begin at the beginning.
                try? expand(state) { reached, _ in
                    guard reached.history.crashes == start.history.crashes,
                        reached.history.transfers == start.history.transfers,
                        reached.history.reads == start.history.reads,
                        seen.insert(reached.fingerprint(tables))
                    else { return }
                    if isLed(reached) { found = found ?? reached }
                    next.append(reached)
                }
                guard var found else { continue }
                found.network = SIMD8(repeating: ModelState.noMessage)
                return found
            }
            frontier = next
        }
        return start
    }

    private func isLed(_ state: ModelState) -> Bool {
        let members = (0..<3).map { tables.facts[Int(state.nodes[$0])] }
        return members.contains { $0.isLeader && $0.commit > 0 }
            && members.allSatisfy { $0.disk == state.history.committed && $0.writeCount == 0 }
    }

    /// Searches until everything was seen, a promise does not hold, or there are as many states as
    /// the bounds allow. `progress` hears of each depth that is finished.
    package func run(progress: (Report) -> Void = { _ in }) {
        var frontier: [ModelState] = []
        visit(start, from: 0, into: &frontier)
        while !frontier.isEmpty {
            var next: [ModelState] = []
            let first = parents.count - frontier.count
            for (place, state) in frontier.enumerated() {
                do throws(ModelViolation) {
                    try expand(state) { reached, _ in
                        visit(reached, from: first + place, into: &next)
                    }
                } catch {
                    report.violation = (error.text, way(to: first + place, last: state))
                    report.depth += 1
                    return finish()
                }
                if report.states >= bounds.states { return finish() }
            }
            frontier = next
            guard !next.isEmpty else { break }
            report.depth += 1
            finish()
            progress(report)
        }
        report.isComplete = true
        finish()
    }

    private func finish() { report.nodeStates = tables.nodes.count }

    private func visit(_ state: ModelState, from parent: Int, into next: inout [ModelState]) {
        report.transitions += 1
        let fingerprint = state.fingerprint(tables)
        guard report.states < bounds.states, visited.insert(fingerprint) else { return }
        report.states += 1
        parents.append(UInt32(parent))
        fingerprints.append(fingerprint)
        next.append(state)
    }

    // MARK: - The way to a state

    /// The steps that lead to the state visited as `number`, found again by their fingerprints, and
    /// the step from it that is refused.
    private func way(to number: Int, last: ModelState) -> [String] {
        var numbers: [Int] = []
        var place = number
        while place > 0 {
            numbers.append(place)
            place = Int(parents[place])
        }
        var lines: [String] = []
        var state = start
        for wanted in numbers.reversed() {
            var found: (state: ModelState, line: String)?
            try? expand(state) { reached, action in
                guard found == nil, reached.fingerprint(tables) == fingerprints[wanted] else {
                    return
                }
                found = (reached, describe(action, reached))
            }
            guard let found else { preconditionFailure("the way is not found again") }
            state = found.state
            lines.append(found.line)
        }
        var refused: ModelAction?
        try? expand(state, trying: { refused = $0 }) { _, _ in }
        if let refused { lines.append(describe(refused, nil)) }
        return lines
    }
}

// MARK: - One step

/// What happened between two states.
struct ModelAction {
    let place: Int
    let input: ModelInput
    let step: ModelStep
}

extension ModelSearch {
    /// Shows every state that follows `state` to `visit`. Throws where something does not hold;
    /// `trying` hears of each step before it is checked.
    private func expand(
        _ state: ModelState, trying: (ModelAction) -> Void = { _ in },
        _ visit: (ModelState, ModelAction) -> Void
    ) throws(ModelViolation) {
        for slot in 0..<ModelState.inFlightLimit where state.network[slot] != ModelState.noMessage {
            let number = state.network[slot]
            let place = tables.messages[Int(number)].to
            let facts = tables.facts[Int(state.nodes[place])]
            guard !facts.isAway else { continue }
            var without = state
            without.network[slot] = ModelState.noMessage
            try take(without, place, .init(kind: .receive, argument: number), trying, visit)
            if facts.mayBelieve, isRequestForVotes(number) {
                let late = ModelInput(kind: .receiveLate, argument: number)
                try take(without, place, late, trying, visit)
            }
            if state.history.duplicates > 0 {
                var repeated = state
                repeated.history.duplicates -= 1
                try take(repeated, place, .init(kind: .receive, argument: number), trying, visit)
            }
        }
        for place in 0..<3 { try act(state, place, trying, visit) }
    }

    private func isRequestForVotes(_ number: UInt32) -> Bool {
        switch tables.messages[Int(number)].message {
        case .preVoteRequest, .voteRequest: true
        default: false
        }
    }

    /// What a member does by itself, and what happens to it.
    private func act(
        _ state: ModelState, _ place: Int, _ trying: (ModelAction) -> Void,
        _ visit: (ModelState, ModelAction) -> Void
    ) throws(ModelViolation) {
        let facts = tables.facts[Int(state.nodes[place])]
        if facts.isAway { return try repair(state, place, facts, trying, visit) }
        if bounds.asksAtOnce, !facts.isLeader {
            try stand(state, place, trying, visit)
        } else {
            try take(state, place, .init(kind: .tick), trying, visit)
        }
        if facts.isLeader {
            try lead(state, place, facts, trying, visit)
        }
        if facts.writeCount > 0 { try take(state, place, .init(kind: .write), trying, visit) }
        if state.history.crashes > 0 {
            var crashed = state
            crashed.history.crashes -= 1
            if crashed.history.reader == UInt8(place + 1) { crashed.endRead() }
            for count in 0...facts.writeCount {
                let input = ModelInput(kind: .crash, argument: UInt32(count))
                try take(crashed, place, input, trying, visit)
            }
        }
        if state.history.corruptions > 0 {
            var damaged = state
            damaged.history.corruptions -= 1
            if damaged.history.reader == UInt8(place + 1) { damaged.endRead() }
            try take(damaged, place, .init(kind: .corrupt), trying, visit)
        }
    }

    private func lead(
        _ state: ModelState, _ place: Int, _ facts: NodeFacts, _ trying: (ModelAction) -> Void,
        _ visit: (ModelState, ModelAction) -> Void
    ) throws(ModelViolation) {
        try take(state, place, .init(kind: .loseQuorum), trying, visit)
        if facts.isTransferring {
            try take(state, place, .init(kind: .abandonTransfer), trying, visit)
        } else if facts.log.count < Int(bounds.entries) {
            try take(state, place, .init(kind: .propose), trying, visit)
        }
        if state.history.reads > 0, state.history.reader == 0 {
            var reading = state
            reading.history.reads -= 1
            reading.history.mustSee = UInt8(state.history.committed.count)
            try take(reading, place, .init(kind: .read), trying, visit)
        }
        if state.history.transfers > 0 {
            var ordered = state
            ordered.history.transfers -= 1
            for target in 0..<3 where target != place {
                let input = ModelInput(kind: .transfer, argument: UInt32(target))
                try take(ordered, place, input, trying, visit)
            }
        }
    }

    /// The member's timer is over, another gives or refuses its pre-vote, and the member hears it.
    private func stand(
        _ state: ModelState, _ place: Int, _ trying: (ModelAction) -> Void,
        _ visit: (ModelState, ModelAction) -> Void
    ) throws(ModelViolation) {
        for other in 0..<3 where other != place {
            guard !tables.facts[Int(state.nodes[other])].isAway,
                let asking = tables.steps(of: state.nodes[place], .init(kind: .tick)).first,
                let request = message(to: other, in: asking),
                let answering = tables.steps(
                    of: state.nodes[other], .init(kind: .receiveLate, argument: request)
                ).first, let answer = message(to: place, in: answering)
            else { continue }
            var asked = state
            asked.nodes[other] = answering.node
            let steps = tables.steps(of: asking.node, .init(kind: .receive, argument: answer))
            let input = ModelInput(kind: .stand, argument: UInt32(other))
            try take(asked, place, input, steps, trying, visit)
        }
    }

    private func message(to place: Int, in step: ModelStep) -> UInt32? {
        step.messages.first { tables.messages[Int($0)].to == place }
    }

    /// A damaged last entry is had from another member, or cut when both others say that they never
    /// had it.
    private func repair(
        _ state: ModelState, _ place: Int, _ facts: NodeFacts, _ trying: (ModelAction) -> Void,
        _ visit: (ModelState, ModelAction) -> Void
    ) throws(ModelViolation) {
        let others = (0..<3).filter { $0 != place }.map { tables.facts[Int(state.nodes[$0])] }
        let holders = others.filter { !$0.isAway && $0.log.begins(with: facts.disk) }
        let isLackedByAll = others.allSatisfy { other in
            !other.isAway && !other.log.begins(with: facts.disk)
                && !other.disk.begins(with: facts.disk)
        }
        guard !holders.isEmpty || isLackedByAll else { return }
        let input = ModelInput(kind: .repair, argument: holders.isEmpty ? 1 : 0)
        try take(state, place, input, trying, visit)
    }

    /// Gives the input to the member, checks what came of it, and shows what follows.
    private func take(
        _ state: ModelState, _ place: Int, _ input: ModelInput, _ trying: (ModelAction) -> Void,
        _ visit: (ModelState, ModelAction) -> Void
    ) throws(ModelViolation) {
        let steps = tables.steps(of: state.nodes[place], input)
        try take(state, place, input, steps, trying, visit)
    }

    private func take(
        _ state: ModelState, _ place: Int, _ input: ModelInput, _ steps: [ModelStep],
        _ trying: (ModelAction) -> Void, _ visit: (ModelState, ModelAction) -> Void
    ) throws(ModelViolation) {
        let before = tables.facts[Int(state.nodes[place])]
        for step in steps {
            let action = ModelAction(place: place, input: input, step: step)
            trying(action)
            var reached = state
            reached.nodes[place] = step.node
            if let ticket = step.ticket {
                reached.history.reader = UInt8(place + 1)
                reached.history.ticket = UInt8(ticket.value)
            }
            // A restart forgets; what it knows of the log it says by its disk.
            let isRestart = input.kind == .crash || input.kind == .corrupt || input.kind == .repair
            try reached.check(
                place, before: isRestart ? tables.facts[Int(step.node)] : before, step: step, tables
            )
            let facts = tables.facts[Int(step.node)]
            if bounds.writesAtOnce, facts.writeCount > 0 { continue }
            guard facts.term <= bounds.terms, facts.log.count <= Int(bounds.entries),
                facts.windows <= bounds.windows
            else { continue }
            send(step.messages, reached) { visit($0, action) }
        }
    }

    /// Puts messages under way. Where there is no room for all, some are lost: any.
    private func send(
        _ sent: [UInt32], _ state: ModelState, _ visit: (ModelState) -> Void
    ) {
        var under: [UInt32] = []
        for slot in 0..<ModelState.inFlightLimit where state.network[slot] != ModelState.noMessage {
            under.append(state.network[slot])
        }
        for message in sent where !under.contains(message) { under.append(message) }
        under.sort()
        var chosen = SIMD8<UInt32>(repeating: ModelState.noMessage)
        func choose(from place: Int, count: Int) {
            let left = under.count - place
            if count == bounds.inFlight || left == 0 {
                var reached = state
                reached.network = chosen
                return visit(reached)
            }
            chosen[count] = under[place]
            choose(from: place + 1, count: count + 1)
            chosen[count] = ModelState.noMessage
            // Lost, if there are enough behind it to fill the room.
            if left > bounds.inFlight - count { choose(from: place + 1, count: count) }
        }
        choose(from: 0, count: 0)
    }
}

// MARK: - Telling

extension ModelSearch {
    private func describe(_ action: ModelAction, _ state: ModelState?) -> String {
        let member = "node \(action.place + 1)"
        let said = what(action.input, member)
        let written = action.step.isWritten ? ", and all is written" : ""
        let facts = tables.facts[Int(action.step.node)]
        let role = tables.nodes[Int(action.step.node)].core.role.rawValue
        return
            "\(said)\(written): \(facts.isAway ? "away" : role) in term \(facts.term), log "
            + "\(facts.log), commit \(facts.commit), disk \(facts.disk), sends "
            + "\(action.step.messages.count)"
    }

    private func what(_ input: ModelInput, _ member: String) -> String {
        switch input.kind {
        case .receive, .receiveLate:
            let sent = tables.messages[Int(input.argument)]
            let late = input.kind == .receiveLate ? ", long after it heard a leader," : ""
            return "\(member)\(late) takes from node \(sent.from + 1) \(sent.message)"
        case .tick: return "\(member)'s timer is over"
        case .stand: return "\(member) stands, having asked node \(input.argument + 1) before"
        case .loseQuorum: return "\(member) hears no majority"
        case .propose: return "\(member) proposes"
        case .read: return "\(member) is asked to read"
        case .transfer: return "\(member) is to hand over to node \(input.argument + 1)"
        case .abandonTransfer: return "\(member) gives the transfer up"
        case .write: return "\(member)'s disk does one write"
        case .crash: return "\(member) loses power after \(input.argument) writes and starts"
        case .corrupt: return "\(member)'s last entry is damaged"
        case .repair:
            return "\(member) \(input.argument == 1 ? "cuts" : "fetches") its damaged entry"
        }
    }
}

/// Fingerprints, eight bytes each, in a table that is at most half full.
struct FingerprintSet {
    private var slots: [UInt64]
    private let mask: Int

    init(capacity: Int) {
        var size = 1_024
        while size < capacity * 2 { size *= 2 }
        slots = [UInt64](repeating: 0, count: size)
        mask = size - 1
    }

    /// False when it is there.
    mutating func insert(_ fingerprint: UInt64) -> Bool {
        let value = max(fingerprint, 1)
        var place = Int(truncatingIfNeeded: value) & mask
        while slots[place] != 0 {
            if slots[place] == value { return false }
            place = (place + 1) & mask
        }
        slots[place] = value
        return true
    }
}
