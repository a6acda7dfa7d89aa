import PeerWire
import Records
import Replica

// Who lets in whom: the hello with which a connection between nodes begins, and what came of it.

/// A connection between two processes, as the one that accepted it knows it.
struct Greeting {
    let senderLife: Int
    let receiverLife: Int
    let hello: Handshake
    /// What the receiver knew of the members when it looked last.
    var version: UInt64
    var serves: Bool
}

extension Simulation {
    /// The disk of the process `life` of `sender`, when its frames are heard: its hello was accepted,
    /// now or before, and is not refused since.
    func disk(
        of sender: SimulatedNode, life: Int, heardBy receiver: SimulatedNode
    ) throws -> Identifier? {
        guard receiver.isRunning else { return nil }
        let place = sender.place * options.nodeCount + receiver.place
        if let known = greetings[place], known.senderLife == life,
            known.receiverLife == receiver.life
        {
            return try isStillLetIn(sender, known, by: receiver, at: place)
                ? known.hello.incarnation : nil
        }
        // What a newer connection has replaced is closed.
        if let known = greetings[place], known.senderLife > life { return nil }
        guard let hello = hello(of: sender, life: life) else { return nil }
        var refusal: HandshakeRefusal?
        var version: UInt64 = 0
        var serves = false
        try give(receiver) { process in
            refusal = process.replica.objection(to: hello)
            version = process.replica.membersVersion
            serves = process.replica.serves
        }
        if let refusal {
            try refuse(sender, life: life, by: receiver, refusal)
            return nil
        }
        guard try isWelcome(receiver, to: sender, life: life) else { return nil }
        greetings[place] = Greeting(
            senderLife: life, receiverLife: receiver.life, hello: hello, version: version,
            serves: serves)
        return hello.incarnation
    }

    /// Closes connections to who is no member any more, and opens those to new ones, which begin with a
    /// hello. At the end of a turn, as the product does.
    func followMembers(_ process: inout SimulatedNode.Process, of node: SimulatedNode) {
        let version = process.replica.membersVersion
        guard version != process.linkedVersion else { return }
        process.linkedVersion = version
        let members = process.replica.members.map(\.id).filter { $0 != node.id }
        for other in nodes where process.linked.contains(other.id) != members.contains(other.id) {
            greetings[node.place * options.nodeCount + other.place] = nil
        }
        process.linked = members
    }

    /// Members come and go while a connection is open: who is none any more is told so.
    private func isStillLetIn(
        _ sender: SimulatedNode, _ known: Greeting, by receiver: SimulatedNode, at place: Int
    ) throws -> Bool {
        guard let version = receiver.process?.replica.membersVersion,
            let serves = receiver.process?.replica.serves
        else { return false }
        guard version != known.version || serves != known.serves else { return true }
        if let refusal = receiver.process?.replica.memberObjection(to: known.hello) {
            greetings[place] = nil
            try refuse(sender, life: known.senderLife, by: receiver, refusal)
            return false
        }
        greetings[place]?.version = version
        greetings[place]?.serves = serves
        return true
    }

    /// What the process says of itself as it connects. One that has ended had connected before its log
    /// went on: what it sent is heard late, and what it had is held against nobody.
    private func hello(of node: SimulatedNode, life: Int) -> Handshake? {
        if node.life == life, node.isRunning || node.repair != nil {
            return handshake(of: node, node.incarnation, claim: node.process?.replica.claim)
        }
        guard let former = node.former, former.life == life else { return nil }
        return handshake(of: node, former.disk, claim: nil)
    }

    private func handshake(
        of node: SimulatedNode, _ disk: Identifier, claim: Handshake.Claim?
    ) -> Handshake {
        Handshake(
            role: .node, clusterID: cluster, node: node.id, incarnation: disk, claim: claim)
    }

    /// Who connects hears which disk the other one has.
    private func isWelcome(
        _ receiver: SimulatedNode, to sender: SimulatedNode, life: Int
    ) throws -> Bool {
        guard sender.life == life, sender.isRunning else { return true }
        let welcome = handshake(of: receiver, receiver.incarnation, claim: nil)
        if sender.process?.replica.memberObjection(to: welcome) != nil { return false }
        try give(sender) { process in process.replica.greeted(by: welcome) }
        return true
    }

    private func refuse(
        _ sender: SimulatedNode, life: Int, by receiver: SimulatedNode,
        _ refusal: HandshakeRefusal
    ) throws {
        note("node \(receiver.id) refuses node \(sender.id): \(refusal.reason)")
        switch refusal.code {
        case .other: throw Violation("node \(receiver.id): \(refusal.reason)")
        case .notMember: statistics.cover(.strangerRefused)
        case .otherDisk: statistics.cover(.otherDiskRefused)
        case .wentBack:
            guard sender.wasRolledBack else { throw Violation("\(refusal.reason)") }
            statistics.cover(.rollbackNoticed)
        }
        guard sender.life == life, sender.isRunning else { return }
        try give(sender) { process in
            process.replica.refused(by: receiver.id, refusal, into: &process.outcome)
        }
    }
}
