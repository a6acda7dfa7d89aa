import Bytes
import Records
import SegmentLog
import Simulation
import Testing

let testCluster = Identifier(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)
let testIdentity = DiskIdentity(
    clusterID: testCluster, nodeID: NodeID(3), incarnation: Identifier(high: 21, low: 22))
let testSettings = LogSettings(segmentBytes: 4_096, groupEntries: 4, groupBytes: 8_192)

/// A log on a simulated disk, and what it should hold.
struct TestLog {
    let disk: SimulatedDisk
    let settings: LogSettings
    var catalogue: Catalogue
    var writer: LogWriter<SimulatedDisk>
    /// What was acknowledged.
    var entries: [Entry]
    var vote: DurableVote

    /// A new log in a new directory.
    init(settings: LogSettings = testSettings) throws {
        let disk = SimulatedDisk()
        try LogDirectory.initialize(disk: disk, identity: testIdentity)
        try self.init(recovering: disk, settings: settings)
    }

    /// Opens what is on the disk.
    init(recovering disk: SimulatedDisk, settings: LogSettings = testSettings) throws {
        let recovered = try LogDirectory.recover(
            disk: disk, clusterID: testCluster, settings: settings)
        try self.init(recovered, on: disk, settings: settings)
    }

    init(_ recovered: Recovered, on disk: SimulatedDisk, settings: LogSettings) throws {
        self.disk = disk
        self.settings = settings
        catalogue = recovered.catalogue
        writer = LogWriter(disk: disk, settings: settings, recovered: recovered)
        entries = try readAll(recovered.catalogue, from: disk)
        vote = recovered.vote
    }

    /// Places the entry that comes next and makes the task that writes it.
    mutating func plan(
        _ kind: EntryKind, bodyByteCount: Int = 0, records: Int = 0
    ) -> (task: LogTask, entry: Entry) {
        let previous = catalogue.lastHeader
        let number = previous.map { $0.index.value } ?? 0
        var random = RandomSource(seed: number &* 31 &+ vote.term.value)
        var body: [UInt8] = []
        while body.count < bodyByteCount { body.append(littleEndian: random.next()) }
        body.removeLast(body.count - bodyByteCount)
        let entry = Entry(
            kind: kind, term: vote.term, after: previous, recordCount: records,
            timestamp: Timestamp(microseconds: 1_000_000 + Int64(number)), body: body)
        return (.append(entry.bytes, at: catalogue.append(entry.header)), entry)
    }

    /// Appends entries as one batch of tasks: body sizes, and a SEAL where there is nil.
    mutating func append(_ bodyByteCounts: [Int?]) throws {
        var tasks: [LogTask] = []
        var added: [Entry] = []
        for bodyByteCount in bodyByteCounts {
            let planned =
                if let bodyByteCount {
                    plan(.events, bodyByteCount: bodyByteCount, records: 2)
                } else {
                    plan(.seal, bodyByteCount: 16)
                }
            tasks.append(planned.task)
            added.append(planned.entry)
        }
        try writer.perform(tasks)
        entries += added
    }

    /// Appends the entries one by one, each durable before the next.
    mutating func appendEach(_ bodyByteCounts: [Int?]) throws {
        for bodyByteCount in bodyByteCounts { try append([bodyByteCount]) }
    }

    mutating func truncate(from index: UInt64) throws {
        try writer.perform([.truncate(catalogue.truncate(from: LogIndex(index)))])
        entries.removeSubrange((Int(index) - 1)...)
    }

    mutating func store(_ vote: DurableVote) throws {
        try writer.perform([.storeVote(vote)])
        self.vote = vote
    }

    /// The log as another process would find it.
    func reopened() throws -> TestLog {
        try TestLog(recovering: SimulatedDisk(copying: disk), settings: settings)
    }
}

/// Every entry of the catalogue, read back verified.
func readAll(_ catalogue: Catalogue, from disk: SimulatedDisk) throws -> [Entry] {
    let reader = LogReader(disk: disk)
    var entries: [Entry] = []
    var index = LogIndex(1)
    while let place = catalogue.place(of: index) {
        entries.append(try reader.read(place))
        index = index.next
    }
    return entries
}

/// What recovery says of the disk without changing it; nil when it would start.
func failure(of disk: SimulatedDisk) -> RecoveryFailure? {
    do {
        _ = try LogDirectory.inspect(disk: disk, clusterID: testCluster)
        return nil
    } catch { return error }
}

/// The file of the corruption that recovery finds; nil when it finds none.
func corruptFile(of disk: SimulatedDisk) -> String? {
    if case .corrupt(let file, _, _) = failure(of: disk) { file } else { nil }
}
