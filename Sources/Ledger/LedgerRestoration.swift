import Bytes
package import Records

// A new cluster on the events of an old one.

extension Ledger {
    /// Turns the state of a cluster that was backed up into that of the one that `genesis` founds on
    /// its log, which ends with `seal`, the last of `segmentCount` segments, maybe before the state's
    /// own end.
    ///
    /// Holds and erasures stay as they are newest; compactions that were under way and mail that is owed
    /// are forgotten, and tokens and sessions too unless `keepsTokens`.
    package mutating func found(
        _ genesis: Genesis, on seal: EntryHeader, segmentCount: Int, keepsTokens: Bool
    ) {
        if !keepsTokens { directory.voidCredentials() }
        if directory.token(genesis.administrator.id) == nil {
            directory.insert(genesis.administrator)
        }
        begin(genesis, origin: origin ?? genesis.clusterID)
        answers = CommandAnswers()
        alerts.restart()
        directory.restartMail()
        applied = seal.index
        nextSequence = seal.nextSequence
        lastTimestamp = seal.timestamp
        stateTable = .zero
        retention.end(with: seal, segmentCount: UInt64(segmentCount))
    }
}
