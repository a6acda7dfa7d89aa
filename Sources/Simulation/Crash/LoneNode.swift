import Bytes
import Consensus
import Crypto
import EventIndex
import Ledger
import Maintenance
import PeerWire
import Records
import Replica
import SegmentLog

/// The node of a one-node cluster on a simulated disk, without a network or threads: for scripts
/// that a crash cuts.
struct LoneNode {
    static let cluster = Identifier(high: 3, low: 4)
    static let administrator = TokenID(1)
    private static let client = ClientID(1)

    let disk: SimulatedDisk
    private(set) var replica: Replica
    private var writer: LogWriter<SimulatedDisk>
    private var persist: PersistWriter<SimulatedDisk>
    private var maintainer: Maintainer<SimulatedDisk>
    private var outcome = ReplicaOutcome()
    private var tasks: [LogTask] = []
    private var maintenance: [MaintenanceTask] = []
    private var now = Instant(nanoseconds: 1_000_000_000)
    private let hash = SHA256()

    /// Makes the node's files on an empty disk.
    static func found(on disk: SimulatedDisk, settings: ReplicaSettings) throws {
        let token = TokenRow(
            id: administrator, kind: .administrator, application: "t", name: "t",
            permissions: ["*"], secretDigest: [UInt8](repeating: 0, count: 32),
            createdAt: Timestamp(microseconds: 0))
        let genesis = Genesis(
            clusterID: cluster, members: [Member(id: NodeID(1), address: "n:1")],
            administrator: token
        ).entry(createdAt: Timestamp(microseconds: 0))
        let identity = DiskIdentity(
            clusterID: cluster, nodeID: NodeID(1), incarnation: Identifier(high: 5, low: 6))
        try LogDirectory.initialize(disk: disk, identity: identity)
        let recovered = try LogDirectory.recover(disk: disk, clusterID: cluster)
        var catalogue = recovered.catalogue
        var writer = LogWriter(disk: disk, settings: settings.log, recovered: recovered)
        var persist = PersistWriter(disk: disk, recovered: recovered)
        try writer.perform(
            [.append(genesis.bytes, at: catalogue.append(genesis.header))], marking: &persist)
    }

    /// Starts it, lets it lead, and does all that it finds to do.
    init(on disk: SimulatedDisk, settings: ReplicaSettings) throws {
        self.disk = disk
        let recovered = try LogDirectory.recover(
            disk: disk, clusterID: Self.cluster, settings: settings.log)
        let index = try IndexTables.start(
            recovered.catalogue.archive, disk: disk, seed: RevisionKey.Seed(7))
        replica = try Replica(
            recovered: recovered, source: ArchiveSource(disk: disk),
            index: DiskArchiveIndex(index.tables, disk: disk), settings: settings,
            key: [UInt8](repeating: 5, count: KeyStream.keyByteCount), seed: 3, now: now)
        writer = LogWriter(disk: disk, settings: settings.log, recovered: recovered)
        persist = PersistWriter(disk: disk, recovered: recovered)
        maintainer = Maintainer(
            disk: disk, manifest: recovered.catalogue.archive, tables: index.tables)
        now = max(now, replica.consensus.nextDeadline())
        try settle()
    }

    private mutating func turn() throws {
        repeat {
            replica.endTurn(
                now: now, wall: Timestamp(microseconds: Int64(now.nanoseconds / 1_000)),
                into: &outcome)
            tasks += outcome.tasks
            maintenance += outcome.maintenance
            if let failure = outcome.failure { throw Violation("the node stops: \(failure)") }
            let wantsTurn = outcome.wantsTurn
            outcome.clear()
            if !wantsTurn { return }
        } while true
    }

    /// Until log writer and maintainer have nothing to do.
    mutating func settle() throws {
        try turn()
        while !tasks.isEmpty || !maintenance.isEmpty {
            let work = tasks
            tasks = []
            try writer.perform(work, marking: &persist)
            if !work.isEmpty { replica.written(work.count, now: now, into: &outcome) }
            try turn()
            if !maintenance.isEmpty {
                let task = maintenance.removeFirst()
                replica.maintained(try maintainer.perform(task), into: &outcome)
                try turn()
            }
        }
    }

    /// Posts one event, which is acknowledged on return.
    mutating func post(_ uniqueID: String, note: Int) throws {
        let content = EventDraft.content(
            uniqueID: Array(uniqueID.utf8), note: note, padding: 300, token: Self.administrator,
            hash: hash)
        var payload: [UInt8] = []
        Submit.begin(batch: UInt64(note), in: &payload)
        Submit.appendItem(expected: nil, to: &payload)
        payload += content.draft
        try replica.submit(
            0..<payload.count, in: payload.span, from: Self.client, now: now,
            wall: Timestamp(microseconds: 0), into: &outcome)
        try settle()
    }

    /// Carries out a command, and everything that follows from it.
    mutating func command(_ number: UInt64, _ change: DirectoryCommand.Change) throws {
        var record: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "a", subject: "s", details: Array("{}".utf8), application: "t",
            writtenBy: Self.administrator.description, to: &record)
        let command = DirectoryCommand(
            request: Identifier(high: 1, low: number), author: Self.administrator, change: change)
        replica.command(
            CommandRequest(id: number, record: record, command: command), from: Self.client,
            into: &outcome)
        try settle()
    }

    /// Brings all records of the log to `body`, in order, from the files as they are now.
    func readRecords(_ body: (StoredHead, Span<UInt8>) throws -> Void) throws {
        let source = ArchiveSource(disk: disk)
        let catalogue = replica.catalogue
        var index = LogIndex(1)
        while index <= catalogue.lastIndex {
            let entry =
                if let place = catalogue.place(of: index) {
                    try source.entry(at: place)
                } else {
                    try source.archivedEntry(at: index, in: catalogue.archive)
                }
            index = index.next
            var offset = entry.header.bodyRange.lowerBound
            for _ in 0..<entry.header.recordCount {
                let stored = try StoredHead(
                    decoding: entry.bytes.span, at: offset,
                    end: entry.header.bodyRange.upperBound)
                try body(stored, entry.bytes.span)
                offset = stored.range.upperBound
            }
        }
    }
}

extension Manifest {
    /// Throws a Violation when a segment or its places are not there, or not what this says.
    func checkSegments(on disk: SimulatedDisk) throws {
        let hash = SHA256()
        let names = Set(try disk.list())
        for segment in segments {
            guard names.contains(segment.file), names.contains(segment.places) else {
                throw Violation("\(segment.file) is not there")
            }
            var hasher = ChunkHasher()
            let bytes = disk.contents(of: segment.file) ?? []
            hasher.update(bytes.span, in: 0..<bytes.count)
            guard hasher.finish().root(hash) == segment.digest else {
                throw Violation("\(segment.file) is not what the manifest says")
            }
        }
    }
}
