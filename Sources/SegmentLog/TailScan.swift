import Records

/// Reads the segments of a log in order, as far as they are good, and judges what ends them.
struct TailScan<D: Disk> {
    /// The segment in which the good entries end.
    struct Last {
        let name: String
        let byteCount: Int
        let end: SegmentScan.End
    }

    private let disk: D
    private let persist: PersistFile
    private(set) var catalogue: Catalogue
    /// nil when there is no segment.
    private(set) var last: Last?
    /// Segments behind it, in order; nothing in them counts when the end is cut.
    private(set) var later: [String] = []
    private(set) var decision = TailDecision.accept
    private(set) var faulty: FaultyTail?

    /// The first bad place, as it was found.
    private struct Found {
        var place = TailPlace.nothing
        var file: String
        var offset: Int
        var defect: LogDefect
    }

    /// An entry that must have been durable, because something later was written.
    private struct Witness {
        let position: LogPosition
        let checksum: UInt32
    }

    /// `names`: the files of the segments, in the order of their indexes. `catalogue`: of the
    /// entries before them. Changes nothing.
    init(
        disk: D, names: [String], persist: PersistFile, into catalogue: Catalogue
    ) throws(RecoveryFailure) {
        self.disk = disk
        self.persist = persist
        self.catalogue = catalogue
        var remaining = names[...]
        var found: Found?
        while found == nil, let name = remaining.first {
            let expected = FileName.segment(self.catalogue.lastIndex.next)
            guard name == expected else { break }
            remaining.removeFirst()
            found = try scan(name, isLast: remaining.isEmpty)
        }
        later = Array(remaining)
        if let found {
            try judge(found)
        } else {
            let expected = FileName.segment(self.catalogue.lastIndex.next)
            try judge(Found(file: expected, offset: 0, defect: .missing))
        }
    }

    /// Reads one segment; nil when the next one may follow, or nothing.
    private mutating func scan(
        _ name: String, isLast: Bool
    ) throws(RecoveryFailure) -> Found? {
        let bytes = try read(name)
        let end = try SegmentScan(name: name).run(bytes.span, into: &catalogue)
        last = Last(name: name, byteCount: bytes.count, end: end)
        switch end {
        case .sealed: return nil
        case .sealedUncut:
            guard isLast else {
                throw .corrupt(
                    file: name, offset: catalogue.keptByteCount(of: name), defect: .bytesAfterSeal)
            }
            return nil
        case .open:
            return Found(
                file: name, offset: catalogue.keptByteCount(of: name), defect: .unsealed)
        case .bad(let place, let offset, let defect):
            return Found(place: place, file: name, offset: offset, defect: defect)
        }
    }

    private mutating func judge(_ found: Found) throws(RecoveryFailure) {
        let witness = try witness(after: found)
        let newest = persist.newest.end
        var claim = claim(newest)
        // What a later segment says of the entry before it must not be about a good one.
        if let witness, witness.position.index <= catalogue.lastIndex {
            claim = .contradicted
        }
        decision = TailJudgement.decide(found.place, claim, witness == nil ? .none : .later)
        switch decision {
        case .accept, .cut: return
        case .faulty:
            var position = newest.position
            var checksum = newest.checksum
            if let witness, witness.position.index > position.index {
                (position, checksum) = (witness.position, witness.checksum)
            }
            faulty = FaultyTail(
                file: found.file, offset: found.offset, defect: found.defect,
                firstIndex: catalogue.lastIndex.next, lastPosition: position,
                lastChecksum: checksum, isDoubtful: persist.isDoubtful)
        case .stop:
            var defect = found.defect
            if claim == .contradicted { defect = .contradicted(by: newest.position) }
            if claim == .doubtful || claim == .doubtfulBeyond { defect = .unjudgeable }
            throw .corrupt(file: found.file, offset: found.offset, defect: defect)
        }
    }

    private func claim(_ newest: DurableEnd) -> TailClaim {
        if catalogue.archive.voidsTail { return .covered }
        guard newest.position.index <= catalogue.lastIndex else {
            return persist.isDoubtful ? .doubtfulBeyond : .beyond
        }
        if newest.position.index > catalogue.archive.lastIndex,
            let header = catalogue.header(at: newest.position.index),
            header.position != newest.position || header.checksum != newest.checksum
        {
            return .contradicted
        }
        return persist.isDoubtful ? .doubtful : .covered
    }

    /// Something later than the bad place that proves it to have been durable: the writer makes a
    /// segment's file after everything before it is durable, and writes entries after its header.
    private func witness(after found: Found) throws(RecoveryFailure) -> Witness? {
        for name in later.reversed() {
            let bytes = try read(name, byteCount: SegmentHeader.encodedSize)
            guard let header = header(bytes, named: name) else { continue }
            return Witness(
                position: LogPosition(
                    term: header.previousTerm, index: header.firstIndex.previous),
                checksum: header.previousChecksum)
        }
        guard found.offset == 0, found.place == .bad, last?.name == found.file else { return nil }
        let bytes = try read(found.file)
        let entry = SegmentScan.firstEntry(in: bytes.span, after: catalogue.lastIndex)
        guard let entry else { return nil }
        return Witness(position: entry.position, checksum: entry.checksum)
    }

    /// The header of this cluster's segment of that name; nil when the bytes are none.
    private func header(_ bytes: [UInt8], named name: String) -> SegmentHeader? {
        guard let header = try? SegmentHeader(verifying: bytes.span),
            header.clusterID == catalogue.clusterID, FileName.segment(header.firstIndex) == name
        else { return nil }
        return header
    }

    private func read(
        _ name: String, byteCount limit: Int = .max
    ) throws(RecoveryFailure) -> [UInt8] {
        try recovering { () throws(DiskError) in
            let byteCount = try disk.byteCount(of: name) ?? 0
            return try disk.read(name, at: 0, count: min(limit, byteCount))
        }
    }
}

extension Catalogue {
    /// Bytes of the file up to its last good entry; 0 when it holds none.
    func keptByteCount(of name: String) -> Int {
        guard let segment = tail.last, FileName.segment(segment.firstIndex) == name else {
            return 0
        }
        return segment.end
    }
}
