import Consensus
import Records

/// Three members, what is under way between them, and what history the checks need.
struct ModelState {
    /// Numbers of the members' states.
    var nodes = SIMD4<UInt32>()
    /// Numbers of the messages, each once; what is not used is `noMessage`.
    var network = SIMD8<UInt32>(repeating: ModelState.noMessage)
    var history = ModelHistory()

    static let noMessage = UInt32.max
    /// Room in `network`.
    static let inFlightLimit = 8

    /// Equal for states that differ by the members' names alone: the least over all renamings of
    /// the sum of its parts' fingerprints.
    func fingerprint(_ tables: ModelTables) -> UInt64 {
        var sums = Fingerprint.Set()
        for place in 0..<3 { sums &+= tables.nodeSets[Int(nodes[place])] }
        for place in 0..<Self.inFlightLimit where network[place] != Self.noMessage {
            sums &+= tables.messageSets[Int(network[place])]
        }
        var least = UInt64.max
        for (place, renaming) in Renaming.all.enumerated() {
            least = min(least, Fingerprint.mix(sums[place] &+ history.fingerprint(renaming)))
        }
        return least
    }
}

/// What happened so far, as far as it says what may happen yet and what must not.
struct ModelHistory: Equatable {
    /// Who led each term, from 1; 0 for nobody.
    var leaders = SIMD8<UInt8>()
    /// What was committed anywhere.
    var committed = Terms()
    /// For each of those entries the term of the member that knew it first: it was committed in that
    /// term, or before.
    var knownIn = Terms()

    // How much may happen yet.
    var crashes: UInt8 = 0
    var corruptions: UInt8 = 0
    var duplicates: UInt8 = 0
    var reads: UInt8 = 0
    var transfers: UInt8 = 0

    /// The read under way: at which member, from 1; 0 for none.
    var reader: UInt8 = 0
    var ticket: UInt8 = 0
    /// Entries that were committed when it began.
    var mustSee: UInt8 = 0

    func fingerprint(_ renaming: [UInt8]) -> UInt64 {
        var leaders: UInt64 = 0
        for term in 0..<8 {
            let leader = self.leaders[term]
            let renamed = leader == 0 ? 0 : UInt64(renaming[Int(leader) - 1]) + 1
            leaders |= renamed << UInt64(term * 4)
        }
        let reader = self.reader == 0 ? 0 : UInt64(renaming[Int(self.reader) - 1]) + 1
        let budgets =
            UInt64(crashes) | UInt64(corruptions) << 8 | UInt64(duplicates) << 16
            | UInt64(reads) << 24 | UInt64(transfers) << 32
        let read = reader | UInt64(ticket) << 8 | UInt64(mustSee) << 16
        var sum = Fingerprint.mix(leaders)
        sum = Fingerprint.mix(sum ^ committed.bits)
        sum = Fingerprint.mix(sum ^ knownIn.bits)
        sum = Fingerprint.mix(sum ^ UInt64(committed.count) << 56 ^ budgets)
        return Fingerprint.mix(sum ^ read)
    }
}

/// What a promise that does not hold is.
struct ModelViolation: Error {
    let text: String

    init(_ text: String) { self.text = text }
}

// MARK: - What must hold

extension ModelState {
    /// Takes into the history what `node` did, and demands what must hold after it.
    mutating func check(
        _ place: Int, before: NodeFacts, step: ModelStep, _ tables: ModelTables
    ) throws(ModelViolation) {
        if let defect = step.defect {
            throw ModelViolation("node \(place + 1) refuses what a member sent: \(defect)")
        }
        let facts = tables.facts[Int(step.node)]
        if facts.isLeader, !before.isLeader || before.term != facts.term {
            try checkElection(place, facts)
        }
        if facts.commit > before.commit { try checkCommit(place, before, facts) }
        try checkReads(place, step.effects)
        try checkLogs(place, facts, tables)
        try checkDurability(tables)
    }

