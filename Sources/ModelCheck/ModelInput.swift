import Consensus
import Records

/// What can happen to one member.
struct ModelInput: Equatable {
    enum Kind: UInt32 {
        /// The argument is the message's number.
        case receive = 1
        /// The same, an election timeout after the last message of a leader.
        case receiveLate
        case tick
        /// The election's timer is over, and the member in the argument, from 0, is asked for its
        /// pre-vote and answers: three inputs of two members, put together by the search.
        case stand
        case loseQuorum
        case propose
        case read
        /// The argument is the target, from 0.
        case transfer
        case abandonTransfer
        case write
        /// The argument is the number of writes that reach the disk.
        case crash
        case corrupt
        /// The argument is 1 when the damaged entry is cut.
        case repair
    }

    let kind: Kind
    var argument: UInt32 = 0

    /// Unlike that of any other input.
    var code: UInt32 { kind.rawValue << 28 | argument }

    /// Whether "and everything is written" is a step of its own.
    var mayWriteAll: Bool {
        switch kind {
        case .write, .crash, .corrupt, .repair: false
        default: true
        }
    }

    /// Nil when it cannot happen.
    func perform(
        on node: inout ModelNode, messages: [ModelMessage], ticket: inout ReadTicket?
    ) throws(MessageDefect) -> ModelNode.Effects? {
        switch kind {
        case .receive, .receiveLate:
            let sent = messages[Int(argument)]
            return try node.receive(
                sent.message, from: Renaming.node(sent.from), late: kind == .receiveLate)
        case .tick: return node.tick()
        case .stand: preconditionFailure("not one input")
        case .loseQuorum: return node.loseQuorum()
        case .propose: return node.propose()
        case .read:
            let (taken, effects) = node.read()
            ticket = taken
            return taken == nil ? nil : effects
        case .transfer: return node.transfer(to: Renaming.node(Int(argument)))
        case .abandonTransfer: return node.abandonTransfer()
        case .write: return node.write()
        case .crash:
            node.crash(after: Int(argument))
            return ModelNode.Effects()
        case .corrupt:
            node.corrupt()
            return node.diskLog.isEmpty ? nil : ModelNode.Effects()
        case .repair:
            node.repair(cutting: argument == 1)
            return ModelNode.Effects()
        }
    }
}
