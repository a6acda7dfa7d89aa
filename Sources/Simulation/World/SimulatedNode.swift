import Bytes
import Consensus
import Crypto
import EventIndex
import Maintenance
import PeerWire
import Records
import Replica
import SegmentLog

/// One machine: a disk that stays, and a process that comes and goes.
final class SimulatedNode {
    /// What lives in the process and is gone with it.
    struct Process {
        var replica: Replica
        var writer: LogWriter<SimulatedDisk>
        var persist: PersistWriter<SimulatedDisk>
        var maintainer: Maintainer<SimulatedDisk>
        var outcome = ReplicaOutcome()
        /// Tasks that the log writer has not begun.
        var waiting: [LogTask] = []
        /// Tasks that it is at.
        var writing: [LogTask] = []
        /// What the maintainer has still to do.
        var maintenance: [MaintenanceTask] = []
        /// When the next turn is; turns planned for another time are void.
        var nextTurn: Instant?
        /// Whom the clients' numbers mean, newest last.
        var clients: [(id: ClientID, link: GatewayLink)] = []
        /// The members to which it keeps connections, and when it looked at them last.
        var linked: [NodeID] = []
        var linkedVersion: UInt64?
        /// The checks have seen commits through here.
        var checkedCommit = LogIndex.zero
    }

    let place: Int
    let id: NodeID
    let disk: SimulatedDisk
    /// Another one after the disk was replaced.
    private(set) var incarnation: Identifier
    var process: Process?
    /// In the place of a process, while the end of the log is damaged.
    var repair: TailRepair<SimulatedDisk>?
    /// When the next turn of the repair is; turns planned for another time are void.
    var nextRepair: Instant?
    /// Bits of the log were flipped since it started last.
    var isRotten = false
    /// The bits of the end of the log that were flipped, while `isRotten`.
    var flippedBits: [(file: String, bit: Int)] = []
    /// Files of the log as they were before a write was misdirected, while `isRotten`.
    var goodFiles: [(file: String, bytes: [UInt8])] = []
    /// Since when it is being repaired.
    var repairingSince = Instant.zero
    /// Archived segments whose files were damaged, and were not seen whole again.
    var rottenSegments: [SegmentDescriptor] = []
    /// Another file that was damaged since the last start: one at a time.
    var aside: String?
    /// It led when it was last heard of.
    var hasLed = false
    /// A damaged table of the index was removed: the next start builds it again.
    var isIndexDamageFound = false
    /// When the room on the disk was measured.
    var measuredAt = Instant.zero
    /// What the last start met.
    var start = (wasTorn: false, isOnOlderState: false)
    /// Its disk is empty: it stays down until it gets a new one.
    private(set) var isWiped = false
    /// Its disk returned to an earlier state.
    var wasRolledBack = false
    /// The process that ended last, and its disk.
    private(set) var former: (life: Int, disk: Identifier)?
    /// How many processes have run; events of an earlier one are void.
    var life = 0
    /// Microseconds that the wall clock is ahead.
    var clockOffset: Int64 = 0
    /// Until then every write takes this much longer.
    var stalledUntil = Instant.zero

    /// `isJoining`: it is no founder.
    init(
        place: Int, genesis: Entry, cluster: Identifier, isJoining: Bool = false
    ) throws {
        self.place = place
        id = NodeID(UInt32(place + 1))
        disk = SimulatedDisk()
        incarnation = Identifier(high: UInt64(place + 1), low: 1)
        try Self.initialize(
            disk,
            DiskIdentity(
                clusterID: cluster, nodeID: id, incarnation: incarnation, isJoining: isJoining),
            genesis)
    }

    private static func initialize(
        _ disk: SimulatedDisk, _ identity: DiskIdentity, _ genesis: Entry
    ) throws {
        try LogDirectory.initialize(disk: disk, identity: identity)
        let recovered = try LogDirectory.recover(disk: disk, clusterID: identity.clusterID)
        var catalogue = recovered.catalogue
        var writer = LogWriter(
            disk: disk, settings: LogSettings(segmentBytes: 16 * 1_024), recovered: recovered)
        var persist = PersistWriter(disk: disk, recovered: recovered)
        try writer.perform(
            [.append(genesis.bytes, at: catalogue.append(genesis.header))], marking: &persist)
    }

