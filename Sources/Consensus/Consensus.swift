internal import Bytes
package import Records

// Raft (Ongaro and Ousterhout 2014; Ongaro's dissertation) with pre-vote, check-quorum, ReadIndex
// and asynchronous log writes. What holds after every input (`checkInvariants`):
//
//  - base <= commit <= last, and durable <= last
//  - what is sent in a term, and a vote that is counted, is durable: until then it is in `held`
//  - a leader's term and vote are durable; its log only grows
//  - a follower's acknowledgement names an entry that is durable and verified in this term
//  - for each follower of a leader: match < next <= last + 1; next <= base while it needs an install
//  - the configuration is the newest one in the log; a leader follows up on all its members but itself
//  - from one configuration of the log to the next, at most one voter comes or goes; a leader that has
//    committed in its term has at most one change that is not committed
//  - what is at or below the base is committed, and the base never goes back

/// One member's part in electing leaders and agreeing on the log.
///
/// A pure value: every input has the time and fills an outcome, which the driver carries out and
/// clears before the next input. It knows entries by descriptor; the driver keeps their bytes.
package struct Consensus: Sendable {
    package let id: NodeID
    package let settings: ConsensusSettings
    /// The newest one in the log, committed or not.
    package internal(set) var configuration: Configuration

    // What the paper calls persistent state, as the next writes will leave it.
    package internal(set) var vote: DurableVote
    package internal(set) var log: LogOutline
    /// Counts truncations since the value was made.
    var logEpoch: UInt64 = 0

    // What of it the disk has.
    var durableVote: DurableVote
    package internal(set) var durableIndex: LogIndex
    /// Since when the log writer has owed an answer without giving any; nil when it owes none.
    var logOwedSince: Instant?
    /// Messages of this term, until the term and the vote in it are durable.
    var held: [Outcome.Envelope] = []

    package internal(set) var role = Role.follower
    package internal(set) var leader: NodeID?
    package internal(set) var commitIndex: LogIndex

    // Following.
    var heardLeader: Instant?
    /// The log equals the leader's through here, as this term's appends have shown.
    var verifiedIndex = LogIndex.zero
    /// The latest read round seen in this term.
    var seenReadContext: UInt64 = 0
    var electionDeadline: Instant
    /// A peer said that this node is no member any more, and no leader has spoken to it since.
    package internal(set) var isRetired = false

    // Standing for election.
    var grantedBy: [NodeID] = []

    // Leading.
    /// What is known of the other members, in ascending order; empty unless leading.
    package internal(set) var progress: [Progress] = []
    var heartbeatDeadline = Instant.zero
    var reads = PendingReads()
    var transfer: Transfer?

    var random: RandomSource
    private var reported: Standing
    /// The term was taken from the log and is to be stored with the first input.
    private var owesVote: Bool

    /// A member as it starts: `vote` and everything in `log` are durable, `commitIndex` is known
    /// to be committed (the log's base, when nothing better is known); `voters` and `learners` are
    /// those at the log's base.
    package init(
        id: NodeID, voters: [NodeID], learners: [NodeID] = [], settings: ConsensusSettings,
        vote: DurableVote, log: LogOutline, commitIndex: LogIndex, seed: UInt64, now: Instant
    ) {
        settings.validate()
        precondition(
            commitIndex >= log.base.index && commitIndex <= log.last.index,
            "commit index \(commitIndex) of a log \(log.base)...\(log.last)")
        self.id = id
        self.settings = settings
        let base = Configuration(voters: voters, learners: learners)
        // Entries of a term may reach the disk before the term itself; then nothing was said in it.
        owesVote = vote.term < log.last.term
        self.vote = owesVote ? DurableVote(term: log.last.term, votedFor: nil) : vote
        self.log = log
        self.log.begin(with: base)
        configuration = self.log.configuration ?? base
        self.commitIndex = commitIndex
        durableVote = vote
        durableIndex = log.last.index
        random = RandomSource(seed: seed)
        electionDeadline = now
        reported = Standing(role: .follower, term: self.vote.term, leader: nil)
        if configuration.voters != [id] { restartElectionTimer(now: now) }
    }
}

// MARK: - What a driver may ask

extension Consensus {
    package var term: Term { vote.term }
    /// The term that this node promised and will remember.
    package var durableTerm: Term { durableVote.term }

