import Bytes
package import Records

// Invariants:
// - nothing is overwritten but bytes that are not what the entries say
// - the log is never shorter afterwards than what was durable, unless the caller says that the rest
//   was never committed

/// What is whole of a log with a faulty tail: everything before it, and entries in and behind it
/// that are known by their checksums.
package struct TailRemains<D: Disk> {
    private struct Found {
        let header: EntryHeader
        let file: String
        let offset: Int
    }

    package let recovered: Recovered
    package let tail: FaultyTail
    private let disk: D
    /// In the order of the files.
    private var found: [Found] = []

    /// Reads and verifies everything, and changes nothing. nil when the log is not faulty.
    package init?(disk: D, clusterID: Identifier? = nil) throws(RecoveryFailure) {
        let recovered = try LogDirectory.inspect(disk: disk, clusterID: clusterID)
        guard let tail = recovered.faulty else { return nil }
        self.recovered = recovered
        self.tail = tail
        self.disk = disk
        let names = try recovering { () throws(DiskError) in try disk.list() }
        for name in names where name >= tail.file {
            guard let known = FileName.segment(named: name), known.generation == 0 else {
                continue
            }
            try scan(name, from: name == tail.file ? tail.offset : 0)
        }
    }

    /// Notes every whole entry that lies at a multiple of 8 and belongs behind the good ones.
    private mutating func scan(_ name: String, from begin: Int) throws(RecoveryFailure) {
        let disk = disk
        let bytes = try recovering { () throws(DiskError) in
            try disk.read(name, at: 0, count: try disk.byteCount(of: name) ?? 0)
        }
        let span = bytes.span
        var offset = max(begin, SegmentHeader.encodedSize)
        while offset + EntryHeader.encodedSize <= bytes.count {
            if bytes[offset] == EntryHeader.format,
                LogIndex(span.littleEndian(at: offset + 16)) >= tail.firstIndex,
                let header = try? EntryHeader(verifying: span, at: offset)
            {
                found.append(Found(header: header, file: name, offset: offset))
                offset += header.byteCount
            } else {
                offset += EntryHeader.alignment
            }
        }
    }

    /// Whether a record beyond the end that is known may have been lost.
    package var isDoubtful: Bool { tail.isDoubtful }

    /// The checksum of a whole entry with that index; nil when there is none in the faulty part.
    package func checksum(at index: LogIndex) -> UInt32? {
        found.last { $0.header.index == index }?.header.checksum
    }

    /// The entry, when it is in the faulty part and whole.
    package func entry(at index: LogIndex, checksum: UInt32) -> Entry? {
        guard
            let known = found.first(where: {
                $0.header.index == index && $0.header.checksum == checksum
            }),
            let bytes = try? disk.read(
                known.file, at: known.offset, count: known.header.byteCount),
            let entry = try? Entry(verifying: bytes), entry.header == known.header
        else { return nil }
        return entry
    }

    /// Writes `entries`, which follow the entry at `base`, to their places. Durable on return; may
    /// be cut short and run again.
    ///
    /// `endsThere`: what lay behind them was never committed, and goes.
    package func mend(
        after base: LogIndex, with entries: [Entry], endsThere: Bool
    ) throws(RecoveryFailure) {
        var catalogue = recovered.catalogue
        precondition(
            base == catalogue.lastIndex || endsThere,
            "entries after \(base) take the place of others")
        if base < catalogue.lastIndex { _ = catalogue.truncate(from: base.next) }
        var places: [Place] = []
        for entry in entries {
            guard entry.header.follows(catalogue.lastHeader) else {
                throw .corrupt(
                    file: tail.file, offset: tail.offset,
                    defect: .contradicted(by: entry.header.position))
            }
            places.append(catalogue.append(entry.header))
        }
        let end = catalogue.end(isTruncation: true)
        try recovering { () throws(DiskError) in
            try raiseTerm(to: catalogue.lastPosition.term)
            if endsThere {
                // Nothing claims any more what is about to go.
                try PersistFile.void(after: end, on: disk)
                try removeSegments(besides: catalogue)
            }
            for (place, entry) in zip(places, entries) { try write(entry, at: place) }
            if endsThere, catalogue.tail.last?.firstIndex == end.segment {
                try disk.resize(FileName.segment(end.segment), byteCount: end.offset)
            }
        }
    }

    /// Entries that others committed may be of a later term than this node has seen.
    private func raiseTerm(to term: Term) throws(DiskError) {
        guard term > recovered.vote.term else { return }
        let vote = DurableVote(term: term, votedFor: nil)
        try VoteRecord(counter: recovered.voteCounter + 1, vote: vote).store(on: disk)
    }

    /// Removes the files of the tail in which `catalogue` has no entry: it may end in an earlier one, or
    /// have a SEAL elsewhere. Newest first, so that what a crash leaves has no gap.
    private func removeSegments(besides catalogue: Catalogue) throws(DiskError) {
        let kept = catalogue.tail.map(\.firstIndex)
        for name in try disk.list().reversed() {
            guard let known = FileName.segment(named: name), known.generation == 0,
                known.firstIndex > catalogue.archive.lastIndex, !kept.contains(known.firstIndex)
            else { continue }
            try disk.remove(name)
        }
    }

    private func write(_ entry: Entry, at place: Place) throws(DiskError) {
        let known = try disk.byteCount(of: place.file)
        if known == nil { try disk.create(place.file, byteCount: 0) }
        if let opens = place.opens { try write(opens.encoded, to: place.file, at: 0) }
        try write(entry.bytes, to: place.file, at: place.offset)
        if place.seals, let known, known > place.end {
            try disk.resize(place.file, byteCount: place.end)
        }
    }

    private func write(_ bytes: [UInt8], to file: String, at offset: Int) throws(DiskError) {
        guard try disk.read(file, at: offset, count: bytes.count) != bytes else { return }
        try disk.write([bytes], to: file, at: offset)
    }
}
