internal import BugZoo
internal import Records

// Followers that need what a leader holds no longer entry by entry: Raft paper section 7. The core
// moves no state. It tells such a follower from where on entries can be had; the follower's driver
// fetches what is before, from whichever peer it likes, and begins anew with a log that has a base.

extension Consensus {
    /// The follower's next entry is in the archive. It gets no entries until it answers for the base;
    /// heartbeats go on, so that it stays a voter that is heard.
    mutating func beginInstall(of place: Int, into outcome: inout Outcome) {
        guard progress[place].state != .install else { return }
        progress[place].state = .install
        outcome.installs.append(progress[place].id)
    }

    /// Tells a follower that it needs an install, at most once in an election timeout.
    mutating func hintInstall(to place: Int, now: Instant, into outcome: inout Outcome) {
        guard progress[place].state == .install, now >= progress[place].hintDeadline else { return }
        progress[place].hintDeadline =
            now.advanced(byNanoseconds: settings.electionTimeoutNanoseconds)
        send(
            .installHint(term: vote.term, base: log.base), to: progress[place].id, into: &outcome)
    }

    /// A leader has no entries for this node up to and including `base`. What is committed here
    /// already needs none: a base below it would take away what was acknowledged.
    mutating func receiveInstallHint(
        term: Term, base: LogPosition, from sender: NodeID, now: Instant,
        into outcome: inout Outcome
    ) throws(MessageDefect) {
        guard base.term <= term else { throw .entryFromLaterTerm(base, than: term) }
        guard term >= vote.term else { return }
        follow(sender, term: term, now: now, into: &outcome)
        let isHeld = base.index <= commitIndex || log.contains(base)
        guard !isHeld || settings.plantedBugs.contains(.installGoesBack) else { return }
        outcome.needsInstall = InstallHint(from: sender, base: base)
    }
}
