import Bytes
import Consensus
import Crypto
import EventIndex
import Linux
import Maintenance
package import Records
import SegmentLog

/// A node's directory from the outside: founding it, locking it, recovering it.
package enum NodeDirectory {
    /// Takes the directory for this process until the descriptor is let go of.
    static func lock(_ path: String) throws -> FileDescriptor {
        do {
            return try SmallFile.lock(path + "/lock")
        } catch {
            if error.isAbsent {
                throw NodeFailure(
                    "\(path) is no data directory: make it with `daybook init node`")
            }
            throw NodeFailure("\(path) is in use by another process (\(error))")
        }
    }

    /// Makes the directory of a member: identity, and a log that holds the genesis entry. One that is
    /// `joining` gets the rest of its log from the cluster, once that has added it; others found it.
    ///
    /// May be run again when it was cut short. Durable on return.
    package static func found(
        _ path: String, genesis entry: Entry, node: NodeID, incarnation: Identifier,
        joining: Bool = false
    ) throws {
        let genesis = try Genesis(entry)
        guard joining || genesis.members.contains(where: { $0.id == node }) else {
            throw NodeFailure(
                "node \(node) is not among the founders that the genesis names: with --join it "
                    + "becomes a member of a cluster that is there")
        }
        try SmallFile.createDirectory(path)
        let lock = try SmallFile.lock(path + "/lock")
        let disk = try DirectoryDisk(path: path)
        let identity = DiskIdentity(
            clusterID: genesis.clusterID, nodeID: node, incarnation: incarnation,
            isJoining: joining)
        if try disk.byteCount(of: FileName.identity) == nil {
            try LogDirectory.initialize(disk: disk, identity: identity)
        }
        let recovered = try LogDirectory.recover(disk: disk, clusterID: genesis.clusterID)
        guard recovered.catalogue.isEmpty, recovered.identity.nodeID == node else {
            throw NodeFailure(
                "\(path) holds node \(recovered.identity.nodeID) of cluster "
                    + "\(recovered.identity.clusterID) already")
        }
        var catalogue = recovered.catalogue
        var writer = LogWriter(disk: disk, settings: LogSettings(), recovered: recovered)
        var persist = PersistWriter(disk: disk, recovered: recovered)
        try writer.perform(
            [.append(entry.bytes, at: catalogue.append(entry.header))], marking: &persist)
        _ = consume lock
    }

    /// Throws a FaultyTail when peers may have what is damaged, else a NodeFailure.
    static func recover(_ path: String, settings: LogSettings) throws -> Recovered {
        let disk = try DirectoryDisk(path: path)
        let recovered: Recovered
        do {
            recovered = try LogDirectory.recover(disk: disk, settings: settings)
        } catch .faulty(let faulty) {
            // Others may have it (`RepairServer`).
            throw faulty
        } catch {
            throw failure(error, in: path)
        }
        guard !recovered.catalogue.isEmpty else {
            throw NodeFailure(
                "\(path) has no genesis entry: run `daybook init node` again")
        }
        return recovered
    }

    /// Opens the tables of the index, and makes those that are missing or damaged again.
    static func openIndex(
        _ path: String, of archive: Manifest, _ log: ServerLog
    ) throws -> IndexTables {
        let bytes = RandomBytes.make(count: RevisionKey.byteCount)
        let seed = RevisionKey.Seed(
            high: bytes.span.littleEndian(at: 0), low: bytes.span.littleEndian(at: 8))
        let start = try IndexTables.start(
            archive, disk: try DirectoryDisk(path: path), seed: seed)
        for damage in start.damaged {
            log.write(.warning, "removed a damaged index table", [("found", "\(damage)")])
        }
        for range in start.rebuilt {
            log.write(
                .info, "built the index again",
                [("first", "\(range.lowerBound)"), ("next", "\(range.upperBound)")])
        }
        return start.tables
    }

    /// What to do about a log that cannot be opened.
    static func failure(_ failure: RecoveryFailure, in path: String) -> NodeFailure {
        switch failure {
        case .notInitialized:
            NodeFailure("\(path) is not initialized: run `daybook init node`")
        case .corrupt(let file, let offset, let defect):
            NodeFailure(
                "\(path)/\(file) is damaged at offset \(offset): \(defect). Nothing was changed. "
                    + "Restore the file from another node or a backup")
        case .faulty(let faulty): Self.failure(faulty, in: path)
        case .disk(let error):
            NodeFailure(
                "\(error.operation) of \(path)/\(error.file) failed with errno \(error.code)")
        case .foreign(let expected, let found):
            NodeFailure("\(path) belongs to cluster \(found), not to \(expected)")
        }
    }

    static func failure(_ faulty: FaultyTail, in path: String) -> NodeFailure {
        NodeFailure(
            "\(path)/\(faulty.file) is damaged at offset \(faulty.offset): \(faulty.defect). "
                + "Entries from \(faulty.firstIndex) to \(faulty.lastPosition.index) were "
                + "durable here and cannot all be read. Nothing was changed. "
                + "Restore the file from another node or a backup")
    }
}
