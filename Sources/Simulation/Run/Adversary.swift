import Bytes
import Consensus
import PeerWire
import Records

/// One who sees every message, and acts when it hurts most. Knows only what is on the wire.
///
/// Its plan is figure 8 of the Raft paper, on three nodes: the first leader's last entry stays
/// with it; the second leader's first entry stays with that one; the first leads again and brings
/// its old entry to a majority, but nothing of its new term; then the second comes back.
struct Adversary {
    enum Stage: Equatable {
        case waiting
        /// What the first leader appends reaches nobody.
        case firstIsAlone(Int)
        /// Somebody else leads, and is alone from the start.
        case secondIsAlone(first: Int, second: Int)
        /// The second is down; the first may send old entries only.
        case oldEntriesOnly(first: Int, second: Int)
        /// The first is down.
        case secondReturns(first: Int)
    }

    var stage = Stage.waiting
    /// The latest term in which a leader was seen, and who it is.
    var seenTerm = Term.zero
    var leader: Int?
    /// The latest term of an append, and until when appends of that term are lost.
    var heardTerm = Term.zero
    var mutedUntil = Instant.zero
    /// Stages are left behind when their round is over.
    var round = 0
}

extension Simulation {
    /// Whether a frame passes; the adversary may hold it back.
    func admit(_ frame: [UInt8], from node: Int, to peer: Int) -> Bool {
        guard !isMuted(frame) else { return false }
        guard options.adversary, isSafetyPhase else { return true }
        guard let request = Self.appendRequest(frame) else { return true }
        if request.term > adversary.seenTerm {
            adversary.seenTerm = request.term
            adversary.leader = node
            sawLeader(node)
        }
        switch adversary.stage {
        case .waiting, .secondReturns: return true
        case .firstIsAlone(let first): return node != first && peer != first
        case .secondIsAlone(let first, let second):
            return node != second && peer != second && (node != first || !request.hasOwnTerm)
        case .oldEntriesOnly(let first, _): return node != first || !request.hasOwnTerm
        }
    }

    /// Where voters die, a new leader is not heard for a while: somebody else may still stand.
    private func isMuted(_ frame: [UInt8]) -> Bool {
        guard options.crashesVoters, isSafetyPhase,
            frame[4] == FrameKind.appendRequest.rawValue
        else { return false }
        let term = Term(frame.span.littleEndian(at: Frame.headerByteCount))
        if term > adversary.heardTerm {
            adversary.heardTerm = term
            let isMuted = random.chance(50)
            adversary.mutedUntil = isMuted ? later(options.electionTimeout / 5) : .zero
        }
        return term == adversary.heardTerm && now < adversary.mutedUntil
    }

    private static func appendRequest(_ frame: [UInt8]) -> AppendRequest? {
        guard frame[4] == FrameKind.appendRequest.rawValue,
            case let range = Frame.headerByteCount..<frame.count,
            let received = try? ConsensusFrames.read(.appendRequest, range, frame.span),
            case .appendRequest(let request) = received.message
        else { return nil }
        return request
    }

    private func sawLeader(_ node: Int) {
        switch adversary.stage {
        case .firstIsAlone(let first) where node != first:
            enter(.secondIsAlone(first: first, second: node))
            plan(after: 30_000_000)
        case .secondIsAlone(let first, let second) where node == first:
            enter(.oldEntriesOnly(first: first, second: second))
            plan(after: options.electionTimeout / 2)
        default: break
        }
    }

    private func enter(_ stage: Adversary.Stage) {
        note("adversary: \(stage)")
        adversary.stage = stage
        adversary.round += 1
    }

    private func plan(after delay: UInt64) {
        queue.insert(.adversary(adversary.round), at: later(delay))
    }

    /// The time of a stage has come to its end.
    func actAdversary(_ round: Int) {
        guard isSafetyPhase, options.adversary, round == adversary.round else { return }
        let timeout = options.electionTimeout
        switch adversary.stage {
        case .waiting:
            guard let leader = adversary.leader, nodes[leader].isRunning else {
                return plan(after: timeout)
            }
            enter(.firstIsAlone(leader))
            plan(after: timeout * 6)
        case .firstIsAlone: rest()
        case .secondIsAlone(_, let second):
            guard nodes[second].isRunning else { return rest() }
            crash(nodes[second], losingPower: false, after: timeout * 6)
            plan(after: timeout * 5)
        case .oldEntriesOnly(let first, let second):
            enter(.secondReturns(first: first))
            statistics.cover(.figureEight)
            crash(nodes[first], losingPower: random.chance(50), after: timeout * 5)
            queue.insert(.start(node: second), at: later(1_000_000))
            plan(after: timeout * 4)
        case .secondReturns: rest()
        }
    }

    private func rest() {
        enter(.waiting)
        plan(after: options.electionTimeout * (1 + random.below(6)))
    }

    /// How long the adversary keeps a frame back: of candidates of one term, one is heard late,
    /// by voters who have died and come back since.
    func hold(_ frame: [UInt8]) -> UInt64 {
        guard options.crashesVoters, isSafetyPhase,
            frame[4] == FrameKind.voteRequest.rawValue, random.chance(50)
        else { return 0 }
        return random.below(options.electionTimeout / 6)
    }

    /// Acts on what a node has just sent: one who has voted dies, and is back at once.
    func observe(_ bytes: [UInt8], from node: SimulatedNode, to peer: Int) {
        guard options.crashesVoters, isSafetyPhase, bytes.count > Frame.headerByteCount else {
            return
        }
        let range =
            Frame.headerByteCount..<Frame.headerByteCount
            + Int(bytes.span.littleEndian(UInt32.self, at: 0))
        guard bytes[4] == FrameKind.voteResponse.rawValue,
            let received = try? ConsensusFrames.read(.voteResponse, range, bytes.span),
            case .voteResponse(_, granted: true) = received.message, random.chance(50)
        else { return }
        statistics.cover(.voterDiesAfterVoting)
        crash(node, losingPower: random.chance(50), after: random.number(in: 100_000...8_000_000))
    }
}

extension AppendRequest {
    fileprivate var hasOwnTerm: Bool { entries.contains { $0.position.term == term } }
}
