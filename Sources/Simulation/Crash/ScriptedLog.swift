package import Bytes
package import Records
package import SegmentLog

/// A log on a simulated disk, and what it should hold: for crash scripts and tests.
package struct ScriptedLog {
    package static let identity = DiskIdentity(
        clusterID: Identifier(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718),
        nodeID: NodeID(3), incarnation: Identifier(high: 21, low: 22))
    /// Small, so that segments, groups and files that grow are met often.
    package static let settings = LogSettings(
        segmentBytes: 4_096, groupEntries: 4, groupBytes: 8_192)

    package let disk: SimulatedDisk
    package let settings: LogSettings
    package var catalogue: Catalogue
    package var writer: LogWriter<SimulatedDisk>
    package var persist: PersistWriter<SimulatedDisk>
    /// What was acknowledged.
    package var entries: [Entry]
    package var vote: DurableVote

    /// A new log in a new directory.
    package init(settings: LogSettings = Self.settings) throws {
        let disk = SimulatedDisk()
        try LogDirectory.initialize(disk: disk, identity: Self.identity)
        try self.init(recovering: disk, settings: settings)
    }

    /// Opens what is on the disk.
    package init(
        recovering disk: SimulatedDisk, settings: LogSettings = Self.settings
    ) throws {
        let recovered = try LogDirectory.recover(
            disk: disk, clusterID: Self.identity.clusterID, settings: settings)
        try self.init(recovered, on: disk, settings: settings)
    }

    package init(
        _ recovered: Recovered, on disk: SimulatedDisk, settings: LogSettings
    ) throws {
        self.disk = disk
        self.settings = settings
        catalogue = recovered.catalogue
        writer = LogWriter(disk: disk, settings: settings, recovered: recovered)
        persist = PersistWriter(disk: disk, recovered: recovered)
        entries = try Self.readAll(recovered.catalogue, from: disk)
        vote = recovered.vote
    }

    /// Every entry of the catalogue, read back verified.
    package static func readAll(
        _ catalogue: Catalogue, from disk: SimulatedDisk
    ) throws -> [Entry] {
        let reader = LogReader(disk: disk)
        var entries: [Entry] = []
        var index = LogIndex(1)
        while let place = catalogue.place(of: index) {
            entries.append(try reader.read(place))
            index = index.next
        }
        return entries
    }

    /// Places the entry that comes next and makes the task that writes it.
    package mutating func plan(
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

    package mutating func perform(_ tasks: [LogTask]) throws(DiskError) {
        try writer.perform(tasks, marking: &persist)
    }

    /// Appends entries as one batch of tasks: body sizes, and a SEAL where there is nil.
    package mutating func append(_ bodyByteCounts: [Int?]) throws {
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
        try perform(tasks)
        entries += added
    }

    /// Appends the entries one by one, each durable before the next.
    package mutating func appendEach(_ bodyByteCounts: [Int?]) throws {
        for bodyByteCount in bodyByteCounts { try append([bodyByteCount]) }
    }

    package mutating func truncate(from index: UInt64) throws {
        try perform([.truncate(catalogue.truncate(from: LogIndex(index)))])
        entries.removeSubrange((Int(index) - 1)...)
    }

    package mutating func store(_ vote: DurableVote) throws {
        try perform([.storeVote(vote)])
        self.vote = vote
    }

    /// The log as another process would find it.
    package func reopened() throws -> ScriptedLog {
        try ScriptedLog(recovering: SimulatedDisk(copying: disk), settings: settings)
    }
}

extension LogWriter where D == SimulatedDisk {
    /// Does `tasks` as the threads of a node do them: a persist record is written while the next
    /// write is under way, and of several that wait the newest. `done` hears how many tasks are.
    package mutating func performOverlapping(
        _ tasks: [LogTask], marking persist: inout PersistWriter<SimulatedDisk>,
        on disk: SimulatedDisk, random: inout RandomSource, done: (Int) -> Void
    ) throws(DiskError) {
        var position = 0
        var waiting: DurableEnd?
        var waitingCount = 0
        /// Tasks whose record is under way.
        var underWay: Int?
        func settle() {
            disk.settlePostponed()
            if let count = underWay { done(count) }
            underWay = nil
        }
        while position < tasks.count {
            let step = try advance(tasks, from: position)
            position += step.taskCount
            waitingCount += step.taskCount
            waiting = step.end ?? waiting
            if step.isBarrier || random.below(2) == 0 { settle() }
            guard underWay == nil else { continue }
            if step.isBarrier || random.below(3) == 0 {
                if let end = waiting { try persist.write(end) }
                done(waitingCount)
            } else if let end = waiting, random.below(2) == 0 {
                disk.postponeNext()
                try persist.write(end)
                underWay = waitingCount
            } else {
                continue
            }
            (waiting, waitingCount) = (nil, 0)
        }
        settle()
        if let end = waiting { try persist.write(end) }
        done(waitingCount)
    }
}
