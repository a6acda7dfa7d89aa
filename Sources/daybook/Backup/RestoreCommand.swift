import Crypto
import EventIndex
import JSON
import Linux
import Maintenance
import Records
import Restoration
import SegmentInspection
import SegmentLog

/// `daybook restore DIR --data NEW`: a new cluster on the events of a backup.
enum RestoreCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let backup = arguments.positional[0]
        guard let data = arguments.value("data") else { throw UsageError("--data is missing") }
        let until = try arguments.number("until", in: 0...(.max >> 2))
        let number = try arguments.number("node", in: 1...UInt64(UInt32.max)) ?? 1
        let source = try open(backup)
        let target = try create(data)
        let (entry, files) = try founding(arguments, data)
        let node = NodeID(UInt32(number))
        let genesis = try Genesis(entry)
        guard genesis.members.contains(where: { $0.id == node }) else {
            throw CommandFailure(.local, "node \(node) is not among the members of the genesis")
        }
        let total = try totalBytes(source)
        var progress = ScanProgress("restoring", total: total)
        defer { progress.clear() }
        let restored: Restored
        do throws(RestorationFailure) {
            let restoration = try makeRestoration(
                source.disk, target, entry, until, keepsTokens: arguments.isSet("keep-tokens"))
            restored = try restoration.run { progress.add($0) }
        } catch { throw failure(error, backup, data) }
        try describe(restored.manifest, on: target, data)
        do throws(DiskError) {
            try LogDirectory.initialize(
                disk: target,
                identity: DiskIdentity(
                    clusterID: genesis.clusterID, nodeID: node,
                    incarnation: Founding.makeIdentifier()),
                archive: restored.manifest)
        } catch { throw failure(.target(error), backup, data) }
        progress.clear()
        StandardStream.output.write(
            arguments.isSet("json")
                ? json(restored, genesis) : text(restored, genesis, data, files, node))
        return .done
    }

    // MARK: Directories

    private static func open(_ path: String) throws(CommandFailure) -> InspectedDirectory {
        let directory = try InspectedDirectory(path)
        guard SmallFile.exists(path + "/" + BackupMarker.name) else {
            throw CommandFailure(
                .local, "\(path) is no backup: `daybook backup` never finished one there")
        }
        return directory
    }

    private static func create(_ path: String) throws(CommandFailure) -> DirectoryDisk {
        let disk: DirectoryDisk
        do throws(SystemError) {
            try SmallFile.createDirectory(path)
            disk = try DirectoryDisk(path: path)
        } catch { throw .local(error) }
        let names: [String]
        do throws(DiskError) {
            names = try disk.list()
        } catch { throw CommandFailure(.local, "\(error.operation) \(path): errno \(error.code)") }
        guard names.isEmpty else {
            throw CommandFailure(
                .local, "\(path) is not empty: restore into a directory that is new")
        }
        return disk
    }

    private static func totalBytes(
        _ directory: InspectedDirectory
    ) throws(CommandFailure) -> Int {
        do throws(DiskError) {
            return try SegmentFiles(disk: directory.disk).byteCount(on: directory.disk)
        } catch { throw directory.failure(error) }
    }

    /// The genesis of the new cluster, and where it and its token are when they were made here.
    private static func founding(
        _ arguments: Arguments, _ data: String
    ) throws -> (Entry, (genesis: String, token: String)?) {
        if let path = arguments.value("genesis") {
            return (try Founding.readGenesis(path).entry, nil)
        }
        let members = try Founding.members(arguments.value("members") ?? "1=127.0.0.1:7401")
        let genesis = data + "/genesis"
        let token = arguments.value("admin-token-file") ?? data + "/admin-token"
        guard !SmallFile.exists(token) else {
            throw CommandFailure(.local, "\(token) exists already; a cluster is made once")
        }
        do {
            let entry = try Founding.writeCluster(members, genesis: genesis, token: token)
            return (entry, (genesis, token))
        } catch let error as SystemError {
            throw CommandFailure(.local, "\(error)" + incomplete(data))
        }
    }

    private static func makeRestoration(
        _ source: DirectoryDisk, _ target: DirectoryDisk, _ genesis: Entry, _ until: UInt64?,
        keepsTokens: Bool
    ) throws(RestorationFailure) -> Restoration<DirectoryDisk, DirectoryDisk> {
        do {
            return try Restoration(
                from: source, to: target, founding: genesis, until: until.map { Sequence($0) },
                keepsTokens: keepsTokens)
        } catch { preconditionFailure("a genesis that was read is none: \(error)") }
    }

    /// Writes the places of all segments.
    private static func describe(
        _ manifest: Manifest, on disk: DirectoryDisk, _ path: String
    ) throws(CommandFailure) {
        // The index is built by the first start.
        var maintainer = Maintainer(
            disk: disk, manifest: manifest, tables: IndexTables(seed: RevisionKey.Seed(0)))
        var before: SegmentDescriptor?
        for segment in manifest.segments {
            do throws(ReadFailure) {
                _ = try maintainer.perform(.describe(segment, after: before))
            } catch {
                throw CommandFailure(
                    .local, "\(path)/\(segment.file) cannot be read back: \(error)")
            }
            before = segment
        }
    }

    // MARK: Answers

    private static func incomplete(_ data: String) -> String {
        ". \(data) is not complete, and no node starts on it: remove it"
    }

    private static func failure(
        _ failure: RestorationFailure, _ backup: String, _ data: String
    ) -> CommandFailure {
        func system(_ error: DiskError, _ path: String) -> String {
            "\(SystemError(call: "\(error.operation) \(path)/\(error.file)", code: error.code))"
        }
        let incomplete = incomplete(data)
        return switch failure {
        case .source(let error): CommandFailure(.local, system(error, backup) + incomplete)
        case .target(let error): CommandFailure(.local, system(error, data) + incomplete)
        case .noBackup: CommandFailure(.local, "\(backup) has no manifest that is whole")
        case .damaged(let file, let offset, let reason):
            CommandFailure(
                .refused, "\(backup)/\(file) is damaged at offset \(offset): \(reason)" + incomplete
            )
        case .noState(let file):
            CommandFailure(.refused, "\(backup)/\(file) is missing or damaged" + incomplete)
        case .beyondEnd(let end):
            CommandFailure(
                .refused, "the backup ends before sequence \(end): --until may be \(end) at most")
        case .sameCluster:
            CommandFailure(
                .refused,
                "the genesis is that of the cluster that was backed up; a restored one is new: make "
                    + "it with `daybook init cluster`")
        }
    }

    private static func text(
        _ restored: Restored, _ genesis: Genesis, _ data: String,
        _ files: (genesis: String, token: String)?, _ node: NodeID
    ) -> [UInt8] {
        var text =
            "\(data): node \(node) of cluster \(genesis.clusterID), with the "
            + "\(restored.size) events of cluster \(restored.parent)\n"
        if let files {
            text += "genesis: \(files.genesis)\nadministrator's token: \(files.token)\n"
        }
        if genesis.members.count > 1 {
            text += "restore the other members from the same backup, with the same options\n"
        }
        return Array(text.utf8)
    }

    private static func json(_ restored: Restored, _ genesis: Genesis) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        object.member("cluster_id", "\(genesis.clusterID)", to: &output)
        object.member("parent_cluster_id", "\(restored.parent)", to: &output)
        object.member("parent_size", restored.size.value, to: &output)
        object.member("parent_state_sha256", "\(restored.parentState)", to: &output)
        object.close(to: &output)
        return output + [0x0A]
    }
}