    /// The disk is empty. The process has ended before.
    func wipe() {
        precondition(process == nil, "node \(id) runs while its disk is wiped")
        disk.rollBack(to: SimulatedDisk())
        isWiped = true
        isRotten = false
        flippedBits = []
        goodFiles = []
        repair = nil
        nextRepair = nil
        life += 1
    }

    /// A new disk with the genesis alone, as `daybook init node --join` leaves it.
    func replaceDisk(genesis: Entry, cluster: Identifier) throws {
        precondition(isWiped, "node \(id) has a disk")
        incarnation = Identifier(high: incarnation.high, low: incarnation.low + 1)
        let fresh = SimulatedDisk()
        try Self.initialize(
            fresh,
            DiskIdentity(
                clusterID: cluster, nodeID: id, incarnation: incarnation, isJoining: true),
            genesis)
        disk.rollBack(to: fresh)
        isWiped = false
    }

    var isRunning: Bool { process != nil }
    var replica: Replica? { process?.replica }

    /// Starts a process on what the disk holds.
    func start(
        settings: ReplicaSettings, cluster: Identifier, supersededBytes: Int,
        random: inout RandomSource, now: Instant
    ) throws {
        let recovered = try LogDirectory.recover(
            disk: disk, clusterID: cluster, settings: settings.log)
        var key: [UInt8] = []
        for _ in 0..<4 { key.append(littleEndian: random.next()) }
        let index = try IndexTables.start(
            recovered.catalogue.archive, disk: disk, seed: RevisionKey.Seed(random.next()))
        let replica = try Replica(
            recovered: recovered, source: ArchiveSource(disk: disk),
            index: DiskArchiveIndex(index.tables, disk: disk), settings: settings, key: key,
            seed: random.next(), now: now)
        var writer = LogWriter(disk: disk, settings: settings.log, recovered: recovered)
        try Self.prepareNext(&writer, disk, settings)
        life += 1
        start = (
            recovered.cut != nil,
            recovered.state.map { $0.seal < recovered.catalogue.archive.lastIndex } ?? false
        )
        var maintainer = Maintainer(
            disk: disk, manifest: recovered.catalogue.archive, tables: index.tables)
        maintainer.supersededStepBytes = supersededBytes
        process = Process(
            replica: replica, writer: writer,
            persist: PersistWriter(disk: disk, recovered: recovered), maintainer: maintainer)
    }

    /// Makes the file of the next segment; without room for it the writer does without.
    static func prepareNext(
        _ writer: inout LogWriter<SimulatedDisk>, _ disk: SimulatedDisk,
        _ settings: ReplicaSettings
    ) throws(DiskError) {
        guard writer.needsSpare else { return }
        do throws(DiskError) {
            try LogWriter.makeSpare(on: disk, settings: settings.log)
        } catch {
            guard error.code == DiskError.noSpace else { throw error }
            if try disk.byteCount(of: FileName.spare) != nil { try disk.remove(FileName.spare) }
            return
        }
        writer.adoptSpare()
    }

    /// Ends the process inside whatever the log writer was at; then the disk loses what a loss of
    /// power takes, or nothing when only the process was killed.
    func crash(losingPower: Bool, random: inout RandomSource) {
        guard var ended = process else { return }
        former = (life, incarnation)
        process = nil
        let tasks = ended.writing
        if !tasks.isEmpty, !disk.hasCrashed, random.chance(70) {
            disk.plan(.crash, at: disk.operationCount + random.below(8))
            _ = try? ended.writer.performOverlapping(
                tasks, marking: &ended.persist, on: disk, random: &random, done: { _ in })
        }
        disk.plan(.crash, at: -1)
        if losingPower {
            disk.restartAfterPowerLoss(&random)
        } else {
            disk.restart()
        }
    }
}