    /// One leader in a term; it has what was committed in earlier ones.
    private mutating func checkElection(
        _ place: Int, _ facts: NodeFacts
    ) throws(ModelViolation) {
        let term = Int(facts.term) - 1
        guard history.leaders[term] == 0 else {
            throw ModelViolation(
                "election safety: node \(place + 1) leads term \(facts.term), and node "
                    + "\(history.leaders[term]) led it")
        }
        history.leaders[term] = UInt8(place + 1)
        var count = history.committed.count
        while count > 0, history.knownIn[count - 1] >= facts.term { count -= 1 }
        guard facts.log.begins(with: history.committed.prefix(count)) else {
            throw ModelViolation(
                "leader completeness: node \(place + 1) leads term \(facts.term) with "
                    + "\(facts.log), and \(history.committed) was committed")
        }
    }

    /// What was committed does not change, whoever says what is.
    private mutating func checkCommit(
        _ place: Int, _ before: NodeFacts, _ facts: NodeFacts
    ) throws(ModelViolation) {
        let known = facts.log.prefix(facts.commit)
        let common = min(known.count, history.committed.count)
        guard known.prefix(common) == history.committed.prefix(common) else {
            throw ModelViolation(
                "state machine safety: node \(place + 1) commits \(known), and "
                    + "\(history.committed) was committed")
        }
        guard known.count > history.committed.count else { return }
        history.committed = known
        while history.knownIn.count < known.count { history.knownIn.append(facts.term) }
    }

    /// A read sees what was committed before it began.
    private mutating func checkReads(
        _ place: Int, _ effects: ModelNode.Effects
    ) throws(ModelViolation) {
        guard history.reader == UInt8(place + 1) else { return }
        for read in effects.confirmedReads where read.ticket.value == UInt64(history.ticket) {
            guard read.index.value >= UInt64(history.mustSee) else {
                throw ModelViolation(
                    "reads: node \(place + 1) answers from entry \(read.index), and "
                        + "\(history.mustSee) entries were committed before it was asked")
            }
            endRead()
        }
        for ticket in effects.failedReads where ticket.value == UInt64(history.ticket) {
            endRead()
        }
    }

    mutating func endRead() { (history.reader, history.ticket, history.mustSee) = (0, 0, 0) }

    /// Logs that have an entry of one term at one place are equal up to there.
    private func checkLogs(
        _ place: Int, _ facts: NodeFacts, _ tables: ModelTables
    ) throws(ModelViolation) {
        for other in 0..<3 where other != place {
            let log = tables.facts[Int(nodes[other])].log
            var length = min(log.count, facts.log.count)
            while length > 0, log[length - 1] != facts.log[length - 1] { length -= 1 }
            guard log.prefix(length) == facts.log.prefix(length) else {
                throw ModelViolation(
                    "log matching: node \(place + 1) has \(facts.log), node \(other + 1) \(log)")
            }
        }
    }

    /// What is committed is on the disks of a majority, and nobody who lacks it could be elected by
    /// what the disks hold. A damaged end counts: it is there again before the member is.
    private func checkDurability(_ tables: ModelTables) throws(ModelViolation) {
        guard history.committed.count > 0 else { return }
        let disks = (0..<3).map { tables.facts[Int(nodes[$0])].disk }
        let holding = disks.map { $0.begins(with: history.committed) }
        guard holding.count(where: { $0 }) >= 2 else {
            throw ModelViolation(
                "durability: \(history.committed) is committed, and the disks hold "
                    + disks.map(\.description).joined(separator: ", "))
        }
        for place in 0..<3 where !holding[place] {
            for voter in 0..<3 where voter != place {
                guard disks[place].isUpToDate(for: disks[voter]) else { continue }
                throw ModelViolation(
                    "leader completeness: \(history.committed) is committed, and node "
                        + "\(place + 1) with \(disks[place]) could be elected by node "
                        + "\(voter + 1) with \(disks[voter])")
            }
        }
    }
}