    package var standing: Standing { Standing(role: role, term: vote.term, leader: leader) }

    package var lastPosition: LogPosition { log.last }

    package var durablePosition: LogPosition {
        guard let term = log.term(at: durableIndex) else { return log.base }
        return LogPosition(term: term, index: durableIndex)
    }

    /// The end of the log now. A write that brings the disk up to here reports it when complete.
    package var logMark: LogMark { LogMark(position: log.last, epoch: logEpoch) }

    package func term(at index: LogIndex) -> Term? { log.term(at: index) }

    /// Whether this leader has committed an entry of its own term, so that it knows what is
    /// committed (Raft paper section 8).
    package var hasCommittedInTerm: Bool {
        role == .leader && log.term(at: commitIndex) == vote.term
    }

    /// When `tick` is due, if no other input comes before.
    package func nextDeadline() -> Instant {
        guard role == .leader else { return electionDeadline }
        let deadline = min(heartbeatDeadline, quorumDeadline())
        return min(deadline, transfer?.deadline ?? deadline)
    }

    /// The log writer has owed an answer for half an election timeout. A leader then falls silent,
    /// so that the others elect one whose disk works.
    package func isDiskStalled(now: Instant) -> Bool {
        guard let logOwedSince else { return false }
        return now.nanoseconds(since: logOwedSince) > settings.electionTimeoutNanoseconds / 2
    }
}

// MARK: - Inputs

extension Consensus {
    /// Does what is due at `now`: elections, heartbeats, stepping down without a majority.
    package mutating func tick(now: Instant, into outcome: inout Outcome) {
        if role == .leader {
            tickLeader(now: now, into: &outcome)
        } else if now >= electionDeadline {
            electionTimedOut(now: now, into: &outcome)
        }
        report(into: &outcome)
    }

    /// Takes a message from another member. Throws, unchanged, on what no working member sends.
    package mutating func receive(
        _ message: Message, from sender: NodeID, now: Instant, into outcome: inout Outcome
    ) throws(MessageDefect) {
        precondition(
            outcome.acceptedEntries == nil && outcome.noOperation == nil,
            "the outcome of the input before was not cleared")
        // Not only from members: this log may not name the newest ones yet (dissertation 4.1).
        guard sender != id else { throw .sender(sender) }
        switch message {
        case .preVoteRequest(let term, let last):
            receivePreVoteRequest(
                term: term, last: last, from: sender, now: now, into: &outcome)
        case .preVoteResponse(let term, let granted):
            receivePreVoteResponse(
                term: term, granted: granted, from: sender, now: now, into: &outcome)
        case .voteRequest(let term, let last, let byOrder):
            receiveVoteRequest(
                term: term, last: last, byOrder: byOrder, from: sender, now: now, into: &outcome)
        case .voteResponse(let term, let granted):
            receiveVoteResponse(
                term: term, granted: granted, from: sender, now: now, into: &outcome)
        case .appendRequest(let request):
            try receiveAppendRequest(request, from: sender, now: now, into: &outcome)
        case .appendResponse(let response):
            try receiveAppendResponse(response, from: sender, now: now, into: &outcome)
        case .timeoutNow(let term):
            receiveTimeoutNow(term: term, from: sender, now: now, into: &outcome)
        case .installHint(let term, let base):
            try receiveInstallHint(
                term: term, base: base, from: sender, now: now, into: &outcome)
        }
        report(into: &outcome)
    }

    /// Puts the leader's next entry into the log and sends it; the driver writes it, then reports
    /// `logMark` as it is after this call.
    ///
    /// Traps unless this node leads and the entry is the next one, of its own term, and on a change
    /// of the members that `changeRefusal` refuses.
    package mutating func propose(
        _ entry: EntryDescriptor, now: Instant, into outcome: inout Outcome
    ) {
        precondition(role == .leader, "node \(id) proposes as \(role.rawValue)")
        precondition(
            entry.position.term == vote.term, "entry \(entry.position) in term \(vote.term)")
        if let changed = entry.configuration, let refusal = changeRefusal(to: changed, now: now) {
            preconditionFailure("node \(id) changes the members to \(changed): \(refusal)")
        }
        log.append(entry)
        if entry.configuration != nil { adoptConfiguration(now: now) }
        noteLogWrite(now: now)
        for place in progress.indices { replicate(to: place, now: now, into: &outcome) }
    }

