package import Consensus
package import Records
package import SegmentLog

/// When a leader begins a run of compactions by itself.
package struct CompactionSchedule: Equatable, Sendable {
    /// From the beginning of one run to that of the next, by the wall clock.
    package let periodMicroseconds: UInt64
    package let order: CompactionOrder

    package init(periodMicroseconds: UInt64, order: CompactionOrder) {
        self.periodMicroseconds = periodMicroseconds
        self.order = order
    }
}

/// The numbers that one node works with.
package struct ReplicaSettings: Sendable {
    package var consensus = ConsensusSettings()
    package var log = LogSettings()
    /// Bytes of proposed events that are not yet committed. Beyond it submits are refused.
    package var uncommittedBytes = 64 * 1_024 * 1_024
    /// Entries applied in one turn; what is left waits for the next, so that heartbeats go on.
    package var entriesPerTurn = 256
    /// Bytes of entries read back from disk in one turn, for applying or answering; what is left
    /// waits for the next.
    package var readBytesPerTurn = 8 * 1_024 * 1_024
    /// Queries that wait for a read to be confirmed. One more is sent elsewhere.
    package var waitingQueries = 4_096
    /// Bytes in a second that are asked of peers while this node takes over their files.
    package var fetchBytesPerSecond: UInt64 = 64 * 1_024 * 1_024
    /// In how long the whole archive is read and verified once.
    package var scrubPeriodNanoseconds: UInt64 = 7 * 86_400 * 1_000_000_000
    /// Bytes in a second that are read for it at most.
    package var scrubBytesPerSecond: UInt64 = 8 * 1_024 * 1_024
    /// Entries that came from peers before this start, for the status.
    package var repairedEntries: UInt64 = 0
    /// How long a page that waits for events is kept before it is answered empty.
    package var pageWaitNanoseconds: UInt64 = 2_000_000_000
    /// How often clients hear this node's status when nothing changes.
    package var statusNanoseconds: UInt64 = 100_000_000

    /// Segments of one step of a compaction.
    package var compactionSegments = 8
    /// How often a node says how far it is with a compaction.
    package var compactionReportNanoseconds: UInt64 = 1_000_000_000
    /// How long a leader waits for a majority to make the same files, and before it tries again.
    package var compactionNanoseconds: UInt64 = 300_000_000_000
    /// With a greater difference between its clock and a command's time a node withholds its
    /// report: a wrong clock must not take away history.
    package var clockDifferenceMicroseconds: Int64 = 300_000_000
    /// Runs that a leader begins by itself; nil: none.
    package var compactionSchedule: CompactionSchedule?
    /// Bytes of the disk below which events are not taken; nil: enough for two segments and one
    /// step of a compaction (eight more), or a fifth of a disk on which that would be more.
    package var reserveBytes: UInt64?

    /// Bytes at which a segment ends.
    package var segmentBytes: Int {
        get { log.segmentBytes }
        set { log.segmentBytes = newValue }
    }

    func watermark(total: UInt64) -> UInt64 {
        reserveBytes ?? min(10 * UInt64(log.segmentBytes), total / 5)
    }

    /// Bytes that a follower leaves free: below them it takes no entries.
    func floor(total: UInt64) -> UInt64 { min(UInt64(log.segmentBytes), total / 32) }

    package init() {}
}
