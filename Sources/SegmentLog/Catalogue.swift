package import Records

/// Where the entries of the log are. A pure value: it decides placement, others do the writing.
///
/// Indexes are continuous from 1. A segment ends after an entry of kind `seal`, and only there.
/// Two regions: the archive, of which the manifest holds one row for each segment, and the tail.
/// The places of entries are held for the tail and for the newest segments of the archive; those of
/// older ones are in files beside them (`ArchiveReader`).
package struct Catalogue: Equatable, Sendable {
    // Invariants: held segments follow each other without gaps up to the log's end, none is empty,
    // all but the last are sealed; those that are archived were never compacted; term runs are of
    // the whole log and rise strictly in index and in term.

    package let clusterID: Identifier
    package private(set) var archive: Manifest
    private var segments: [SegmentCatalogue] = []
    private var termRuns: [Manifest.TermRun]
    /// The header of the last entry; nil while the log is empty.
    package private(set) var lastHeader: EntryHeader?

    /// A log that is all archive; `clusterID` is that of the segments to come.
    package init(archive: Manifest) {
        clusterID = archive.clusterID
        self.archive = archive
        termRuns = archive.termRuns
        lastHeader = archive.segments.last?.seal
    }

    /// An empty log.
    package init(clusterID: Identifier) { self.init(archive: Manifest(clusterID: clusterID)) }

    /// Zero while the log is empty.
    package var lastIndex: LogIndex { lastHeader?.index ?? .zero }
    package var lastPosition: LogPosition { lastHeader?.position ?? .zero }
    package var nextSequence: Sequence { lastHeader?.nextSequence ?? .zero }
    package var isEmpty: Bool { lastHeader == nil }

    /// The first entry whose place is held; one past the end when none is.
    package var firstHeldIndex: LogIndex { segments.first?.firstIndex ?? lastIndex.next }
    /// Events from here on are in entries whose places are held.
    package var firstHeldSequence: Sequence { segments.first?.header.firstSequence ?? nextSequence }

    /// Bytes of the segment that the next entry goes to; 0 when it will begin a new one. A leader
    /// proposes SEAL by it.
    package var activeSegmentByteCount: Int {
        guard let last = segments.last, !last.isSealed else { return 0 }
        return last.end
    }

    /// The segments behind the archive, in order.
    package var tail: ArraySlice<SegmentCatalogue> {
        segments[segments.firstPosition { $0.firstIndex > archive.lastIndex }...]
    }

    /// First index and length of every segment, in order.
    package var segmentSizes: [(firstIndex: LogIndex, byteCount: Int, isSealed: Bool)] {
        archive.segments.map { ($0.firstIndex, $0.byteCount, true) }
            + tail.map { ($0.firstIndex, $0.end, $0.isSealed) }
    }

    package var segmentCount: Int { archive.segments.count + tail.count }

    /// Bytes of all segments.
    package var byteCount: Int { archive.byteCount + tail.reduce(0) { $0 + $1.end } }

    /// Places the next entry. Traps unless it continues the log: callers check what they were sent.
    package mutating func append(_ header: EntryHeader) -> Place {
        precondition(
            header.index == lastIndex.next && header.term >= lastPosition.term
                && header.firstSequence == nextSequence
                && header.previousChecksum == lastHeader?.checksum ?? 0,
            "entry \(header.position) does not follow \(lastPosition)")
        if activeSegmentByteCount == 0 {
            segments.append(
                SegmentCatalogue(header: SegmentHeader(clusterID: clusterID, after: lastHeader)))
        }
        let last = segments.count - 1
        segments[last].append(header)
        if termRuns.last?.term != header.term {
            termRuns.append(.init(firstIndex: header.index, term: header.term))
        }
        lastHeader = header
        return segments[last].place(of: header.index, term: header.term)
    }

    /// Forgets the entries from `index` on, and says what must be done to the files.
    ///
    /// The first entry of a log stays, and so does the archive. A sealed segment that is cut is open
    /// again.
    package mutating func truncate(from index: LogIndex) -> TruncationPlan {
        precondition(
            index > LogIndex(1) && index > archive.lastIndex && index <= lastIndex,
            "truncation from \(index) of a log that ends at \(lastIndex), archived through "
                + "\(archive.lastIndex)")
        let previous = header(at: index.previous)
        var removed: [LogIndex] = []
        while let last = segments.last, last.firstIndex >= index {
            removed.append(last.firstIndex)
            segments.removeLast()
        }
        var cut: TruncationPlan.Cut?
        if let last = segments.last, last.lastIndex >= index {
            segments[segments.count - 1].truncate(from: index)
            cut = .init(segment: last.firstIndex, byteCount: segments[segments.count - 1].end)
        }
        while let run = termRuns.last, run.firstIndex >= index { termRuns.removeLast() }
        lastHeader = previous
        return TruncationPlan(removed: removed, cut: cut, end: end(isTruncation: true))
    }

    /// The end of the log in the words of a persist record.
    package func end(isTruncation: Bool = false) -> DurableEnd {
        guard let last = segments.last else { return archive.end(isTruncation: isTruncation) }
        return DurableEnd(
            position: lastPosition, checksum: lastHeader?.checksum ?? 0,
            segment: last.firstIndex, offset: last.end, isTruncation: isTruncation)
    }

    /// Where the entry is; nil when the log does not hold it, or its place is not held.
    package func place(of index: LogIndex) -> Place? {
        guard let segment = segment(holding: index), let term = term(at: index) else { return nil }
        return segment.place(of: index, term: term)
    }

    /// The entry's whole header; nil when its place is not held.
    package func header(at index: LogIndex) -> EntryHeader? {
        if let segment = segment(holding: index), let term = term(at: index) {
            return segment.entryHeader(at: index, term: term)
        }
        guard let place = archive.place(holding: index), archive.segments[place].lastIndex == index
        else { return nil }
        return archive.segments[place].seal
    }

    /// The term of the entry; zero at index zero; nil when the log does not hold it.
    package func term(at index: LogIndex) -> Term? {
        guard index <= lastIndex else { return nil }
        guard index > .zero else { return .zero }
        return termRuns[termRuns.firstPosition { $0.firstIndex > index } - 1].term
    }

    /// The entry that holds the event; nil when no event has this sequence yet, or the entry's
    /// place is not held.
    package func index(holding sequence: Sequence) -> LogIndex? {
        guard sequence < nextSequence, sequence >= firstHeldSequence else { return nil }
        let after = segments.firstPosition { $0.header.firstSequence > sequence }
        return segments[after - 1].index(holding: sequence)
    }

    private func segment(holding index: LogIndex) -> SegmentCatalogue? {
        guard index >= firstHeldIndex, index <= lastIndex else { return nil }
        return segments[segments.firstPosition { $0.firstIndex > index } - 1]
    }

    // MARK: - The archive

    /// The segment of the tail that the SEAL at `index` ends, with its changes of term.
    package func sealed(
        at index: LogIndex
    ) -> (segment: SegmentCatalogue, runs: [Manifest.TermRun])? {
        guard let segment = tail.first(where: { $0.lastIndex == index }), segment.isSealed else {
            return nil
        }
        let first = termRuns.firstPosition { $0.firstIndex > segment.firstIndex } - 1
        let runs = termRuns[first...].prefix { $0.firstIndex <= segment.lastIndex }
        return (segment, Array(runs))
    }

    /// Takes over the manifest as it was made durable: more is archived, or compacted. The places
    /// of the newest `held` archived segments stay.
    package mutating func adopt(_ manifest: Manifest, holding held: Int) {
        precondition(
            manifest.version >= archive.version && manifest.lastIndex >= archive.lastIndex
                && manifest.lastIndex <= lastIndex,
            "manifest through \(manifest.lastIndex) after \(archive.lastIndex)")
        archive = manifest
        var dropped = max(
            0, segments.firstPosition { $0.firstIndex > archive.lastIndex } - held)
        for place in dropped..<segments.count {
            guard let known = archive.place(holding: segments[place].firstIndex) else { break }
            if archive.segments[known].generation > 0 { dropped = place + 1 }
        }
        segments.removeFirst(dropped)
    }

    /// Holds the places of the newest archived segment whose places are not held, again.
    package mutating func hold(_ segment: SegmentCatalogue) {
        precondition(
            segment.lastIndex.next == firstHeldIndex && segment.header.compaction == nil,
            "places of \(segment.firstIndex) in front of \(firstHeldIndex)")
        segments.insert(segment, at: 0)
    }
}
