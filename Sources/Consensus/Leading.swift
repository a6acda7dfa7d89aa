internal import Records

// A leader's view of its followers and of what is committed: Raft paper sections 5.3, 5.4.2 and 8;
// check-quorum: dissertation 6.2; pipelining and parallel writes: dissertation 10.2.

extension Consensus {
    mutating func becomeLeader(now: Instant, into outcome: inout Outcome) {
        precondition(
            role == .candidate && isVoteDurable && vote.votedFor == id,
            "node \(id) cannot lead as \(role.rawValue) with \(vote)")
        role = .leader
        leader = id
        heartbeatDeadline = now
        for member in configuration.voters + configuration.learners where member != id {
            track(member, from: log.last.index.next, now: now)
        }
        progress.sort { $0.id < $1.id }
        outcome.noOperation = LogPosition(term: vote.term, index: log.last.index.next)
    }

    /// Begins to follow up on a member, of which nothing is known, with the entry at `next`.
    mutating func track(_ member: NodeID, from next: LogIndex, now: Instant) {
        progress.append(
            Progress(
                id: member, nextIndex: next,
                inflightLimit: settings.maxInflightBytes, now: now))
    }

    mutating func stopLeading(into outcome: inout Outcome) {
        progress.removeAll(keepingCapacity: true)
        transfer = nil
        reads.fail(into: &outcome)
    }

    mutating func tickLeader(now: Instant, into outcome: inout Outcome) {
        guard now < quorumDeadline() else {
            return becomeFollower(term: vote.term, leader: nil, now: now, into: &outcome)
        }
        tickTransfer(now: now, into: &outcome)
        guard now >= heartbeatDeadline else { return }
        broadcastHeartbeat(now: now, into: &outcome)
    }

    /// When a majority, this node included, will not have been heard for an election timeout.
    func quorumDeadline() -> Instant {
        guard configuration.voters != [id] else { return Instant(nanoseconds: .max) }
        let heard = configuration.agreed { voter in
            progress(of: voter)?.lastHeard ?? Instant(nanoseconds: .max)
        }
        return heard.advanced(byNanoseconds: settings.electionTimeoutNanoseconds)
    }

    /// Speaks to every follower, with entries where there are some to send.
    mutating func broadcastHeartbeat(now: Instant, into outcome: inout Outcome) {
        heartbeatDeadline = now.advanced(byNanoseconds: settings.heartbeatNanoseconds)
        guard !isDiskStalled(now: now) else { return }
        for place in progress.indices {
            if !sendEntries(to: place, into: &outcome) { sendEmpty(to: place, into: &outcome) }
            hintInstall(to: place, now: now, into: &outcome)
        }
        // The order may have been lost: each heartbeat repeats it.
        transfer?.isTold = false
        advanceTransfer(into: &outcome)
    }

    func progress(of member: NodeID) -> Progress? {
        for follower in progress where follower.id == member { return follower }
        return nil
    }
}

// MARK: - Sending

extension Consensus {
    /// Sends the follower what it lacks, as far as its window is open, and the commit index when
    /// there is nothing else that would bring it.
    mutating func replicate(to place: Int, now: Instant, into outcome: inout Outcome) {
        guard !isDiskStalled(now: now) else { return }
        while sendEntries(to: place, into: &outcome) {}
        let follower = progress[place]
        if follower.matchIndex == log.last.index, follower.sentCommit < commitIndex {
            sendEmpty(to: place, into: &outcome)
        }
        hintInstall(to: place, now: now, into: &outcome)
    }

    /// Sends one batch of entries; false when there is none to send now.
    private mutating func sendEntries(to place: Int, into outcome: inout Outcome) -> Bool {
        let follower = progress[place]
        guard follower.nextIndex <= log.last.index else { return false }
        guard follower.nextIndex > log.base.index else {
            beginInstall(of: place, into: &outcome)
            return false
        }
        switch follower.state {
        case .install, .probing(awaitsAnswer: true): return false
        case .probing(awaitsAnswer: false):
            progress[place].state = .probing(awaitsAnswer: true)
        case .replicating:
            guard inflightByteCount(of: follower) < follower.inflightLimit else { return false }
        }
        let entries = batch(from: follower.nextIndex)
        sendAppend(to: place, entries: entries, into: &outcome)
        if progress[place].state == .replicating {
            progress[place].nextIndex = follower.nextIndex.advanced(by: entries.count)
        }
        return true
    }

    /// Bytes sent to the follower and not acknowledged.
    private func inflightByteCount(of follower: Progress) -> Int {
        log.byteCount(after: follower.matchIndex, through: follower.nextIndex.previous)
    }

    private func batch(from first: LogIndex) -> [EntryDescriptor] {
        var entries: [EntryDescriptor] = []
        var byteCount = 0
        var index = first
        while index <= log.last.index, entries.count < settings.maxEntriesPerAppend {
            let entry = log.descriptor(at: index)
            byteCount += entry.byteCount
            if byteCount > settings.maxAppendBytes, !entries.isEmpty { break }
            entries.append(entry)
            index = index.next
        }
        return entries
    }

