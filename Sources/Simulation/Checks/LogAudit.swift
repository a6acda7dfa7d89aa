package import Bytes
import Crypto
package import Records
import Replica
package import SegmentLog

/// The events of a log, by sequence.
package struct LogAudit {
    /// What a log holds of an event.
    package enum Remains: Equatable, Sendable {
        case whole
        case compacted
        case erased(mark: Digest)
    }

    package struct Row: Equatable, Sendable {
        /// Empty where the event was erased, as `digest` and `draft` are.
        package var uniqueID: [UInt8]
        package var revision: Revision
        package var digest: [UInt8]
        package var salt: Identifier
        package var leafHash: Digest
        package var recordedAt: Timestamp
        /// The stored record with revision and salt zero; empty of what is not whole.
        package var draft: [UInt8]
        package var isAdministration: Bool
        package var remains = Remains.whole
        /// The entry that holds it.
        package var entry = LogIndex.zero
    }

    /// By sequence, from 0.
    package var rows: [Row] = []
    /// Requests of the directory commands, in log order.
    package var commands: [DirectoryCommand] = []
    /// Where tokens were revoked: the sequence of the command.
    package var revocations: [(token: TokenID, sequence: Int)] = []
    /// What was taken away by the end of the log.
    package var retention = RetentionModel()

    package init() {}

    /// Reads all entries of `log` from a node's disk. Throws when one is damaged, or sequences have
    /// a gap.
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
            try add(entry, leaf: &leaf)
            index = index.next
        }
    }

    /// Reads the entries of a log as they were proposed.
    init(of entries: [Entry], cluster: Identifier) throws {
        var leaf = Leaf(hash: SHA256())
        retention.begin(cluster: cluster)
        for entry in entries { try add(entry, leaf: &leaf) }
    }

    private mutating func add(_ entry: Entry, leaf: inout Leaf) throws {
        let header = entry.header
        let bytes = entry.bytes.span
        guard header.firstSequence.value == UInt64(rows.count) else {
            throw Violation(
                "entry \(header.index) begins with sequence \(header.firstSequence), not "
                    + "\(rows.count)")
        }
        var offset = header.bodyRange.lowerBound
        for ordinal in 0..<header.recordCount {
            let stored = try StoredHead(
                decoding: bytes, at: offset, end: header.bodyRange.upperBound)
            let recordedAt = header.timestamp.advanced(byMicroseconds: ordinal)
            var row =
                switch stored.resource {
                case .auditEvent, .administration:
                    try whole(stored, bytes, recordedAt, leaf: &leaf)
                case .stub, .erased: try remains(of: stored, bytes, leaf: &leaf)
                }
            guard row.recordedAt == recordedAt else {
                throw Violation("sequence \(rows.count) has another time than its entry says")
            }
            row.entry = header.index
            rows.append(row)
            offset = stored.range.upperBound
        }
        try follow(entry, from: offset)
    }

    private func whole(
        _ stored: StoredHead, _ bytes: Span<UInt8>, _ recordedAt: Timestamp, leaf: inout Leaf
    ) throws -> Row {
        let offset = stored.range.lowerBound
        let view = try RecordView(decoding: bytes, at: offset, end: stored.range.upperBound)
        var draft = bytes.copy(view.range)
        for place in view.salt { draft[place - offset] = 0 }
        draft.put(littleEndian: UInt32(0), at: view.canonical.lowerBound - offset + 4)
        return Row(
            uniqueID: bytes.copy(view.uniqueID), revision: view.revision,
            digest: bytes.copy(view.digest), salt: Identifier(bytes, at: view.salt.lowerBound),
            leafHash: leaf.hash(
                of: view, in: bytes, sequence: Sequence(UInt64(rows.count)),
                recordedAt: recordedAt),
            recordedAt: recordedAt, draft: draft,
            isAdministration: view.resource == .administration)
    }

    private func remains(
        of stored: StoredHead, _ bytes: Span<UInt8>, leaf: inout Leaf
    ) throws -> Row {
        let stub = try RecordStub(decoding: bytes, in: stored.range)
        guard stub.sequence.value == UInt64(rows.count) else {
            throw Violation("sequence \(rows.count) holds what is left of \(stub.sequence)")
        }
        var row = Row(
            uniqueID: [], revision: .zero, digest: [], salt: Identifier(high: 0, low: 0),
            leafHash: leaf.hash(entry: stub.leafEntry), recordedAt: stub.recordedAt, draft: [],
            isAdministration: false)
        switch stub {
        case .compacted(_, let digest, let salt, let revision, let uniqueID):
            row.uniqueID = uniqueID
            row.revision = revision
            digest.append(to: &row.digest)
            row.salt = Identifier(salt.span, at: 0)
            row.remains = .compacted
        case .erased(_, let mark): row.remains = .erased(mark: mark)
        }
        return row
    }

    /// Takes note of what an entry says behind its records, from `offset` on.
    private mutating func follow(_ entry: Entry, from offset: Int) throws {
        let header = entry.header
        let bytes = entry.bytes.span
        var cursor = ByteCursor(offset..<header.bodyRange.upperBound)
        switch header.kind {
        case .directory where header.recordCount > 0:
            let command = try DirectoryCommand(&cursor, bytes)
            commands.append(command)
            if case .revokeToken(let token) = command.change {
                revocations.append((token, rows.count - 1))
            }
            retention.apply(command, at: header)
        case .erase:
            guard case .erase(let erasure) = try ControlPayload(.erase, &cursor, bytes) else {
                throw Violation("entry \(header.index) is no erasure")
            }
            let command = DirectoryCommand(
                request: erasure.request, author: erasure.author,
                change: .erase(uniqueID: erasure.uniqueID, reason: erasure.reason))
            commands.append(command)
            retention.apply(command, at: header)
        case .compact, .compactDone, .compactAbandoned, .collect:
            retention.apply(
                try ControlPayload(header.kind, &cursor, bytes), at: header, rows: rows)
        case .seal: retention.seal(header)
        default: break
        }
    }
}
