import Consensus
import Ledger
package import Records
import SegmentLog

// Uses of sessions: bookkeeping that gateways report and the leader writes down, at most once a
// minute for a session. Gateways report again what the directory does not show.

extension Replica {
    /// Sessions whose use waits to be recorded. More are reported again.
    static let waitingUses = 65_536

    /// Uses of sessions, from a gateway.
    package mutating func noteUses(_ uses: [SessionUse]) {
        guard serves else { return }
        for use in uses where isWorthRecording(use) && sessionUses.count < Self.waitingUses {
            sessionUses[use.session] = max(use.usedAt, sessionUses[use.session] ?? use.usedAt)
        }
    }

    private func isWorthRecording(_ use: SessionUse) -> Bool {
        guard let session = ledger.directory.session(use.session) else { return false }
        return use.usedAt >= session.usedAt.advanced(byMicroseconds: SessionRules.useInterval)
    }

    /// Proposes one entry for the uses that wait; those of expired sessions are forgotten: nobody
    /// comes back to life by a late report.
    mutating func proposeSessionUses(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        guard serves, !sessionUses.isEmpty else { return }
        let uses = sessionUses.map { SessionUse(session: $0.key, usedAt: $0.value) }
            .filter { use in
                isWorthRecording(use)
                    && ledger.directory.standing(of: use.session, at: use.usedAt) == .usable
            }
            .sorted { $0.session < $1.session }
            .prefix(SessionUses.limit)
        guard !uses.isEmpty else { return sessionUses.removeAll() }
        for use in uses { sessionUses[use.session] = nil }
        closeBatch(now: now, wall: wall, into: &outcome)
        var body: [UInt8] = []
        DirectoryCommand(
            request: Identifier(high: 0, low: 0), author: TokenID(0),
            change: .directory(.useSessions(Array(uses)))
        ).append(to: &body)
        let previous = catalogue.lastHeader
        propose(
            Entry(
                kind: .directory, term: consensus.term, after: previous, recordCount: 0,
                timestamp: timestamp(after: previous, wall: wall), body: body),
            now: now, into: &outcome)
    }
}
