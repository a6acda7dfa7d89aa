package import Records

/// Where every entry of the log is. A pure value: it decides placement, others do the writing.
///
/// Indexes are continuous from 1. A segment ends after an entry of kind `seal`, and only there.
package struct Catalogue: Equatable, Sendable {
    // Invariants: no segment is empty; all but the last are sealed; each begins one after the end
    // of the one before; term runs rise strictly in index and in term.

    private struct TermRun: Equatable, Sendable {
        let firstIndex: LogIndex
        let term: Term
    }

    package let clusterID: Identifier
    private var segments: [SegmentCatalogue] = []
    private var termRuns: [TermRun] = []
    /// The header of the last entry; nil while the log is empty.
    package private(set) var lastHeader: EntryHeader?

    package init(clusterID: Identifier) { self.clusterID = clusterID }

    package let firstIndex = LogIndex(1)
    /// Zero while the log is empty.
    package var lastIndex: LogIndex { lastHeader?.index ?? .zero }
    package var lastPosition: LogPosition { lastHeader?.position ?? .zero }
    package var nextSequence: Sequence { lastHeader?.nextSequence ?? .zero }
    package var isEmpty: Bool { lastHeader == nil }

    /// Bytes of the segment that the next entry goes to; 0 when it will begin a new one. A leader
    /// proposes SEAL by it.
    package var activeSegmentByteCount: Int {
        guard let last = segments.last, !last.isSealed else { return 0 }
        return last.end
    }

    package var segmentCount: Int { segments.count }

    /// First index and length of every segment, in order.
    package var segmentSizes: [(firstIndex: LogIndex, byteCount: Int, isSealed: Bool)] {
        segments.map { ($0.firstIndex, $0.end, $0.isSealed) }
    }

    /// Places the next entry. Traps unless it continues the log: callers check what they were sent.
    package mutating func append(_ header: EntryHeader) -> Place {
        precondition(
            header.index == lastIndex.next && header.term >= lastPosition.term
                && header.firstSequence == nextSequence
                && header.previousChecksum == lastHeader?.checksum ?? 0,
            "entry \(header.position) does not follow \(lastPosition)")
        var opens: SegmentHeader?
        if activeSegmentByteCount == 0 {
            let segment = SegmentHeader(clusterID: clusterID, after: lastHeader)
            segments.append(SegmentCatalogue(header: segment))
            opens = segment
        }
        let last = segments.count - 1
        let offset = segments[last].end
        segments[last].append(header)
        if termRuns.last?.term != header.term {
            termRuns.append(TermRun(firstIndex: header.index, term: header.term))
        }
        lastHeader = header
        return Place(
            segment: segments[last].firstIndex, offset: offset, header: header, opens: opens)
    }

    /// Forgets the entries from `index` on, and says what must be done to the files.
    ///
    /// The first entry of a log stays. A sealed segment that is cut is open again.
    package mutating func truncate(from index: LogIndex) -> TruncationPlan {
        precondition(
            index > firstIndex && index <= lastIndex,
            "truncation from \(index) of a log that ends at \(lastIndex)")
        let previous = header(at: index.previous)
        var removed: [LogIndex] = []
        while let last = segments.last, last.firstIndex >= index {
            removed.append(last.firstIndex)
            segments.removeLast()
        }
        var cut: TruncationPlan.Cut?
        let last = segments.count - 1
        if segments[last].lastIndex >= index {
            segments[last].truncate(from: index)
            cut = .init(segment: segments[last].firstIndex, byteCount: segments[last].end)
        }
        while let run = termRuns.last, run.firstIndex >= index { termRuns.removeLast() }
        lastHeader = previous
        return TruncationPlan(removed: removed, cut: cut, end: end(isTruncation: true))
    }

    /// The end of the log in the words of a persist record.
    package func end(isTruncation: Bool = false) -> DurableEnd {
        guard let last = segments.last else { return .none }
        return DurableEnd(
            position: lastPosition, checksum: lastHeader?.checksum ?? 0,
            segment: last.firstIndex, offset: last.end, isTruncation: isTruncation)
    }

    /// Where the entry is; nil when the log does not hold it.
    package func place(of index: LogIndex) -> Place? {
        guard let segment = segment(holding: index), let header = header(at: index) else {
            return nil
        }
        let opens = segment.firstIndex == index ? segment.header : nil
        return Place(
            segment: segment.firstIndex, offset: segment.offset(of: index), header: header,
            opens: opens)
    }

    /// The entry's whole header; nil when the log does not hold it.
    package func header(at index: LogIndex) -> EntryHeader? {
        guard let segment = segment(holding: index), let term = term(at: index) else { return nil }
        return segment.entryHeader(at: index, term: term)
    }

    /// The term of the entry; zero at index zero; nil when the log does not hold it.
    package func term(at index: LogIndex) -> Term? {
        guard index <= lastIndex else { return nil }
        guard index > .zero else { return .zero }
        return termRuns[termRuns.firstPosition { $0.firstIndex > index } - 1].term
    }

    /// The first entry of the run of one term that holds `index`, for the hint in a rejected
    /// append (Raft paper section 5.3); nil when the log does not hold it.
    package func firstIndexOfTerm(at index: LogIndex) -> LogIndex? {
        guard index > .zero, index <= lastIndex else { return nil }
        return termRuns[termRuns.firstPosition { $0.firstIndex > index } - 1].firstIndex
    }

    /// The entry that holds the event; nil when no event has this sequence yet.
    package func index(holding sequence: Sequence) -> LogIndex? {
        guard sequence < nextSequence else { return nil }
        let after = segments.firstPosition { $0.header.firstSequence > sequence }
        return segments[after - 1].index(holding: sequence)
    }

    private func segment(holding index: LogIndex) -> SegmentCatalogue? {
        guard index > .zero, index <= lastIndex else { return nil }
        return segments[segments.firstPosition { $0.firstIndex > index } - 1]
    }
}
