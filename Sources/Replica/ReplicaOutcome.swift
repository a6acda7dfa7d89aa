package import Consensus
package import Maintenance
package import PeerWire
package import Records
package import SegmentLog

/// A connection to a gateway or tool, as the driver numbers them; never used twice.
package struct ClientID: Hashable, Sendable {
    package let value: UInt64

    package init(_ value: UInt64) { self.value = value }
}

/// Whom frames are for.
package enum Destination: Equatable, Sendable {
    case peer(NodeID)
    case client(ClientID)
}

/// Why a node cannot go on; it stops and says so, and is not started again by itself.
package enum ReplicaFailure: Error, Sendable {
    /// An entry does not follow the log that it matches.
    case chain(LogPosition)
    /// An entry cannot be what the log says.
    case ledger(String)
    /// An entry that this node stored cannot be read back.
    case storage(String)
    /// A table of the index is damaged. It was removed; the next start builds it again.
    case index(String)
}

/// What happened, for the node's log.
package enum ReplicaEvent: Equatable, Sendable {
    case standing(Standing)
    case serving(Term)
    /// A follower lacks entries that are in the archive only.
    case followerNeedsInstall(NodeID)
    /// This node does, and begins to fetch them.
    case needsInstall(InstallHint)
    case handsOver(to: NodeID)
    case transferAbandoned(to: NodeID)
    case truncated(from: LogIndex)
    case sealed(LogIndex)
    case archived(through: LogIndex)
    /// This node made its outputs; the text says what became of the events.
    case compacted(LogIndex, String)
    /// This node cannot make what the compaction asks for.
    case compactionFailed(LogIndex, String)
    /// No majority made the same files; everything stays as it was.
    case compactionAbandoned(LogIndex)
    /// A file of the archive was taken over from peers, or repaired by them.
    case fetched(file: String, byteCount: Int, of: Takeover?)
    /// A file of the archive is not what it should be: peers are asked for it.
    case damaged(file: String)
    /// What the peer sent is not what was asked for.
    case fetchedWrong(NodeID)
    case peerRefused(NodeID, String)
    /// An entry that sets the members was put into the log.
    case membersChange(LogIndex)
    /// A leader says that this node, or its disk, is no member; why.
    case retired(by: NodeID, String)
    /// Less is free than the watermark, or enough again.
    case diskLow(Bool, free: UInt64)
}

/// What the driver must do after a turn, in this order: hand the tasks to the log writer, send the
/// frames, run the reads.
package struct ReplicaOutcome {
    package struct Frames {
        package let destination: Destination
        package var bytes: [UInt8]
    }

    /// For the log writer, in order; then `written(_:)` with how many are done.
    package var tasks: [LogTask] = []
    package var frames: [Frames] = []
    package var reads: [ReadJob] = []
    /// For the maintainer, in order; then `maintained(_:)` with what came of each.
    package var maintenance: [MaintenanceTask] = []
    /// Answers to peers, for a reader to read.
    package var fetches: [FetchJob] = []
    /// The log on the disk is another one now: the driver opens everything anew.
    package var wantsReopening = false
    package var events: [ReplicaEvent] = []
    /// There is more to do at once: begin another turn without waiting.
    package var wantsTurn = false
    package var failure: ReplicaFailure?

    package init() {}

    /// Empties it and keeps the memory.
    package mutating func clear() {
        tasks.removeAll(keepingCapacity: true)
        frames.removeAll(keepingCapacity: true)
        reads.removeAll(keepingCapacity: true)
        maintenance.removeAll(keepingCapacity: true)
        events.removeAll(keepingCapacity: true)
        fetches.removeAll(keepingCapacity: true)
        wantsTurn = false
        wantsReopening = false
        failure = nil
    }

    /// Lets `write` append frames for `destination`.
    mutating func send(to destination: Destination, _ write: (inout [UInt8]) -> Void) {
        if let last = frames.last, last.destination == destination {
            write(&frames[frames.count - 1].bytes)
        } else {
            var bytes: [UInt8] = []
            write(&bytes)
            frames.append(Frames(destination: destination, bytes: bytes))
        }
    }
}
