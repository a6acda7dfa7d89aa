import Linux
import Records
import Replica
import SegmentLog

/// Entries of this node's files, through a disk of the calling thread's own.
struct DiskEntrySource: EntrySource {
    private let reader: LogReader<DirectoryDisk>

    init(directory: String) throws(SystemError) {
        reader = LogReader(disk: try DirectoryDisk(path: directory))
    }

    func entry(at place: Place) throws(ReplicaFailure) -> Entry {
        do {
            return try reader.read(place)
        } catch {
            throw .storage("\(error)")
        }
    }
}
