import Bytes
import Crypto
package import Ledger
package import Records
package import SegmentLog

/// The bytes of a state table: whose it is, then the ledger's state.
package enum StateTable {
    /// "DAYBKSTA"
    private static let magic: UInt64 = 0x4154_534b_4259_4144
    package static func encode(_ ledger: Ledger, clusterID: Identifier) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: magic)
        bytes.append(littleEndian: StateFormat.current.rawValue)
        bytes.append(littleEndian: UInt32(0))
        clusterID.append(to: &bytes)
        ledger.appendState(to: &bytes)
        return bytes
    }

    /// The ledger as it was at the table's SEAL; without an index it judges nothing.
    package static func decode(
        _ file: StateTableFile, clusterID: Identifier, index: (any ArchiveIndex)?
    ) throws(ReplicaFailure) -> Ledger {
        let bytes = file.bytes.span
        do {
            var cursor = ByteCursor(0..<bytes.count)
            let place = cursor.offset
            let magic = try cursor.integer(bytes, as: UInt64.self)
            let format = StateFormat(rawValue: try cursor.integer(bytes))
            guard magic == Self.magic, let format,
                try cursor.integer(bytes, as: UInt32.self) == 0,
                Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
                    == clusterID
            else { throw ByteDefect(offset: place) }
            var ledger = try Ledger(
                state: &cursor, bytes, format: format,
                seed: index?.seed ?? RevisionKey.Seed(0), archive: index)
            try cursor.finish()
            guard ledger.applied == file.seal else { throw ByteDefect(offset: cursor.offset) }
            // The table names the one before it; the next one will name this.
            ledger.wroteStateTable(StateTableFile.digest(of: file.bytes, SHA256()))
            return ledger
        } catch {
            throw .storage("the state table of entry \(file.seal) is not readable: \(error)")
        }
    }
}

extension Replica {
    /// The members as what can be read of the log names them: its newest entry about them, the
    /// newest state table, or the genesis.
    package static func members(
        of recovered: Recovered, _ source: any EntrySource
    ) throws(ReplicaFailure) -> [Membership.Row] {
        var list = MemberList()
        var applied = LogIndex(1)
        if let state = recovered.state {
            let ledger = try StateTable.decode(
                state, clusterID: recovered.identity.clusterID, index: nil)
            list = ledger.membership
            applied = ledger.applied
        } else if let place = recovered.catalogue.place(of: applied) {
            do {
                list = MemberList(founding: try Genesis(try source.entry(at: place)))
            } catch {
                throw .ledger("\(error)")
            }
        }
        let newer = try memberships(after: applied, in: recovered.catalogue, source)
        return newer.last?.rows ?? list.rows
    }

    /// The entries behind `applied` that set the members.
    static func memberships(
        after applied: LogIndex, in catalogue: Catalogue, _ source: any EntrySource
    ) throws(ReplicaFailure) -> [PendingMembers.Unapplied] {
        var found: [PendingMembers.Unapplied] = []
        var next = applied.next
        while next <= catalogue.lastIndex {
            let index = next
            next = next.next
            let entry: Entry
            if let place = catalogue.place(of: index) {
                guard catalogue.header(at: index)?.kind == .membership else { continue }
                entry = try source.entry(at: place)
            } else {
                // Only where the newest state tables are lost: all of it is read again anyway.
                entry = try source.archivedEntry(at: index, in: catalogue.archive)
            }
            do {
                guard let rows = try entry.membership()?.members else { continue }
                found.append(.init(index: index, rows: rows))
            } catch {
                throw .ledger("the members of entry \(index) are malformed")
            }
        }
        return found
    }
}