    /// Sends a heartbeat. It names the entry that the next append builds on, so that a follower
    /// that missed an append says so.
    mutating func sendEmpty(to place: Int, into outcome: inout Outcome) {
        sendAppend(to: place, entries: [], into: &outcome)
    }

    private mutating func sendAppend(
        to place: Int, entries: [EntryDescriptor], into outcome: inout Outcome
    ) {
        precondition(isVoteDurable, "a leader whose vote \(vote) is not durable")
        let previous = max(progress[place].nextIndex.previous, log.base.index)
        guard let previousTerm = log.term(at: previous) else {
            preconditionFailure("entry \(previous) is not in \(log.base)...\(log.last)")
        }
        // One who needs an install can commit nothing beyond the base before it has that.
        let isInstall = progress[place].state == .install
        let commit = isInstall ? min(commitIndex, log.base.index) : commitIndex
        let request = AppendRequest(
            term: vote.term, previous: LogPosition(term: previousTerm, index: previous),
            entries: entries, commit: commit, readContext: reads.context,
            window: progress[place].window)
        outcome.messages.append(
            Outcome.Envelope(to: progress[place].id, message: .appendRequest(request)))
        progress[place].sentCommit = commit
    }
}

// MARK: - Answers

extension Consensus {
    mutating func receiveAppendResponse(
        _ response: AppendResponse, from sender: NodeID, now: Instant, into outcome: inout Outcome
    ) throws(MessageDefect) {
        if response.term > vote.term {
            return becomeFollower(term: response.term, leader: nil, now: now, into: &outcome)
        }
        guard response.term == vote.term, role == .leader else { return }
        guard let place = progress.firstIndex(where: { $0.id == sender }) else { return }
        if case .matched(let through) = response.result {
            guard isKnown(through) else { throw .unknownEntry(through) }
        }
        progress[place].lastHeard = max(progress[place].lastHeard, now)
        progress[place].hasAnswered = true
        progress[place].readContext = max(progress[place].readContext, response.readContext)
        switch response.result {
        case .matched(let through):
            followerMatched(through.index, place: place)
            advanceCommit(now: now, into: &outcome)
            guard role == .leader else { return }
            advanceTransfer(into: &outcome)
        case .rejected(let previous, let hint, let window):
            guard window == progress[place].window else { break }
            followerRejected(previous, hint: hint, place: place, into: &outcome)
        }
        replicate(to: place, now: now, into: &outcome)
        confirmReads(now: now, into: &outcome)
    }

    /// Below the base the term is no longer known, but what is there is committed.
    private func isKnown(_ position: LogPosition) -> Bool {
        position.index < log.base.index || log.contains(position)
    }

    private mutating func followerMatched(_ index: LogIndex, place: Int) {
        let byteCount = log.byteCount(after: progress[place].matchIndex, through: index)
        progress[place].inflightLimit = min(
            progress[place].inflightLimit + byteCount, settings.maxInflightBytes)
        progress[place].matchIndex = max(progress[place].matchIndex, index)
        progress[place].nextIndex = max(progress[place].nextIndex, index.next)
        if progress[place].nextIndex > log.base.index { progress[place].state = .replicating }
    }

    /// Moves back to where the logs may agree (Raft paper section 5.3, at most one round a term)
    /// and asks there without entries. What was sent before is void from then on.
    private mutating func followerRejected(
        _ previous: LogIndex, hint: LogPosition, place: Int, into outcome: inout Outcome
    ) {
        let follower = progress[place]
        guard previous > follower.matchIndex, follower.state != .install else { return }
        let bound = min(hint.index, previous.previous)
        let agreed = log.lastPosition(through: bound, termAtMost: hint.term)
        let next = max(min(agreed.index, bound).next, follower.matchIndex.next)
        progress[place].nextIndex = next
        progress[place].window &+= 1
        if follower.state == .replicating {
            let lost = min(inflightByteCount(of: follower), follower.inflightLimit)
            progress[place].inflightLimit = max(lost / 2, 1)
        }
        guard next > log.base.index else { return beginInstall(of: place, into: &outcome) }
        progress[place].state = .probing(awaitsAnswer: true)
        sendEmpty(to: place, into: &outcome)
    }

    /// Commits what a majority holds durably, this node's own disk counted like any other, once an
    /// entry of the own term is among it (Raft paper section 5.4.2, figure 8).
    mutating func advanceCommit(now: Instant, into outcome: inout Outcome) {
        let early = settings.plantedBugs.contains(.acknowledgeBeforeSync)
        let ownIndex = early ? log.last.index : durableIndex
        let index = committing.agreed { voter in
            progress(of: voter)?.matchIndex ?? (voter == id ? ownIndex : .zero)
        }
        guard index > commitIndex else { return }
        guard log.term(at: index) == vote.term || settings.plantedBugs.contains(.countOldTerm)
        else { return }
        setCommit(index, now: now, into: &outcome)
        for place in progress.indices { replicate(to: place, now: now, into: &outcome) }
        stepDownIfRemoved(now: now, into: &outcome)
    }
}
