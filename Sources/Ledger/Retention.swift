import BugZoo
package import Bytes
package import Records

// Invariants:
// - everything here is a function of the applied entries alone
// - at most one compaction is open; a change of what it would make voids it until it is done
// - a run goes over the segments in their order, from the first
// - a unique_id is held or erased, never both; an erased one stays closed for ever
// - hidden events are those of erased unique_ids, in ascending order

/// A unique_id of which nothing may be taken away.
package struct Hold: Equatable, Sendable {
    package let uniqueID: [UInt8]
    package let mark: Digest
    package let reason: String
    package let author: TokenID
    package let since: Timestamp
}

/// A unique_id that was erased, by what is left of it.
package struct Erased: Equatable, Sendable {
    package let mark: Digest
    /// The ERASE entry.
    package let index: LogIndex
    package let author: TokenID
    package let erasedAt: Timestamp
    /// All its events, in ascending order.
    package let sequences: [Sequence]
    /// The compaction that took its bytes out of the segments, once a majority has swapped.
    package internal(set) var removedBy: LogIndex?
}

/// A command of an administrator or the schedule to compact all sealed segments, in steps.
package struct CompactionRun: Equatable, Sendable {
    /// The entry of the command.
    package let index: LogIndex
    package let startedAt: Timestamp
    package let policy: CompactionPolicy
    package let cut: Sequence
    package let timeBound: Timestamp
    /// Segments that it goes over, counted from the log's first.
    package let segmentCount: UInt64
    /// Those that are done.
    package internal(set) var doneCount: UInt64 = 0
    /// Whether the newest segment it goes over is the newest there is, until another is sealed.
    package let needsSeal: Bool
}

/// A compaction between its COMPACT entry and its last.
package struct OpenCompaction: Equatable, Sendable {
    /// The COMPACT entry.
    package let index: LogIndex
    package let startedAt: Timestamp
    package let compaction: Compaction
    /// The newest compaction that was done before: a node whose files do not show it cannot take part.
    package let follows: LogIndex
    /// The holds as they were at its entry.
    package internal(set) var held: [[UInt8]]
    /// What a majority made, one for each input; empty until it is done.
    package internal(set) var outputs: [Digest] = []

    package var isDone: Bool { !outputs.isEmpty }
}

/// How a run ended.
package struct RunResult: Equatable, Sendable {
    package enum Outcome: UInt8, Sendable {
        case completed = 1
        /// No majority made the same outputs: something is wrong with inputs or indexes.
        case noMajority = 2
        case stopped = 3
    }

    package let run: LogIndex
    package let policy: CompactionPolicy
    package let startedAt: Timestamp
    package let endedAt: Timestamp
    package let segmentCount: UInt64
    package let outcome: Outcome
}

