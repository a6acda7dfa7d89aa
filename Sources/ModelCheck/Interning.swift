import BugZoo
import Consensus
import Records

// Members and messages are met again and again in different company: each distinct one is kept once
// and named by a number, and so is what an input makes of a member.

/// The six ways to rename three members. Members are 0, 1 and 2 here, `NodeID` 1, 2 and 3.
enum Renaming {
    static let all: [[UInt8]] = [
        [0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0],
    ]

    static func number(of node: NodeID) -> Int { Int(node.value) - 1 }
    static func node(_ number: Int) -> NodeID { NodeID(UInt32(number + 1)) }
}

/// 64-bit fingerprints of small things, to be added up.
enum Fingerprint {
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    static func of(_ bytes: [UInt8]) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        return mix(hash)
    }

    /// One fingerprint for each renaming.
    typealias Set = SIMD8<UInt64>

    static func set(_ state: (inout [UInt8], _ name: (NodeID) -> UInt8) -> Void) -> Set {
        var set = Set()
        for (place, renaming) in Renaming.all.enumerated() {
            var bytes: [UInt8] = []
            state(&bytes) { renaming[Renaming.number(of: $0)] }
            set[place] = of(bytes)
        }
        return set
    }
}

/// What the checks look at in a member.
struct NodeFacts {
    let isLeader: Bool
    let isAway: Bool
    let isTransferring: Bool
    let mayBelieve: Bool
    let term: UInt64
    let commit: Int
    /// Terms of the entries in memory, four bits each, the first lowest.
    let log: Terms
    let disk: Terms
    let writeCount: Int
    /// How often it went back with a follower, at most.
    let windows: UInt32

    init(_ node: ModelNode) {
        let core = node.core
        isLeader = core.role == .leader
        isAway = node.isAway
        isTransferring = core.transferTarget != nil
        mayBelieve = core.leader != nil
        term = core.term.value
        commit = Int(core.commitIndex.value)
        var index = LogIndex(1)
        var log = Terms()
        while index <= core.lastPosition.index, let term = core.term(at: index) {
            log.append(term)
            index = index.next
        }
        self.log = log
        var disk = Terms()
        for term in node.diskLog { disk.append(term) }
        self.disk = disk
        writeCount = node.writes.count
        windows = core.progress.map(\.window).max() ?? 0
    }
}

/// The terms of a short log. With its index a term names an entry.
struct Terms: Equatable, CustomStringConvertible {
    private(set) var bits: UInt64 = 0
    private(set) var count = 0

    mutating func append(_ term: Term) { append(term.value) }

    mutating func append(_ term: UInt64) {
        precondition(term < 16 && count < 16, "a model's log is short")
        bits |= term << UInt64(count * 4)
        count += 1
    }

    /// The term of the entry at `place`, from 0.
    subscript(place: Int) -> UInt64 { bits >> UInt64(place * 4) & 15 }

    func prefix(_ length: Int) -> Terms {
        guard length < count else { return self }
        var terms = self
        terms.count = length
        terms.bits &= 1 << UInt64(length * 4) - 1
        return terms
    }

    func begins(with other: Terms) -> Bool { prefix(other.count) == other }

    /// The log whose end decides elections is at least as up to date (Raft paper section 5.4.1).
    func isUpToDate(for other: Terms) -> Bool {
        guard other.count > 0 else { return true }
        guard count > 0 else { return false }
        let (mine, others) = (self[count - 1], other[other.count - 1])
        return mine > others || (mine == others && count >= other.count)
    }

    var description: String {
        "[" + (0..<count).map { "\(self[$0])" }.joined(separator: " ") + "]"
    }
}

/// A message on its way.
struct ModelMessage {
    let from: Int
    let to: Int
    let message: Message
}

/// What an input makes of a member.
struct ModelStep {
    let node: UInt32
    /// Everything that was to be written is.
    let isWritten: Bool
    let messages: [UInt32]
    let effects: ModelNode.Effects
    var ticket: ReadTicket?
    /// The core refuses what a working member sent.
    var defect: MessageDefect?
}

/// Members, messages and steps that were met.
struct ModelTables {
    private(set) var nodes: [ModelNode] = []
    private(set) var facts: [NodeFacts] = []
    private(set) var nodeSets: [Fingerprint.Set] = []
    private(set) var messages: [ModelMessage] = []
    private(set) var messageSets: [Fingerprint.Set] = []
    private var nodeNumbers: [[UInt8]: UInt32] = [:]
    private var messageNumbers: [[UInt8]: UInt32] = [:]
    private var steps: [UInt64: [ModelStep]] = [:]

    var stepCount: Int { steps.count }

    mutating func number(of node: ModelNode) -> UInt32 {
        var bytes = [UInt8(node.core.id.value)]
        node.appendState(to: &bytes) { UInt8($0.value) }
        if let known = nodeNumbers[bytes] { return known }
        let number = UInt32(nodes.count)
        nodeNumbers[bytes] = number
        nodes.append(node)
        facts.append(NodeFacts(node))
        nodeSets.append(
            Fingerprint.set { bytes, name in
                bytes.append(name(node.core.id))
                node.appendState(to: &bytes, name: name)
            })
        return number
    }

    mutating func number(of message: Message, from: NodeID, to: NodeID) -> UInt32 {
        var bytes = [UInt8(from.value), UInt8(to.value)]
        message.appendState(to: &bytes)
        if let known = messageNumbers[bytes] { return known }
        let number = UInt32(messages.count)
        messageNumbers[bytes] = number
        messages.append(
            ModelMessage(
                from: Renaming.number(of: from), to: Renaming.number(of: to), message: message))
        messageSets.append(
            Fingerprint.set { bytes, name in
                bytes += [name(from), name(to)]
                message.appendState(to: &bytes)
            })
        return number
    }

    /// What `input` makes of the member: with the writes that follow waiting, and with them done.
    mutating func steps(of number: UInt32, _ input: ModelInput) -> [ModelStep] {
        let key = UInt64(number) << 32 | UInt64(input.code)
        if let known = steps[key] { return known }
        let made = make(number, input)
        steps[key] = made
        return made
    }

    private mutating func make(_ number: UInt32, _ input: ModelInput) -> [ModelStep] {
        var node = nodes[Int(number)]
        var ticket: ReadTicket?
        var effects = ModelNode.Effects()
        do throws(MessageDefect) {
            guard
                let done = try input.perform(on: &node, messages: messages, ticket: &ticket)
            else { return [] }
            effects = done
        } catch {
            return [
                ModelStep(
                    node: number, isWritten: false, messages: [], effects: effects, defect: error)
            ]
        }
        var made = [step(node, effects, ticket, isWritten: false)]
        if input.mayWriteAll, !node.writes.isEmpty {
            effects.add(node.writeAll())
            made.append(step(node, effects, ticket, isWritten: true))
        }
        return made
    }

    private mutating func step(
        _ node: ModelNode, _ effects: ModelNode.Effects, _ ticket: ReadTicket?, isWritten: Bool
    ) -> ModelStep {
        let sent = effects.messages.map { envelope in
            number(of: envelope.message, from: node.core.id, to: envelope.to)
        }
        return ModelStep(
            node: self.number(of: node), isWritten: isWritten, messages: sent, effects: effects,
            ticket: ticket)
    }
}
