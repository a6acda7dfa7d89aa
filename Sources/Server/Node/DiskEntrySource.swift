import Linux
import Records
import Replica
import SegmentLog

/// Entries of this node's files, through a disk of the calling thread's own.
struct DiskEntrySource: EntrySource {
    private let reader: LogReader<DirectoryDisk>
    private let archive: ArchiveReader<DirectoryDisk>

    init(directory: String) throws(SystemError) {
        let disk = try DirectoryDisk(path: directory)
        reader = LogReader(disk: disk)
        archive = ArchiveReader(disk: disk)
    }

    func places(
        of place: Int, in manifest: Manifest
    ) throws(ReplicaFailure) -> SegmentCatalogue {
        do {
            return try archive.places(of: place, in: manifest)
        } catch {
            throw .storage("\(error)")
        }
    }

    func entry(at place: Place) throws(ReplicaFailure) -> Entry {
        do {
            return try reader.read(place)
        } catch {
            throw .storage("\(error)")
        }
    }
}
