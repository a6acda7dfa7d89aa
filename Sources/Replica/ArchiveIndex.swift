package import EventIndex
package import Ledger
package import Records
package import SegmentLog

/// The index tables of a node's archive, as its loop has them; a seam where a lookup may cost a
/// system call.
package protocol ArchiveIndex: ArchivedRevisions {
    var seed: RevisionKey.Seed { get }
    /// Whether neighbours are to be merged.
    var isMergeDue: Bool { get }
    /// Takes in a table that is durable; returns those that it replaces, which nobody here uses
    /// any more.
    func adopt(_ table: IndexTable) -> [IndexTable]
}

/// The tables on a disk. Owned by one thread.
package final class DiskArchiveIndex<D: Disk>: ArchiveIndex {
    private let disk: D
    private var tables: IndexTables

    package init(_ tables: IndexTables, disk: D) {
        self.tables = tables
        self.disk = disk
    }

    package var seed: RevisionKey.Seed { tables.seed }
    package var isMergeDue: Bool { tables.nextMerge() != nil }

    package func adopt(_ table: IndexTable) -> [IndexTable] { tables.adopt(table) }

    /// A damaged table is removed, so that the next start builds it again from its segments.
    package func visit(
        _ key: RevisionKey, _ visit: (RevisionRow) -> Bool
    ) throws(IndexDamage) {
        do throws(IndexFailure) {
            try tables.visit(key, disk: disk, visit)
        } catch {
            if let file = error.file { try? disk.remove(file) }
            throw IndexDamage("\(error)")
        }
    }
}
