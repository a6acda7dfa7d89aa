import EventIndex
import Records
import SegmentLog

extension SegmentPlaces {
    /// Reads a whole segment and describes it, with the SEAL that ends it. Gathers the rows of its
    /// events where they are wanted.
    static func make(
        of file: String, byteCount: Int, header: SegmentHeader, on disk: some Disk,
        rows: inout SegmentRows?
    ) throws(ReadFailure) -> (SegmentPlaces, seal: EntryHeader) {
        var walk = try SegmentWalk(
            disk, file: file, byteCount: byteCount, expected: header, hashing: true)
        var catalogue = SegmentCatalogue(header: header)
        var summary = SegmentSummary()
        var seal: EntryHeader?
        while let step = try walk.next() {
            catalogue.append(step.header)
            try rows?.append(step, of: walk)
            try summary.insert(step, of: walk)
            seal = step.header
        }
        guard let seal else { throw .corrupt(file: file, offset: 0, defect: .unsealed) }
        summary.finish()
        let places = SegmentPlaces(
            digests: walk.digests(), catalogue: catalogue, summary: summary.encoded)
        return (places, seal)
    }
}

extension SegmentDescriptor {
    /// Reads the whole segment and writes its places, durable on return.
    func describe(
        after previous: SegmentDescriptor?, on disk: some Disk
    ) throws(ReadFailure) {
        var rows: SegmentRows?
        let (found, _) = try SegmentPlaces.make(
            of: file, byteCount: byteCount, header: header(after: previous), on: disk, rows: &rows)
        do {
            try disk.replace(places, with: found.encoded)
        } catch { throw .disk(error) }
    }
}