/// What the log says of keeping and losing: holds, erased unique_ids, compactions.
package struct Retention: Equatable, Sendable {
    /// Holds of a cluster. One more is refused.
    package static let holdLimit = 10_000

    /// An entry that names a unique_id, and loses it when it is erased.
    struct Naming: Equatable, Sendable {
        let mark: Digest
        let index: LogIndex
    }

    /// Rises with every change of what a compaction would make.
    package internal(set) var version: UInt32 = 0
    /// In the order of their unique_ids' bytes.
    package internal(set) var holds: [Hold] = []
    /// In log order.
    package internal(set) var erased: [Erased] = []
    package internal(set) var run: CompactionRun?
    package internal(set) var open: OpenCompaction?
    package internal(set) var lastResult: RunResult?
    /// SEALs that were applied, and so the segments before the open one.
    package internal(set) var sealCount: UInt64 = 0
    package internal(set) var lastSeal = LogIndex.zero
    /// The sequence of the first event behind the last SEAL.
    package internal(set) var sealedSequence = Sequence.zero
    /// The newest compaction that was done: a manifest that is behind it lacks segments.
    package internal(set) var compactedThrough = LogIndex.zero
    /// In log order.
    var naming: [Naming] = []

    // Derived.
    private(set) var marks: Set<Digest> = []
    private(set) var hidden: [Sequence] = []

    package init() {}

    // MARK: - Asking

    package func isClosed(_ mark: Digest) -> Bool {
        marks.contains(mark) && !PlantedBug.erasedIDReopened.isPlanted
    }

    package var hasClosed: Bool { !marks.isEmpty }

    package func hold(of uniqueID: [UInt8]) -> Hold? {
        let place = place(ofHold: uniqueID)
        return place < holds.count && holds[place].uniqueID == uniqueID ? holds[place] : nil
    }

    package func erased(_ mark: Digest) -> Erased? { erased.first { $0.mark == mark } }

    /// Erased unique_ids whose bytes are in segments yet.
    package var pending: [Erased] { erased.filter { $0.removedBy == nil } }

    /// The events in `range` that nobody may see any more.
    package func hidden(in range: Range<Sequence>) -> ArraySlice<Sequence> {
        hidden[place(ofHidden: range.lowerBound)..<place(ofHidden: range.upperBound)]
    }

    /// The erased unique_ids that the compaction at `index` takes out.
    package func erased(before index: LogIndex) -> [Erased] {
        erased.filter { $0.index < index }
    }

    /// What a compaction of `pending` has to reach: entries that hold or name what is erased.
    package var pendingPlaces: (sequences: [Sequence], entries: [LogIndex]) {
        let pending = pending
        let sequences = pending.flatMap(\.sequences).sorted()
        let entries = naming.filter { named in pending.contains { $0.mark == named.mark } }
        return (sequences, entries.map(\.index))
    }

    // MARK: - Applying commands

    mutating func sealed(_ header: EntryHeader) {
        sealCount += 1
        lastSeal = header.index
        sealedSequence = header.nextSequence
    }

    mutating func begin(_ order: CompactionOrder, at header: EntryHeader) {
        let bound: Timestamp =
            order.policy == .newerThan
            ? header.timestamp.advanced(byMicroseconds: -Int(order.keptMicroseconds))
            : Timestamp(microseconds: .max)
        // The newest sealed segment stays, so that followers just behind it need no files. An order
        // that seals first has another SEAL behind itself.
        let needsSeal = order.sealsFirst && lastSeal.next == header.index
        let count = needsSeal ? sealCount : max(sealCount, 1) - 1
        run = CompactionRun(
            index: header.index, startedAt: header.timestamp, policy: order.policy,
            cut: sealedSequence, timeBound: bound, segmentCount: count, needsSeal: needsSeal)
        endRunIfComplete(at: header.timestamp)
    }

    mutating func addHold(
        _ id: NamedID, reason: String, author: TokenID, at header: EntryHeader
    ) {
        naming.append(Naming(mark: id.mark, index: header.index))
        guard hold(of: id.uniqueID) == nil, !id.uniqueID.isEmpty, !isClosed(id.mark) else {
            return
        }
        holds.insert(
            Hold(
                uniqueID: id.uniqueID, mark: id.mark, reason: reason, author: author,
                since: header.timestamp), at: place(ofHold: id.uniqueID))
        change()
    }

    mutating func removeHold(_ id: NamedID, at header: EntryHeader) {
        naming.append(Naming(mark: id.mark, index: header.index))
        guard hold(of: id.uniqueID) != nil else { return }
        holds.remove(at: place(ofHold: id.uniqueID))
        change()
    }

    /// `isNamed`: whether a unique_id is the one that is erased.
    mutating func erase(
        _ erasure: Erasure, sequences: [Sequence], at header: EntryHeader,
        isNamed: ([UInt8]) -> Bool
    ) {
        naming.append(Naming(mark: erasure.closedMark, index: header.index))
        guard !isClosed(erasure.closedMark) else { return }
        erased.append(
            Erased(
                mark: erasure.closedMark, index: header.index, author: erasure.author,
                erasedAt: header.timestamp, sequences: sequences))
        // The holds of a compaction that is done stand in state tables until it is collected. A
        // node that has its part still to do takes over what the others made.
        open?.held.removeAll(where: isNamed)
        change()
        derive()
    }

    /// What an open compaction would make is another thing now: it is void, unless it is done.
    private mutating func change() {
        version += 1
        if let open, !open.isDone { self.open = nil }
    }

    // MARK: - Applying compactions

    /// Why the compaction of an entry is void where it stands in the log; nil when it opens.
    package func objection(to compaction: Compaction) -> String? {
        guard open == nil else { return "another compaction is open" }
        guard compaction.policyVersion == version else {
            return "retention \(version) and not \(compaction.policyVersion)"
        }
        let isErasure = compaction.policy == CompactionPolicy.erasures.rawValue
        guard isErasure != pending.isEmpty else { return "erasures come first" }
        if isErasure { return nil }
        guard let run, run.policy.rawValue == compaction.policy, run.cut == compaction.cut,
            run.timeBound == compaction.timeBound,
            UInt64(compaction.inputs.count) <= run.segmentCount - run.doneCount
        else { return "no run asks for it" }
        return nil
    }

    mutating func open(_ compaction: Compaction, at header: EntryHeader) {
        guard objection(to: compaction) == nil else { return }
        open = OpenCompaction(
            index: header.index, startedAt: header.timestamp, compaction: compaction,
            follows: compactedThrough, held: holds.map(\.uniqueID))
    }

    mutating func done(_ index: LogIndex, outputs: [Digest]) {
        guard let open, open.index == index, !open.isDone,
            outputs.count == open.compaction.inputs.count
        else { return }
        self.open?.outputs = outputs
        compactedThrough = index
    }

    mutating func abandon(
        _ index: LogIndex, _ reason: CompactionAbandonment, at header: EntryHeader
    ) {
        guard let open, open.index == index, !open.isDone else { return }
        self.open = nil
        guard let run, reason != .superseded,
            open.compaction.policy != CompactionPolicy.erasures.rawValue
        else { return }
        end(run, reason == .noMajority ? .noMajority : .stopped, at: header.timestamp)
    }

    mutating func collect(_ index: LogIndex, at header: EntryHeader) {
        guard let open, open.index == index, open.isDone else { return }
        self.open = nil
        if open.compaction.policy == CompactionPolicy.erasures.rawValue {
            for place in erased.indices
            where erased[place].index < index && erased[place].removedBy == nil {
                erased[place].removedBy = index
                let mark = erased[place].mark
                naming.removeAll { $0.mark == mark && $0.index < index }
            }
        } else {
            run?.doneCount += UInt64(open.compaction.inputs.count)
            endRunIfComplete(at: header.timestamp)
        }
    }

    private mutating func endRunIfComplete(at time: Timestamp) {
        if let run, run.doneCount == run.segmentCount { end(run, .completed, at: time) }
    }

    private mutating func end(
        _ run: CompactionRun, _ outcome: RunResult.Outcome, at time: Timestamp
    ) {
        lastResult = RunResult(
            run: run.index, policy: run.policy, startedAt: run.startedAt, endedAt: time,
            segmentCount: run.doneCount, outcome: outcome)
        self.run = nil
    }

    // MARK: - Places

    /// Makes what follows from the rest.
    mutating func derive() {
        marks = Set(erased.map(\.mark))
        hidden = erased.flatMap(\.sequences).sorted()
    }

    private func place(ofHold uniqueID: [UInt8]) -> Int {
        var low = 0
        var high = holds.count
        while low < high {
            let middle = (low + high) / 2
            if holds[middle].uniqueID.lexicographicallyPrecedes(uniqueID) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }

    private func place(ofHidden sequence: Sequence) -> Int {
        var low = 0
        var high = hidden.count
        while low < high {
            let middle = (low + high) / 2
            if hidden[middle] < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
