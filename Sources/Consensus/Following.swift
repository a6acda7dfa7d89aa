internal import Records

// A follower's log: Raft paper section 5.3; acknowledging only what is durable.

extension Consensus {
    mutating func receiveAppendRequest(
        _ request: AppendRequest, from sender: NodeID, now: Instant, into outcome: inout Outcome
    ) throws(MessageDefect) {
        try request.validate()
        guard request.term >= vote.term else {
            // The answer's term is what tells a deposed leader; its result is not read.
            return answer(
                .rejected(
                    previous: request.previous.index, hint: log.last, window: request.window),
                to: sender, into: &outcome)
        }
        follow(sender, term: request.term, now: now, into: &outcome)
        seenReadContext = max(seenReadContext, request.readContext)
        // What is committed is on every later leader, so it needs no comparison, only skipping.
        if request.previous.index > commitIndex, !log.contains(request.previous) {
            return reject(request, to: sender, into: &outcome)
        }
        accept(request, now: now, into: &outcome)
        commitVerified(request.commit, now: now, into: &outcome)
        // Entries that were accepted are acknowledged when durable; all else is answered at once.
        if outcome.acceptedEntries == nil || settings.plantedBugs.contains(.acknowledgeBeforeSync) {
            acknowledgeVerified(into: &outcome)
        }
    }

    /// Follows the leader of `term`, which is at least this node's own.
    mutating func follow(
        _ sender: NodeID, term: Term, now: Instant, into outcome: inout Outcome
    ) {
        precondition(
            term > vote.term || role != .leader, "\(sender) and \(id) both lead term \(term)")
        precondition(
            term > vote.term || leader == nil || leader == sender,
            "\(sender) leads term \(term), and so does \(leader?.value ?? 0)")
        becomeFollower(term: term, leader: sender, now: now, into: &outcome)
        heardLeader = now
        isRetired = false
    }

    private mutating func reject(
        _ request: AppendRequest, to sender: NodeID, into outcome: inout Outcome
    ) {
        let hint = log.lastPosition(
            through: request.previous.index, termAtMost: request.previous.term)
        answer(
            .rejected(previous: request.previous.index, hint: hint, window: request.window),
            to: sender, into: &outcome)
    }

    /// Appends what the log lacks, first cutting off what contradicts.
    private mutating func accept(
        _ request: AppendRequest, now: Instant, into outcome: inout Outcome
    ) {
        let known = knownCount(of: request)
        if known < request.entries.count {
            let first = request.entries[known].position.index
            if first <= log.last.index { cut(from: first, now: now, into: &outcome) }
            for entry in request.entries[known...] { log.append(entry) }
            adoptConfiguration(now: now)
            outcome.acceptedEntries = known..<request.entries.count
            noteLogWrite(now: now)
        }
        verifiedIndex = max(verifiedIndex, commitIndex, request.last.index)
        if settings.plantedBugs.contains(.heartbeatAdvancesMatch) { verifiedIndex = log.last.index }
    }

    /// How many of the entries, from the first, are in the log already.
    private func knownCount(of request: AppendRequest) -> Int {
        for (place, entry) in request.entries.enumerated() {
            if entry.position.index <= commitIndex { continue }
            if !log.contains(entry.position) { return place }
        }
        return request.entries.count
    }

    mutating func cut(from index: LogIndex, now: Instant, into outcome: inout Outcome) {
        precondition(
            index > commitIndex, "cut at \(index), which is committed through \(commitIndex)")
        precondition(
            index > verifiedIndex, "cut at \(index), which term \(vote.term) verified")
        log.truncate(from: index)
        logEpoch += 1
        durableIndex = min(durableIndex, index.previous)
        outcome.truncateFrom = index
        if !settings.plantedBugs.contains(.configurationNotUndone) { adoptConfiguration(now: now) }
    }

    /// Commits what the leader committed, but never past what is known to equal its log.
    private mutating func commitVerified(
        _ index: LogIndex, now: Instant, into outcome: inout Outcome
    ) {
        let bound =
            settings.plantedBugs.contains(.commitUnverified) ? log.last.index : verifiedIndex
        let commit = min(index, bound)
        if commit > commitIndex { setCommit(commit, now: now, into: &outcome) }
    }

    /// Tells the leader how far the log is both its own and durable.
    mutating func acknowledgeVerified(into outcome: inout Outcome) {
        guard role == .follower, let leader, heardLeader != nil else { return }
        let early = settings.plantedBugs.contains(.acknowledgeBeforeSync)
        let index = min(max(verifiedIndex, commitIndex), early ? log.last.index : durableIndex)
        guard let term = log.term(at: index) else {
            preconditionFailure("durable entry \(index) is not in \(log.base)...\(log.last)")
        }
        answer(
            .matched(through: LogPosition(term: term, index: index)), to: leader, into: &outcome)
    }

    private mutating func answer(
        _ result: AppendResponse.Result, to receiver: NodeID, into outcome: inout Outcome
    ) {
        let response = AppendResponse(
            term: vote.term, result: result, readContext: seenReadContext)
        send(.appendResponse(response), to: receiver, into: &outcome)
    }
}
