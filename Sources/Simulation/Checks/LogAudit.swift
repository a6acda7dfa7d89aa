package import Bytes
import Crypto
package import Records
import Replica
package import SegmentLog

/// The events of one node's committed log, read back from its disk.
package struct LogAudit {
    package struct Row: Equatable, Sendable {
        package var uniqueID: [UInt8]
        package var revision: Revision
        package var digest: [UInt8]
        package var salt: Identifier
        package var leafHash: Digest
        package var recordedAt: Timestamp
        /// The stored record with revision and salt zero.
        package var draft: [UInt8]
        package var isAdministration: Bool
    }

    /// By sequence, from 0.
    package var rows: [Row] = []
    /// Requests of the directory commands, in log order.
    package var commands: [DirectoryCommand] = []
    /// Where tokens were revoked: the sequence of the command.
    package var revocations: [(token: TokenID, sequence: Int)] = []

    package init() {}

    /// Reads all entries of `log`. Throws when one is damaged, or sequences have a gap.
    package init(of log: Catalogue, on disk: SimulatedDisk) throws {
        let source = ArchiveSource(disk: disk)
        var leaf = Leaf(hash: SHA256())
        var index = LogIndex(1)
        while index <= log.lastIndex {
            let entry: Entry
            do {
                entry =
                    if let place = log.place(of: index) {
                        try source.entry(at: place)
                    } else {
                        try source.archivedEntry(at: index, in: log.archive)
                    }
            } catch {
                throw Violation("entry \(index) cannot be read: \(error)")
            }
            guard entry.header.firstSequence.value == UInt64(rows.count) else {
                throw Violation(
                    "entry \(index) begins with sequence \(entry.header.firstSequence), not "
                        + "\(rows.count)")
            }
            try add(entry, leaf: &leaf)
            index = index.next
        }
    }

    private mutating func add(_ entry: Entry, leaf: inout Leaf) throws {
        let header = entry.header
        let bytes = entry.bytes.span
        var offset = header.bodyRange.lowerBound
        for ordinal in 0..<header.recordCount {
            let view = try RecordView(
                decoding: bytes, at: offset, end: header.bodyRange.upperBound)
            let recordedAt = header.timestamp.advanced(byMicroseconds: ordinal)
            var draft = bytes.copy(view.range)
            for place in view.salt { draft[place - offset] = 0 }
            draft.put(littleEndian: UInt32(0), at: view.canonical.lowerBound - offset + 4)
            rows.append(
                Row(
                    uniqueID: bytes.copy(view.uniqueID), revision: view.revision,
                    digest: bytes.copy(view.digest),
                    salt: Identifier(bytes, at: view.salt.lowerBound),
                    leafHash: leaf.hash(
                        of: view, in: bytes, sequence: Sequence(UInt64(rows.count)),
                        recordedAt: recordedAt),
                    recordedAt: recordedAt, draft: draft,
                    isAdministration: view.resource == .administration))
            offset = view.range.upperBound
        }
        guard header.kind == .directory, header.recordCount > 0 else { return }
        var cursor = ByteCursor(offset..<header.bodyRange.upperBound)
        let command = try DirectoryCommand(&cursor, bytes)
        commands.append(command)
        if case .revokeToken(let token) = command.change {
            revocations.append((token, rows.count - 1))
        }
    }
}
