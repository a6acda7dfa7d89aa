internal import Bytes
package import Records

// For the model check (docs/internals/model-check.md): a member without how long ago things happened,
// as bytes that are equal where members would do the same from then on.

extension Consensus {
    /// Every stored property of `Consensus`; `appendState` says each, but for those that never
    /// change and those of time and chance. A test holds it against the type.
    package static let statedProperties = [
        "id", "settings", "configuration", "vote", "log", "logEpoch", "durableVote",
        "durableIndex", "logOwedSince", "held", "role", "leader", "commitIndex", "heardLeader",
        "verifiedIndex", "seenReadContext", "electionDeadline", "isRetired",
        "grantedBy", "progress",
        "heartbeatDeadline", "reads", "transfer", "random", "reported", "owesVote",
    ]

    /// Makes everything that happened have happened at `now`, and the draws of chance the same for
    /// all: who checks a model says by himself which timer is over.
    package mutating func forgetTime(at now: Instant) {
        let timeout = settings.electionTimeoutNanoseconds
        if heardLeader != nil { heardLeader = now }
        if logOwedSince != nil { logOwedSince = now }
        electionDeadline = now.advanced(byNanoseconds: timeout + timeout / 4)
        heartbeatDeadline = now.advanced(byNanoseconds: settings.heartbeatNanoseconds)
        if let transfer {
            var changed = Transfer(
                target: transfer.target,
                deadline: now.advanced(byNanoseconds: settings.heartbeatNanoseconds * 2))
            changed.isTold = transfer.isTold
            self.transfer = changed
        }
        for place in progress.indices {
            progress[place].lastHeard = now
            progress[place].hintDeadline = .zero
        }
        random = RandomSource(seed: 0)
    }

    /// Appends the state with members named by `name`, so that states which differ by the names
    /// alone can be found equal. Numbers of a model are small: one that needs more than a byte traps.
    package func appendState(to bytes: inout [UInt8], name: (NodeID) -> UInt8) {
        precondition(
            log.configurationIndex == .zero && configuration.learners.isEmpty,
            "the model has no changes of members")
        append(vote, to: &bytes, name)
        append(durableVote, to: &bytes, name)
        bytes.append(UInt8(log.base.index.value))
        bytes.append(UInt8(log.base.term.value))
        bytes.append(UInt8(log.last.index.value))
        var index = log.base.index.next
        while index <= log.last.index {
            bytes.append(UInt8(log.descriptor(at: index).position.term.value))
            index = index.next
        }
        bytes.append(UInt8(logEpoch))
        bytes.append(UInt8(durableIndex.value))
        bytes.append(UInt8(commitIndex.value))
        bytes.append(UInt8(verifiedIndex.value))
        bytes.append(UInt8(seenReadContext))
        let flags = [logOwedSince != nil, heardLeader != nil, owesVote, isRetired]
        bytes.append(flags.reduce(0) { $0 << 1 | ($1 ? 1 : 0) })
        append(role, leader, to: &bytes, name)
        append(reported.role, reported.leader, to: &bytes, name)
        bytes.append(UInt8(reported.term.value))
        bytes.append(UInt8(grantedBy.count))
        bytes.append(contentsOf: grantedBy.map(name).sorted())
        bytes.append(UInt8(progress.count))
        for follower in progress.sorted(by: { name($0.id) < name($1.id) }) {
            append(follower, to: &bytes, name)
        }
        appendHeld(to: &bytes, name)
        reads.appendState(to: &bytes)
        bytes.append(transfer.map { name($0.target) << 1 | ($0.isTold ? 1 : 0) } ?? .max)
    }

    private func appendHeld(to bytes: inout [UInt8], _ name: (NodeID) -> UInt8) {
        bytes.append(UInt8(held.count))
        let texts = held.map { envelope in
            var text = [name(envelope.to)]
            envelope.message.appendState(to: &text)
            return text
        }
        for text in texts.sorted(by: { $0.lexicographicallyPrecedes($1) }) { bytes += text }
    }

    private func append(
        _ vote: DurableVote, to bytes: inout [UInt8], _ name: (NodeID) -> UInt8
    ) {
        bytes.append(UInt8(vote.term.value))
        bytes.append(vote.votedFor.map(name) ?? .max)
    }

    private func append(
        _ role: Role, _ leader: NodeID?, to bytes: inout [UInt8], _ name: (NodeID) -> UInt8
    ) {
        let number: UInt8 =
            switch role {
            case .follower: 0
            case .preCandidate: 1
            case .candidate: 2
            case .leader: 3
            }
        bytes.append(number)
        bytes.append(leader.map(name) ?? .max)
    }

    private func append(
        _ follower: Progress, to bytes: inout [UInt8], _ name: (NodeID) -> UInt8
    ) {
        bytes.append(name(follower.id))
        let state: UInt8 =
            switch follower.state {
            case .probing(let awaitsAnswer): awaitsAnswer ? 1 : 0
            case .replicating: 2
            case .install: 3
            }
        bytes.append(state)
        bytes.append(UInt8(follower.matchIndex.value))
        bytes.append(UInt8(follower.nextIndex.value))
        bytes.append(UInt8(follower.window))
        bytes.append(UInt8(follower.inflightLimit))
        bytes.append(UInt8(follower.sentCommit.value))
        bytes.append(UInt8(follower.readContext))
        bytes.append(follower.hasAnswered ? 1 : 0)
    }
}

extension Message {
    /// Appends all that it says; no member is named in it.
    package func appendState(to bytes: inout [UInt8]) {
        switch self {
        case .preVoteRequest(let term, let last):
            bytes += [0, UInt8(term.value), UInt8(last.term.value), UInt8(last.index.value)]
        case .preVoteResponse(let term, let granted):
            bytes += [1, UInt8(term.value), granted ? 1 : 0]
        case .voteRequest(let term, let last, let byOrder):
            bytes += [2, UInt8(term.value), UInt8(last.term.value), UInt8(last.index.value)]
            bytes.append(byOrder ? 1 : 0)
        case .voteResponse(let term, let granted):
            bytes += [3, UInt8(term.value), granted ? 1 : 0]
        case .appendRequest(let request):
            bytes += [4, UInt8(request.term.value), UInt8(request.previous.term.value)]
            bytes += [UInt8(request.previous.index.value), UInt8(request.commit.value)]
            bytes += [UInt8(request.readContext), UInt8(request.window)]
            bytes.append(UInt8(request.entries.count))
            bytes += request.entries.map { UInt8($0.position.term.value) }
        case .appendResponse(let response):
            bytes += [5, UInt8(response.term.value), UInt8(response.readContext)]
            switch response.result {
            case .matched(let through):
                bytes += [0, UInt8(through.term.value), UInt8(through.index.value)]
            case .rejected(let previous, let hint, let window):
                bytes += [1, UInt8(previous.value), UInt8(hint.term.value)]
                bytes += [UInt8(hint.index.value), UInt8(window)]
            }
        case .timeoutNow(let term): bytes += [6, UInt8(term.value)]
        case .installHint(let term, let base):
            bytes += [7, UInt8(term.value), UInt8(base.term.value), UInt8(base.index.value)]
        }
    }
}