    /// The log is durable through `mark`. Of an earlier epoch it is ignored: a later write, which
    /// every truncation is followed by, will say it again.
    package mutating func logDurable(
        through mark: LogMark, now: Instant, into outcome: inout Outcome
    ) {
        let isCurrent = mark.epoch == logEpoch || settings.plantedBugs.contains(.staleDurability)
        guard isCurrent, mark.position.index > durableIndex, log.contains(mark.position) else {
            return
        }
        durableIndex = mark.position.index
        logOwedSince = durableIndex < log.last.index ? now : nil
        if role == .leader {
            advanceCommit(now: now, into: &outcome)
        } else {
            acknowledgeVerified(into: &outcome)
        }
        report(into: &outcome)
    }

    /// `stored`, once an outcome's `voteToStore`, is durable.
    package mutating func voteDurable(
        _ stored: DurableVote, now: Instant, into outcome: inout Outcome
    ) {
        guard stored.term >= durableVote.term else { return }
        durableVote = stored
        guard isVoteDurable else { return }
        outcome.messages.append(contentsOf: held)
        held.removeAll(keepingCapacity: true)
        countOwnVote(now: now, into: &outcome)
        report(into: &outcome)
    }

    /// Forgets the entries through `index`, which must be committed and durable. Followers that
    /// need one of them are named in `installs`, and told.
    package mutating func releaseLog(through index: LogIndex) {
        precondition(
            index <= commitIndex && index <= durableIndex,
            "release through \(index), committed \(commitIndex), durable \(durableIndex)")
        log.release(through: index)
    }
}

// MARK: - Shared by the roles

extension Consensus {
    var isVoteDurable: Bool { durableVote == storedForm(of: vote) }

    private func storedForm(of vote: DurableVote) -> DurableVote {
        guard settings.plantedBugs.contains(.voteNotPersisted) else { return vote }
        return DurableVote(term: vote.term, votedFor: nil)
    }

    mutating func setVote(_ changed: DurableVote, into outcome: inout Outcome) {
        precondition(
            changed.term > vote.term || (changed.term == vote.term && vote.votedFor == nil),
            "\(vote) cannot become \(changed)")
        vote = changed
        if !isVoteDurable { outcome.voteToStore = storedForm(of: changed) }
    }

    /// Sends `message`, or keeps it until term and vote are durable.
    mutating func send(_ message: Message, to receiver: NodeID, into outcome: inout Outcome) {
        let envelope = Outcome.Envelope(to: receiver, message: message)
        if isVoteDurable {
            outcome.messages.append(envelope)
        } else if held.count < settings.maxHeldMessages {
            held.append(envelope)
        }
    }

    /// Follows, in `term` if that is later than its own, nobody or `leader`.
    mutating func becomeFollower(
        term: Term, leader newLeader: NodeID?, now: Instant, into outcome: inout Outcome
    ) {
        precondition(term >= vote.term, "term \(vote.term) cannot become \(term)")
        if role == .leader { stopLeading(into: &outcome) }
        role = .follower
        leader = newLeader
        if newLeader == nil { heardLeader = nil }
        grantedBy.removeAll(keepingCapacity: true)
        if term > vote.term {
            held.removeAll(keepingCapacity: true)
            verifiedIndex = .zero
            seenReadContext = 0
            heardLeader = nil
            setVote(DurableVote(term: term, votedFor: nil), into: &outcome)
        }
        restartElectionTimer(now: now)
    }

    mutating func noteLogWrite(now: Instant) {
        if logOwedSince == nil { logOwedSince = now }
    }

    mutating func setCommit(_ index: LogIndex, now: Instant, into outcome: inout Outcome) {
        precondition(
            index > commitIndex && index <= log.last.index,
            "commit \(index) after \(commitIndex) in a log that ends at \(log.last)")
        commitIndex = index
        outcome.committed = index
        if settings.plantedBugs.contains(.configurationAtApply) { adoptConfiguration(now: now) }
    }

    /// Names a change of role, term or leader since the last outcome that did.
    private mutating func report(into outcome: inout Outcome) {
        if owesVote {
            owesVote = false
            if !isVoteDurable { outcome.voteToStore = storedForm(of: vote) }
        }
        guard standing != reported else { return }
        reported = standing
        outcome.standing = reported
    }
}
