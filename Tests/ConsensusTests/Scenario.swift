import Consensus
import Records

/// Runs one scenario: commands, four dashes, and what happens then, block after block.
///
/// Commands, with members by their numbers:
///
///     nodes 3 [entries an append]  begins, everybody a follower in term 0
///     voters 3 of 5                the same with five nodes, the first three of them voters
///     stand 1                      time passes, member 1 stands first
///     lead 1                       the same, going on until it leads and no further
///     elect 1                      the same, going on until the cluster comes to rest
///     tick 1 | advance 100         member 1 is ticked | 100 ms pass, whoever is due is ticked
///     run 1000                     time passes, network and disks taking none of it
///     propose 1 [bytes]            the leader takes an entry
///     add 1 4 | promote 1 4 | remove 1 4
///                                  leader 1 makes 4 a learner, a voter, no member
///     retire 4                     node 4 hears that it is no member any more
///     distrust 1 3                 node 1 hears that the disk of 3 went back
///     read 1                       a read begins
///     transfer 1 2                 leader 1 is to hand over to 2
///     release 1 3                  member 1 forgets its entries through 3, which are archived
///     install 2                    member 2 begins anew behind the base that it was told of
///     sync 1 [count]               member 1's disk completes its oldest writes
///     deliver 1->2 [count]         the oldest messages of a link arrive
///     deliver-last 1->2            the newest one overtakes the others
///     repeat 1->2                  the oldest one arrives and stays
///     drop 1->2                    all messages of a link are lost
///     crash 1 [kept writes] | restart 1
///     partition 1 2 | 3 …          nothing passes between the groups
///     cut 1->2 | heal              nothing passes one way | everything passes again
///     stabilize                    network and disks do all they have to
///     network | log 1 | status | members
///                                  prints
///     expect-leader 1 | expect-role 1 follower | expect-committed 1 3 | expect-last 1 2/3
struct Scenario {
    private var settings: ConsensusSettings
    private var cluster: Cluster
    private(set) var failures: [String] = []

    init(settings: ConsensusSettings = ConsensusSettings()) {
        self.settings = settings
        cluster = Cluster(size: 1, settings: settings)
    }

    /// The scenario's text with the outputs as they are now.
    mutating func run(_ text: String) -> String {
        var lines: [String] = []
        var isOutput = false
        var output: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "----" {
                lines.append(String(line))
                lines += output.isEmpty ? ["ok"] : output
                output = []
                isOutput = true
            } else if line.isEmpty {
                if lines.last != "" { lines.append("") }
                isOutput = false
            } else if !isOutput {
                lines.append(String(line))
                if !line.hasPrefix("#") { output += perform(line) }
            }
        }
        while lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n") + "\n"
    }

    private mutating func perform(_ line: Substring) -> [String] {
        let words = line.split(separator: " ").map(String.init)
        let arguments = Array(words.dropFirst())
        cluster.trace = []
        let printed = perform(words[0], arguments) ?? ["no such command: \(line)"]
        let output = cluster.trace + printed + cluster.violations.map { "VIOLATION: \($0)" }
        failures += cluster.violations
        return output
    }

    /// Nil when the command is not known.
    private mutating func perform(_ verb: String, _ arguments: [String]) -> [String]? {
        let numbers = arguments.compactMap { Int($0) }
        if verb.hasPrefix("expect-") { return expect(verb, arguments) }
        if let link = arguments.first.flatMap(Link.init) {
            return perform(verb, link, count: numbers.first ?? 1)
        }
        switch (verb, numbers.count) {
        case ("nodes", 1): cluster = Cluster(size: numbers[0], settings: settings)
        case ("nodes", 2): cluster = cluster(size: numbers[0], entriesPerAppend: numbers[1])
        case ("voters", 2):
            cluster = Cluster(size: numbers[1], voters: numbers[0], settings: settings)
        case ("stand", 1): cluster.stand(numbers[0])
        case ("lead", 1): cluster.elect(numbers[0], stopping: true)
        case ("elect", 1): cluster.elect(numbers[0])
        case ("tick", 1): cluster.tick(numbers[0])
        case ("advance", 1): cluster.advance(milliseconds: UInt64(numbers[0]))
        case ("run", 1): cluster.run(milliseconds: UInt64(numbers[0]))
        case ("propose", 1...2):
            guard cluster[numbers[0]].core.role == .leader else { return ["refused: not leading"] }
            cluster.propose(numbers[0], byteCount: numbers.count == 2 ? numbers[1] : 100)
        case ("sync", 1): cluster.sync(numbers[0])
        case ("sync", 2): cluster.sync(numbers[0], count: numbers[1])
        case ("crash", 1): cluster.crash(numbers[0])
        case ("crash", 2): cluster.crash(numbers[0], keeping: numbers[1])
        case ("restart", 1): cluster.restart(numbers[0])
        case ("release", 2): cluster.release(numbers[0], through: numbers[1])
        case ("install", 1): return cluster.install(numbers[0]) ? [] : ["nothing to install"]
        case ("partition", _): cluster.partition(groups(of: arguments))
        case ("heal", 0): cluster.heal()
        case ("stabilize", 0): cluster.stabilize()
        case ("read", 1): return cluster.read(numbers[0]) == nil ? ["refused"] : []
        case ("transfer", 2):
            return cluster.transfer(numbers[0], to: numbers[1]).map { ["refused: \($0)"] } ?? []
        case ("add", 2): return change(numbers[0]) { $0.adding(NodeID(UInt32(numbers[1]))) }
        case ("promote", 2):
            let id = NodeID(UInt32(numbers[1]))
            return change(numbers[0]) { $0.hasVoter(id) ? $0 : $0.promoting(id) }
        case ("remove", 2):
            return change(numbers[0]) { $0.removing(NodeID(UInt32(numbers[1]))) }
        case ("retire", 1): cluster.nodes[numbers[0] - 1].core.retire()
        case ("distrust", 2):
            cluster.nodes[numbers[0] - 1].core.distrust(NodeID(UInt32(numbers[1])))
        case ("members", 0): return cluster.nodes.map(\.membersDescription)
        case ("network", 0): return cluster.network.map(\.description)
        case ("log", 1): return [cluster[numbers[0]].logDescription]
        case ("status", 0): return cluster.nodes.map(\.statusDescription)
        default: return nil
        }
        return []
    }

    private mutating func perform(_ verb: String, _ link: Link, count: Int) -> [String]? {
        let isOnLink = { (packet: Packet) in
            Int(packet.from.value) == link.from && Int(packet.to.value) == link.to
        }
        switch verb {
        case "deliver":
            for _ in 0..<count {
                guard let place = cluster.network.firstIndex(where: isOnLink) else { break }
                cluster.deliver(at: place)
            }
        case "deliver-last":
            if let place = cluster.network.lastIndex(where: isOnLink) {
                cluster.deliver(at: place)
            }
        case "repeat":
            if let packet = cluster.network.first(where: isOnLink) {
                cluster.hand(packet, to: link.to)
            }
        case "drop":
            let dropped = cluster.network.filter(isOnLink)
            cluster.network.removeAll(where: isOnLink)
            return dropped.map { "dropped \($0)" }
        case "cut":
            cluster.cutLinks.append(
                (cluster.members[link.from - 1], cluster.members[link.to - 1]))
        default: return nil
        }
        return []
    }

    private mutating func change(
        _ id: Int, _ edit: (Configuration) -> Configuration
    ) -> [String] {
        cluster.change(id, edit).map { ["refused: \($0)"] } ?? []
    }

    private func cluster(size: Int, entriesPerAppend: Int) -> Cluster {
        var settings = settings
        settings.maxEntriesPerAppend = entriesPerAppend
        return Cluster(size: size, settings: settings)
    }

    private func groups(of arguments: [String]) -> [[Int]] {
        arguments.split(separator: "|").map { $0.compactMap { Int($0) } }
    }

    private mutating func expect(_ verb: String, _ arguments: [String]) -> [String]? {
        let numbers = arguments.compactMap { Int($0) }
        let found: String
        switch (verb, arguments.count, numbers.first) {
        case ("expect-leader", 1, _): found = cluster.leader.map { String($0) } ?? "none"
        case ("expect-role", 2, let id?): found = cluster[id].core.role.rawValue
        case ("expect-committed", 2, let id?): found = "\(cluster[id].core.commitIndex)"
        case ("expect-last", 2, let id?): found = "\(cluster[id].core.lastPosition)"
        default: return nil
        }
        guard found != arguments.last else { return [] }
        failures.append("\(verb) \(arguments): it is \(found)")
        return ["FAILED: it is \(found)"]
    }
}

