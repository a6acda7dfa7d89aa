import Consensus
import PeerWire
package import Records
import SegmentLog

// The watermark: events stop before the disk is full, so that what makes room (sealing, compaction,
// erasure, votes) always can be written. Reads go on, and it clears by itself.

/// What this node knows of the cluster's disks.
struct DiskWatch {
    /// How often peers are told.
    static let periodNanoseconds: UInt64 = 1_000_000_000
    /// Growth is measured over this many samples of a minute at most.
    static let samples = 60
    static let sampleNanoseconds: UInt64 = 60_000_000_000

    var own = DiskSpace.unknown
    /// Bytes of the log that were on it when that was measured.
    var measuredByteCount = 0
    /// What peers said last, and when.
    var peers: [(id: NodeID, disk: DiskSpace, heard: Instant)] = []
    var healthDeadline = Instant.zero
    /// Bytes of the log, a minute apart.
    private var growth: [(time: Instant, byteCount: UInt64)] = []

    mutating func note(_ disk: DiskSpace, of peer: NodeID, now: Instant) {
        peers.removeAll { $0.id == peer }
        peers.append((peer, disk, now))
    }

    mutating func sample(_ byteCount: UInt64, now: Instant) {
        if let last = growth.last, now.nanoseconds(since: last.time) < Self.sampleNanoseconds {
            return
        }
        growth.append((now, byteCount))
        if growth.count > Self.samples { growth.removeFirst() }
    }

    /// Bytes in a day at the rate since the oldest sample.
    func bytesPerDay(_ byteCount: UInt64, now: Instant) -> UInt64 {
        guard let oldest = growth.first, byteCount > oldest.byteCount else { return 0 }
        let seconds = now.nanoseconds(since: oldest.time) / 1_000_000_000
        guard seconds > 0 else { return 0 }
        return (byteCount - oldest.byteCount) * 86_400 / seconds
    }

    /// Whether a peer said so lately.
    func isLow(_ peer: NodeID, now: Instant) -> Bool {
        guard let known = peers.first(where: { $0.id == peer }) else { return false }
        return known.disk.isLow && now.nanoseconds(since: known.heard) < 5 * Self.periodNanoseconds
    }
}

extension Replica {
    /// The driver measured the disk. It does so every second at least.
    package mutating func measured(
        free: UInt64, total: UInt64, now: Instant, wall: Timestamp,
        into outcome: inout ReplicaOutcome
    ) {
        let wasLow = disks.own.isLow
        disks.own = DiskSpace(
            free: free, total: total, watermark: settings.watermark(total: total))
        // What the log writer has still to write is not gone from the free bytes yet.
        disks.measuredByteCount =
            catalogue.byteCount
            - consensus.log.byteCount(
                after: consensus.durablePosition.index, through: catalogue.lastIndex)
        disks.sample(UInt64(catalogue.byteCount), now: now)
        if disks.own.isLow != wasLow {
            outcome.events.append(.diskLow(disks.own.isLow, free: free))
            statusDeadline = .zero
            disks.healthDeadline = .zero
        }
        guard now >= disks.healthDeadline else { return }
        disks.healthDeadline = now.advanced(byNanoseconds: DiskWatch.periodNanoseconds)
        for peer in peers {
            outcome.send(to: .peer(peer)) { bytes in
                Frame.append(.nodeHealth, to: &bytes) { disks.own.append(to: &$0) }
            }
        }
        if disks.own.isLow { yieldLeadership(now: now, wall: wall, into: &outcome) }
    }

    /// Whether this leader takes no events for want of room: its own, or of so many that no majority
    /// has any.
    func lacksRoom(now: Instant) -> Bool {
        guard !disks.own.isLow else { return true }
        let low = voters.count { $0 != identity.nodeID && disks.isLow($0, now: now) }
        return voters.count - low < voters.count / 2 + 1
    }

    /// A leader without room hands over to a voter that has some, when a majority has.
    private mutating func yieldLeadership(
        now: Instant, wall: Timestamp, into outcome: inout ReplicaOutcome
    ) {
        guard serves, consensus.transferTarget == nil else { return }
        let roomy = voters.filter { voter in
            voter != identity.nodeID
                && disks.peers.contains { $0.id == voter && $0.disk.total > 0 }
                && !disks.isLow(voter, now: now)
        }
        guard roomy.count >= voters.count / 2 + 1 else { return }
        for voter in roomy {
            do throws(TransferRefusal) {
                return try beginTransfer(to: voter, now: now, wall: wall, into: &outcome)
            } catch { continue }
        }
    }

    /// Whether entries of this many bytes may not fit any more. What was written since the disk was
    /// measured counts as if nothing of it had been room that was set aside.
    func isFull(for byteCount: Int) -> Bool {
        guard disks.own.total > 0, byteCount > 0 else { return false }
        let written = max(0, catalogue.byteCount - disks.measuredByteCount)
        let needed = UInt64(written + byteCount) + settings.floor(total: disks.own.total)
        return disks.own.free < needed
    }
}
