import Bytes
package import EventIndex
package import Records
package import SegmentLog

/// Entries of one disk, for one thread.
package struct ArchiveSource<D: Disk>: EntrySource {
    private let disk: D
    private let reader: LogReader<D>
    private let archive: ArchiveReader<D>

    package init(disk: D) {
        self.disk = disk
        reader = LogReader(disk: disk)
        archive = ArchiveReader(disk: disk)
    }

    package func entry(at place: Place) throws(ReplicaFailure) -> Entry {
        do { return try reader.read(place) } catch { throw .storage("\(error)") }
    }

    package func places(
        of place: Int, in manifest: Manifest
    ) throws(ReplicaFailure) -> SegmentCatalogue {
        do { return try archive.places(of: place, in: manifest) } catch {
            throw .storage("\(error)")
        }
    }

    package func summary(
        of place: Int, in manifest: Manifest
    ) throws(ReplicaFailure) -> SegmentSummary? {
        let bytes: [UInt8]
        do { bytes = try archive.summary(of: place, in: manifest) } catch {
            throw .storage("\(error)")
        }
        var cursor = ByteCursor(0..<bytes.count)
        return try? SegmentSummary(&cursor, bytes.span)
    }

    package func digests(
        of place: Int, in manifest: Manifest
    ) throws(ReplicaFailure) -> ChunkDigests {
        do { return try archive.digests(of: place, in: manifest) } catch {
            throw .storage("\(error)")
        }
    }

    package func contents(
        of file: String, range: Range<Int>?
    ) throws(ReplicaFailure) -> [UInt8]? {
        do {
            guard let byteCount = try disk.byteCount(of: file) else { return nil }
            let range = range ?? 0..<byteCount
            return try disk.read(file, at: range.lowerBound, count: range.count)
        } catch { throw .storage("\(error)") }
    }
}