/// `1->2`
private struct Link {
    let from: Int
    let to: Int

    init?(_ text: String) {
        let ends = text.split(separator: "-", maxSplits: 1)
        guard ends.count == 2, ends[1].hasPrefix(">"), let from = Int(ends[0]),
            let to = Int(ends[1].dropFirst())
        else { return nil }
        self.from = from
        self.to = to
    }
}

extension Packet: CustomStringConvertible {
    var description: String { "\(from)->\(to) \(text)" }

    private var text: String {
        switch message {
        case .preVoteRequest(let term, let last): "pre-vote? term \(term), log \(last)"
        case .preVoteResponse(let term, let granted):
            "pre-vote \(granted ? "granted" : "refused"), term \(term)"
        case .voteRequest(let term, let last, let byOrder):
            "vote? term \(term), log \(last)\(byOrder ? ", by order" : "")"
        case .voteResponse(let term, let granted):
            "vote \(granted ? "granted" : "refused"), term \(term)"
        case .appendRequest(let request): describe(request)
        case .appendResponse(let response): describe(response)
        case .timeoutNow(let term): "stand now, term \(term)"
        case .installHint(let term, let base): "install, term \(term), through \(base)"
        }
    }

    private func describe(_ request: AppendRequest) -> String {
        let entries = request.entries.map { "\($0.position)" }.joined(separator: " ")
        return "append, term \(request.term), after \(request.previous) [\(entries)] "
            + "commit \(request.commit) round \(request.readContext)"
    }

    private func describe(_ response: AppendResponse) -> String {
        switch response.result {
        case .matched(let through):
            "matched, term \(response.term), through \(through) round \(response.readContext)"
        case .rejected(let previous, let hint, _):
            "rejected, term \(response.term), no \(previous), try \(hint)"
        }
    }
}

extension ClusterNode {
    var logDescription: String {
        let base = core.log.base
        let entries = (base.index.value..<core.lastPosition.index.value).map { index in
            "\(core.log.descriptor(at: LogIndex(index + 1)).position)"
        }
        guard base.index > .zero || !entries.isEmpty else { return "empty" }
        let prefix = base.index > .zero ? ["archived through \(base):"] : []
        return (prefix + entries).joined(separator: " ")
    }

    var membersDescription: String {
        let configuration = core.configuration
        func list(_ ids: [NodeID]) -> String { ids.map { " \($0)" }.joined() }
        let learners = configuration.learners
        return "\(core.id) knows voters\(list(configuration.voters))"
            + (learners.isEmpty ? "" : ", learners\(list(learners))")
    }

    var statusDescription: String {
        guard isRunning else { return "\(core.id) is down" }
        return "\(core.id) \(core.role.rawValue) term \(core.term) last \(core.lastPosition) "
            + "durable \(core.durablePosition.index) commit \(core.commitIndex)"
    }
}
