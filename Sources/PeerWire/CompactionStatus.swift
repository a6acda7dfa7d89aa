import Bytes
package import Records

/// Events that compactions took away and bytes of the segments that they went over.
package struct CompactionFigures: Equatable, Sendable {
    package var compacted: UInt64 = 0
    package var erased: UInt64 = 0
    package var bytesBefore: UInt64 = 0
    package var bytesAfter: UInt64 = 0

    package init() {}

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        compacted = try cursor.integer(bytes)
        erased = try cursor.integer(bytes)
        bytesBefore = try cursor.integer(bytes)
        bytesAfter = try cursor.integer(bytes)
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: compacted)
        payload.append(littleEndian: erased)
        payload.append(littleEndian: bytesBefore)
        payload.append(littleEndian: bytesAfter)
    }
}

/// What a node says of holds, erasures and compactions to gateways.
package struct CompactionStatus: Equatable, Sendable {
    /// How far this node is with the open compaction. The number is the wire's.
    package enum Stage: UInt8, CaseIterable, Sendable {
        case idle = 0
        case working = 1
        case made = 2
        /// Its clock disagrees with the command's time.
        case withheld = 3
        /// It cannot make what is asked for, and takes no part.
        case failed = 4
        case swapped = 5

        package var slug: String {
            switch self {
            case .idle: "idle"
            case .working: "working"
            case .made: "made"
            case .withheld: "withheld"
            case .failed: "failed"
            case .swapped: "swapped"
            }
        }
    }

    /// The run under way, or the one that ended last.
    package struct Run: Equatable, Sendable {
        /// The number is the wire's.
        package enum Outcome: UInt8, CaseIterable, Sendable {
            case underWay = 0
            case completed = 1
            case noMajority = 2
            case stopped = 3

            package var slug: String {
                switch self {
                case .underWay: "under-way"
                case .completed: "completed"
                case .noMajority: "no-majority"
                case .stopped: "stopped"
                }
            }
        }

        package var index: LogIndex
        package var policy: CompactionPolicy
        package var outcome: Outcome
        package var startedAt: Timestamp
        /// Segments that it goes over, and those that are done.
        package var segments: UInt64
        package var done: UInt64

        package init(
            index: LogIndex, policy: CompactionPolicy, outcome: Outcome, startedAt: Timestamp,
            segments: UInt64, done: UInt64
        ) {
            self.index = index
            self.policy = policy
            self.outcome = outcome
            self.startedAt = startedAt
            self.segments = segments
            self.done = done
        }
    }

    /// nil when there never was one.
    package var run: Run?
    /// What this node made for that run, since it started.
    package var figures = CompactionFigures()
    /// What it made in all, since it started.
    package var total = CompactionFigures()
    package var stage = Stage.idle
    /// The newest compaction that the log says is done, and the newest that this node's files show.
    package var doneThrough = LogIndex.zero
    package var swappedThrough = LogIndex.zero
    /// Nothing is left to do here, and no file that a compaction replaced is left.
    package var isSettled = true
    /// Erased unique_ids whose bytes are in segments yet.
    package var pendingErasures: UInt32 = 0
    package var holds: UInt32 = 0

    package init() {}

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let flags: UInt8 = try cursor.integer(bytes)
        guard flags < 4, let stage = Stage(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset - 1)
        }
        isSettled = flags & 1 != 0
        self.stage = stage
        if flags & 2 != 0 { run = try Run(&cursor, bytes) }
        figures = try CompactionFigures(&cursor, bytes)
        total = try CompactionFigures(&cursor, bytes)
        doneThrough = LogIndex(try cursor.integer(bytes))
        swappedThrough = LogIndex(try cursor.integer(bytes))
        pendingErasures = try cursor.integer(bytes)
        holds = try cursor.integer(bytes)
    }

    func append(to payload: inout [UInt8]) {
        payload.append((isSettled ? 1 : 0) | (run == nil ? 0 : 2))
        payload.append(stage.rawValue)
        run?.append(to: &payload)
        figures.append(to: &payload)
        total.append(to: &payload)
        payload.append(littleEndian: doneThrough.value)
        payload.append(littleEndian: swappedThrough.value)
        payload.append(littleEndian: pendingErasures)
        payload.append(littleEndian: holds)
    }
}

extension CompactionStatus.Run {
    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        index = LogIndex(try cursor.integer(bytes))
        let place = cursor.offset
        guard let policy = CompactionPolicy(rawValue: try cursor.integer(bytes)),
            let outcome = Outcome(rawValue: try cursor.integer(bytes))
        else { throw ByteDefect(offset: place) }
        (self.policy, self.outcome) = (policy, outcome)
        startedAt = Timestamp(microseconds: try cursor.integer(bytes))
        segments = try cursor.integer(bytes)
        done = try cursor.integer(bytes)
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: index.value)
        payload.append(littleEndian: policy.rawValue)
        payload.append(outcome.rawValue)
        payload.append(littleEndian: startedAt.microseconds)
        payload.append(littleEndian: segments)
        payload.append(littleEndian: done)
    }
}
