import Records
import SegmentLog

extension Maintainer {
    /// Reads chunks of an archived segment, and says whether they are what the manifest names.
    mutating func scrub(
        _ segment: SegmentDescriptor, after previous: SegmentDescriptor?, _ chunks: Range<Int>
    ) throws(ReadFailure) -> MaintenanceReport {
        let all = ChunkDigests.chunkCount(of: segment.byteCount)
        guard let digests = try digests(of: segment, after: previous) else {
            return .scrubbed(
                segment, through: all, byteCount: segment.byteCount, isGood: false)
        }
        let bad = try survey(segment.file, digests, chunks)
        let count = chunks.reduce(0) { $0 + digests.range(of: $1).count }
        return .scrubbed(
            segment, through: chunks.upperBound, byteCount: count, isGood: bad.isEmpty)
    }

    /// The digests of its chunks, from the file beside it, or made again; nil when the segment
    /// itself is damaged.
    private mutating func digests(
        of segment: SegmentDescriptor, after previous: SegmentDescriptor?
    ) throws(ReadFailure) -> ChunkDigests? {
        if let scrubbing, scrubbing.segment == segment { return scrubbing.digests }
        let digests: ChunkDigests
        if let places = try places(beside: segment, after: previous) {
            digests = places.digests
        } else {
            do {
                try segment.describe(after: previous, on: disk)
            } catch {
                guard case .disk(let error) = error, !error.isUnreadable else { return nil }
                throw .disk(error)
            }
            guard let places = try places(beside: segment, after: previous) else { return nil }
            digests = places.digests
        }
        scrubbing = (segment, digests)
        return digests
    }

    private func places(
        beside segment: SegmentDescriptor, after previous: SegmentDescriptor?
    ) throws(ReadFailure) -> SegmentPlaces? {
        do {
            return try SegmentPlaces.load(segment, after: previous, from: disk, hash)
        } catch {
            guard error.isUnreadable else { throw .disk(error) }
            return nil
        }
    }

    /// Which of the chunks are not what they should be. What the disk cannot read is not.
    func survey(
        _ file: String, _ digests: ChunkDigests, _ chunks: Range<Int>
    ) throws(ReadFailure) -> [Int] {
        var bad: [Int] = []
        for number in chunks {
            let range = digests.range(of: number)
            do {
                let bytes = try disk.read(file, at: range.lowerBound, count: range.count)
                let isGood =
                    bytes.count == range.count
                    && ChunkDigests.digest(bytes.span, in: 0..<bytes.count, hash)
                        == digests.chunks[number]
                if !isGood { bad.append(number) }
            } catch {
                guard error.isUnreadable else { throw .disk(error) }
                bad.append(number)
            }
        }
        return bad
    }
}

extension ReadFailure {
    var isCorrupt: Bool { if case .corrupt = self { true } else { false } }

    /// The file holds something else than it should, or its medium does not give it back. A failed
    /// write is not that.
    func isDamage(of file: String) -> Bool {
        switch self {
        case .corrupt(let name, _, _): name == file
        case .disk(let error): error.file == file && error.isUnreadable
        }
    }
}

extension DiskError {
    /// The medium does not give the bytes back (EIO), or the file is gone (ENOENT).
    var isUnreadable: Bool { code == 5 || code == 2 }
}
