/// The numbers that the core works with. The same on all members.
package struct ConsensusSettings: Sendable {
    /// A follower that hears no leader for this long, and up to half as long again, stands for
    /// election; a leader that hears no majority for this long steps down. Ten round trips or more.
    package var electionTimeoutNanoseconds: UInt64 = 500_000_000
    /// How often an idle leader speaks. At most a quarter of the election timeout.
    package var heartbeatNanoseconds: UInt64 = 100_000_000
    /// Bytes of entries in one append; a longer single entry goes alone.
    package var maxAppendBytes = 1 << 20
    /// Entries in one append. What is left waits for the next one.
    package var maxEntriesPerAppend = 256
    /// Unacknowledged bytes to one follower, overrun by one append at most. Beyond it, what is new
    /// waits for the follower's answers. After a loss it is less for a while.
    package var maxInflightBytes = 8 << 20
    /// Reads that wait for confirmation. One more is refused like one to a follower.
    package var maxPendingReads = 4_096
    /// Bytes that a member may lack when leadership is handed to it. Where it lacks more, the
    /// transfer is refused: it could not be sent in an election timeout.
    package var maxTransferLagBytes = 8 << 20
    /// Bytes that a learner may lack when it becomes a voter. Where it lacks more, it is refused:
    /// until it had them, one voter less could fail.
    package var maxPromotionLagBytes = 1 << 20
    /// Messages that wait until term and vote are durable. More are dropped, as a network may.
    package var maxHeldMessages = 64
    package var plantedBugs = PlantedBugs()

    package init() {}

    func validate() {
        precondition(heartbeatNanoseconds > 0, "no heartbeat interval")
        precondition(
            electionTimeoutNanoseconds / 4 >= heartbeatNanoseconds,
            "election timeout \(electionTimeoutNanoseconds) ns, heartbeat \(heartbeatNanoseconds)")
        precondition(maxAppendBytes > 0 && maxEntriesPerAppend > 0, "an append holds no entry")
        precondition(maxInflightBytes > 0, "nothing may be in flight")
        precondition(
            maxTransferLagBytes >= 0 && maxPromotionLagBytes >= 0, "a lag of less than nothing")
        precondition(maxPendingReads > 0 && maxHeldMessages > 0, "a queue without room")
    }
}
