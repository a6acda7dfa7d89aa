import Bytes
import Crypto
import Records

/// What the compactions and erasures of a log take away, worked out from its entries as they were
/// committed, without the product's own state.
package struct RetentionModel {
    struct Erased: Equatable {
        /// The ERASE entry.
        let index: LogIndex
        let mark: Digest
        var isRemoved = false
    }

    private struct Run {
        let policy: CompactionPolicy
        let cut: Sequence
        let timeBound: Timestamp
        let segmentCount: Int
        var doneCount = 0
    }

    fileprivate struct Open {
        let index: LogIndex
        let compaction: Records.Compaction
        let held: Set<[UInt8]>
        let term: Term
        var isDone = false
    }

    /// By unique_id; looked up, never walked.
    private(set) var erased: [[UInt8]: Erased] = [:]
    /// Sequences that a policy took away.
    private(set) var compacted: Set<Int> = []
    /// Situations that the log went through.
    private(set) var reached: [CoverageCase] = []
    private(set) var doneCount = 0
    private(set) var abandonedCount = 0

    /// The sequence behind each SEAL.
    private var ends: [Sequence] = []
    private var lastSeal = LogIndex.zero
    private var version: UInt32 = 0
    private var held: Set<[UInt8]> = []
    private var run: Run?
    private var open: Open?
    private var marks: ClosedMark?

    package init() {}

    /// Nothing is under way.
    var isSettled: Bool { run == nil && open == nil && !isErasing }

    private var isErasing: Bool { erased.values.contains { !$0.isRemoved } }

    /// What is left of an event when nothing is under way.
    func remains(of row: LogAudit.Row, at sequence: Int) -> LogAudit.Remains {
        guard !row.isAdministration else { return .whole }
        if let erased = erased[row.uniqueID] { return .erased(mark: erased.mark) }
        return compacted.contains(sequence) ? .compacted : .whole
    }

    // MARK: - Entries

    mutating func begin(cluster: Identifier) { marks = ClosedMark(genesis: cluster) }

    mutating func seal(_ header: EntryHeader) {
        ends.append(header.nextSequence)
        lastSeal = header.index
    }

    mutating func apply(_ command: DirectoryCommand, at header: EntryHeader) {
        switch command.change {
        case .createToken, .revokeToken, .directory: break
        case .compact(let order): begin(order, at: header)
        case .addHold(let id, _):
            guard erased[id.uniqueID] == nil else { return }
            if held.insert(id.uniqueID).inserted { change() }
        case .removeHold(let id):
            if held.remove(id.uniqueID) != nil { change() }
        case .erase(let uniqueID, _):
            guard erased[uniqueID] == nil, let marks else { return }
            erased[uniqueID] = Erased(index: header.index, mark: marks.mark(of: uniqueID))
            change()
        }
    }

    /// `rows` are those of the entries so far.
    mutating func apply(
        _ payload: ControlPayload, at header: EntryHeader, rows: [LogAudit.Row]
    ) {
        switch payload {
        case .compact(let compaction): begin(compaction, at: header)
        case .compactDone(let index, let outputs):
            guard let open, open.index == index, !open.isDone,
                outputs.count == open.compaction.inputs.count
            else { return }
            self.open?.isDone = true
            doneCount += 1
            take(open, rows)
        case .compactAbandoned(let index, let reason):
            guard let open, open.index == index, !open.isDone else { return }
            self.open = nil
            abandonedCount += 1
            if reason != .superseded, !open.isErasure { run = nil }
        case .collect(let index):
            guard let open, open.index == index, open.isDone else { return }
            self.open = nil
            if header.term != open.term { reached.append(.collectedAfterLeaderChange) }
            collect(open)
        case .seal, .membership, .erase, .checkpoint, .upgrade: break
        }
    }

    private mutating func change() {
        version += 1
        if open?.isDone == false {
            open = nil
            reached.append(.compactionVoidedByChange)
        }
    }

    // MARK: - Compactions

    private mutating func begin(_ order: CompactionOrder, at header: EntryHeader) {
        guard run == nil else { return }
        let isBehindSeal = order.sealsFirst && lastSeal.next == header.index
        let bound = Int64(clamping: order.keptMicroseconds)
        let count = isBehindSeal ? ends.count : max(ends.count, 1) - 1
        guard count > 0 else { return }
        run = Run(
            policy: order.policy, cut: ends.last ?? .zero,
            timeBound: order.policy == .newerThan
                ? header.timestamp.advanced(byMicroseconds: -Int(bound))
                : Timestamp(microseconds: .max),
            segmentCount: count)
    }

    private mutating func begin(_ compaction: Records.Compaction, at header: EntryHeader) {
        guard open == nil, compaction.policyVersion == version else { return }
        let next = Open(
            index: header.index, compaction: compaction, held: held, term: header.term)
        guard next.isErasure == isErasing else { return }
        if !next.isErasure {
            guard let run, run.policy.rawValue == compaction.policy, run.cut == compaction.cut,
                run.timeBound == compaction.timeBound,
                compaction.inputs.count <= run.segmentCount - run.doneCount
            else { return }
        }
        open = next
    }

    /// Takes what the policy says out of the segments that the step goes over.
    private mutating func take(_ open: Open, _ rows: [LogAudit.Row]) {
        guard !open.isErasure, let run else { return }
        let compaction = open.compaction
        let begin = run.doneCount == 0 ? 0 : Int(ends[run.doneCount - 1].value)
        let end = Int(ends[run.doneCount + compaction.inputs.count - 1].value)
        let cut = min(Int(compaction.cut.value), rows.count)
        var newest: [[UInt8]: Int] = [:]
        for sequence in 0..<cut where !rows[sequence].isAdministration {
            newest[rows[sequence].uniqueID] = sequence
        }
        for sequence in begin..<min(end, cut) {
            let row = rows[sequence]
            guard !row.isAdministration, erased[row.uniqueID] == nil,
                row.recordedAt < compaction.timeBound,
                run.policy == .newerThan || newest[row.uniqueID] != sequence
            else { continue }
            if open.held.contains(row.uniqueID) {
                reached.append(.holdKeptEvent)
            } else {
                compacted.insert(sequence)
            }
        }
    }

    private mutating func collect(_ open: Open) {
        if open.isErasure {
            for id in erased.keys where erased[id].map({ $0.index < open.index }) ?? false {
                erased[id]?.isRemoved = true
            }
            return
        }
        run?.doneCount += open.compaction.inputs.count
        if let run, run.doneCount == run.segmentCount { self.run = nil }
    }
}

extension RetentionModel.Open {
    fileprivate var isErasure: Bool { compaction.policy == CompactionPolicy.erasures.rawValue }
}
