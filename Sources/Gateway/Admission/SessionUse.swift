import Ledger
package import Records

// Uses of sessions on their way into the log: one a minute for a session, and the request that needs
// it waits until it is recorded. So a session is never good longer than it should be, and at most 60
// seconds shorter, whatever becomes of gateways and leaders meanwhile.

extension GatewayCore {
    /// Uses that wait at once. Requests beyond it are `not-ready`.
    static let waitingUses = 65_536
    /// A use that the directory does not show after so long is reported again.
    static let reportNanoseconds: UInt64 = 1_000_000_000

    /// What waits to be recorded of one session.
    struct WaitingUse {
        var usedAt: Timestamp
        var reportedAt: Instant?
    }

    /// Whether the session's use has to be recorded first; then it waits from here on.
    mutating func awaitsUse(_ credential: Credential) throws(Refusal) -> Bool {
        guard let id = credential.session?.id, let session = directory?.session(id) else {
            return false
        }
        let due = session.usedAt.advanced(byMicroseconds: SessionRules.useInterval)
        guard moment.wall >= due, directory?.expiry(of: session) != nil else {
            waitingUses[id] = nil
            return false
        }
        guard waitingUses[id] == nil else { return true }
        guard waitingUses.count < Self.waitingUses else {
            throw Refusal(.notReady, "Too many sessions wait at the moment. Send it again.")
        }
        waitingUses[id] = WaitingUse(usedAt: moment.wall)
        return true
    }

    /// The uses that the leader is to be told of now.
    package mutating func takeUses(now: Instant) -> [SessionUse] {
        var uses: [SessionUse] = []
        for (id, use) in waitingUses {
            let isRecorded =
                directory?.session(id).map {
                    use.usedAt < $0.usedAt.advanced(byMicroseconds: SessionRules.useInterval)
                } ?? true
            if isRecorded {
                waitingUses[id] = nil
            } else if uses.count < SessionUses.limit,
                use.reportedAt.map({ now.nanoseconds(since: $0) >= Self.reportNanoseconds }) ?? true
            {
                waitingUses[id]?.reportedAt = now
                uses.append(SessionUse(session: id, usedAt: use.usedAt))
            }
        }
        return uses.sorted { $0.session < $1.session }
    }

    /// The leader is another one: what the last one was told may be lost.
    package mutating func reportUsesAgain() {
        for id in waitingUses.keys { waitingUses[id]?.reportedAt = nil }
    }

    package var hasWaitingUses: Bool { !waitingUses.isEmpty }
}
