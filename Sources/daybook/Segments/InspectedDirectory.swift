import Linux
import SegmentLog

/// A node's directory that is only looked at, also while a node runs on it. No lock is taken.
struct InspectedDirectory {
    let disk: DirectoryDisk
    /// What was given.
    let path: String
    /// In front of the names of its files, so that they are relative to `path`: `serve` keeps its
    /// node one level down.
    let prefix: String

    init(_ path: String) throws(CommandFailure) {
        self.path = path
        guard SmallFile.exists(path) else {
            throw CommandFailure(.local, "there is no directory \(path)")
        }
        for prefix in ["", "node/"] where Self.holdsLog("\(path)/\(prefix)") {
            self.prefix = prefix
            do throws(SystemError) {
                let directory = prefix.isEmpty ? path : "\(path)/node"
                disk = try DirectoryDisk(path: directory, isReadOnly: true)
            } catch { throw .local(error) }
            return
        }
        throw CommandFailure(
            .local, "\(path) is no data directory: it has neither `identity` nor a manifest")
    }

    private static func holdsLog(_ directory: String) -> Bool {
        [FileName.identity, FileName.manifest(0), FileName.manifest(1)].contains {
            SmallFile.exists(directory + "/" + $0)
        }
    }

    /// A failure of the disk as the command's end.
    func failure(_ error: DiskError) -> CommandFailure {
        let cause = SystemError(
            call: "\(error.operation) \(path)/\(prefix)\(error.file)", code: error.code)
        return CommandFailure(.local, "\(cause)")
    }
}
