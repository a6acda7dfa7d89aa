import Bytes
package import Crypto
package import Records

/// What a node keeps beside an archived segment: the digests of its chunks and the places of its
/// entries. Made from the segment, made again from it when missing or damaged, never believed over
/// it.
package struct SegmentPlaces: Equatable, Sendable {
    /// "DAYBKPLC"
    private static let magic: UInt64 = 0x434c_504b_4259_4144
    private static let format: UInt32 = 1

    package let digests: ChunkDigests
    package let catalogue: SegmentCatalogue
    /// What filters need to know to pass the segment by; empty for nothing.
    package let summary: [UInt8]

    package init(digests: ChunkDigests, catalogue: SegmentCatalogue, summary: [UInt8]) {
        self.digests = digests
        self.catalogue = catalogue
        self.summary = summary
    }

    /// Reads what `encoded` made; nil unless it is whole and of the segment with `header`.
    init?(_ bytes: Span<UInt8>, header: SegmentHeader) {
        let end = bytes.count - 4
        guard end >= 16, bytes.littleEndian(UInt64.self, at: 0) == Self.magic,
            bytes.littleEndian(UInt32.self, at: 8) == Self.format,
            bytes.littleEndian(UInt32.self, at: end)
                == CRC32C.checksum(bytes.extracting(0..<end))
        else { return nil }
        var cursor = ByteCursor(16..<end)
        do {
            digests = try ChunkDigests(&cursor, bytes)
            catalogue = try SegmentCatalogue(header: header, &cursor, bytes)
            summary = bytes.copy(try cursor.counted(bytes))
            try cursor.finish()
        } catch { return nil }
    }

    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Self.magic)
        bytes.append(littleEndian: Self.format)
        bytes.append(littleEndian: UInt32(0))
        digests.append(to: &bytes)
        catalogue.append(to: &bytes)
        bytes.append(counted: summary)
        bytes.append(littleEndian: CRC32C.checksum(bytes.span))
        return bytes
    }

    /// Reads the file beside the segment; nil when it has to be made again.
    package static func load(
        _ segment: SegmentDescriptor, after previous: SegmentDescriptor?, from disk: some Disk,
        _ hash: SHA256
    ) throws(DiskError) -> SegmentPlaces? {
        guard let bytes = try disk.contents(of: segment.places),
            let places = SegmentPlaces(bytes.span, header: segment.header(after: previous)),
            places.digests.root(hash) == segment.digest
        else { return nil }
        return places
    }
}

/// Reads entries of archived segments, whose places are in files. One per thread.
package final class ArchiveReader<D: Disk> {
    /// Segments whose places are kept, those used last.
    package static var keptSegments: Int { 8 }

    private struct Kept {
        let catalogue: SegmentCatalogue
        let summary: [UInt8]
    }

    private let disk: D
    private let hash = SHA256()
    private let reader: LogReader<D>
    /// Used last at the end.
    private var kept: [Kept] = []

    package init(disk: D) {
        self.disk = disk
        reader = LogReader(disk: disk)
    }

    /// Where the entries of a segment of `manifest` are; `place` counts its segments.
    package func places(
        of place: Int, in manifest: Manifest
    ) throws(ReadFailure) -> SegmentCatalogue {
        let segment = manifest.segments[place]
        if let known = self.known(segment) {
            kept.append(kept.remove(at: known))
            return kept[kept.count - 1].catalogue
        }
        let found = try load(place, in: manifest)
        if kept.count == Self.keptSegments { kept.removeFirst() }
        kept.append(found)
        return found.catalogue
    }

    /// What filters need to know of a segment of `manifest`, empty when that is not known. The
    /// segment is the first whose places are given up, unless they are used next.
    package func summary(
        of place: Int, in manifest: Manifest
    ) throws(ReadFailure) -> [UInt8] {
        if let known = self.known(manifest.segments[place]) { return kept[known].summary }
        let found = try load(place, in: manifest)
        if kept.count == Self.keptSegments { kept.removeFirst() }
        kept.insert(found, at: 0)
        return found.summary
    }

    private func known(_ segment: SegmentDescriptor) -> Int? {
        kept.firstIndex {
            $0.catalogue.firstIndex == segment.firstIndex
                && $0.catalogue.header.compaction == segment.compaction
        }
    }

    private func load(_ place: Int, in manifest: Manifest) throws(ReadFailure) -> Kept {
        let segment = manifest.segments[place]
        let previous = place > 0 ? manifest.segments[place - 1] : nil
        do {
            if let places = try SegmentPlaces.load(segment, after: previous, from: disk, hash) {
                return Kept(catalogue: places.catalogue, summary: places.summary)
            }
            return Kept(catalogue: try walk(segment, after: previous), summary: [])
        } catch let error as DiskError {
            throw .disk(error)
        } catch let failure as ReadFailure {
            throw failure
        } catch {
            preconditionFailure("\(error)")
        }
    }

    /// The digests of the chunks of a segment of `manifest`; `place` counts its segments.
    package func digests(
        of place: Int, in manifest: Manifest
    ) throws(ReadFailure) -> ChunkDigests {
        let segment = manifest.segments[place]
        let previous = place > 0 ? manifest.segments[place - 1] : nil
        do {
            if let places = try SegmentPlaces.load(segment, after: previous, from: disk, hash) {
                return places.digests
            }
        } catch { throw .disk(error) }
        var walk = try SegmentWalk(
            disk, file: segment.file, byteCount: segment.byteCount,
            expected: segment.header(after: previous), hashing: true)
        while try walk.next() != nil {}
        let digests = walk.digests()
        guard digests.root(hash) == segment.digest else {
            throw .corrupt(file: segment.file, offset: 0, defect: .digest)
        }
        return digests
    }

    private func walk(
        _ segment: SegmentDescriptor, after previous: SegmentDescriptor?
    ) throws(ReadFailure) -> SegmentCatalogue {
        let header = segment.header(after: previous)
        var catalogue = SegmentCatalogue(header: header)
        var walk = try SegmentWalk(
            disk, file: segment.file, byteCount: segment.byteCount, expected: header)
        while let step = try walk.next() { catalogue.append(step.header) }
        return catalogue
    }
}

extension Manifest {
    /// The term of an archived entry.
    package func term(at index: LogIndex) -> Term {
        precondition(index > .zero && index <= lastIndex, "entry \(index) is not archived")
        return termRuns[termRuns.firstPosition { $0.firstIndex > index } - 1].term
    }
}
