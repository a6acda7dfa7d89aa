package import Bytes
package import Records

/// The members of the cluster as the applied log has them: their roles, disks and addresses. The
/// same on every replica.
package struct MemberList: Equatable, Sendable {
    /// In ascending order of their ids.
    package private(set) var rows: [Membership.Row] = []
    /// The entry that set them.
    package private(set) var index = LogIndex.zero
    /// What the newest SEAL says that its voters had on their disks.
    package private(set) var acknowledged: [Seal.Voter] = []

    package init() {}

    /// Those of the genesis. It does not know their disks.
    package init(founding genesis: Genesis) {
        index = LogIndex(1)
        rows = genesis.members.map {
            Membership.Row(id: $0.id, role: .voter, incarnation: .unknown, address: $0.address)
        }
    }

    package func row(_ id: NodeID) -> Membership.Row? { rows.first { $0.id == id } }

    mutating func set(_ membership: Membership, at index: LogIndex) {
        rows = membership.members
        self.index = index
        acknowledged = acknowledged.filter { row($0.id)?.incarnation == $0.incarnation }
    }

    /// All that the SEAL names is committed with it, for it stands in front of it.
    mutating func note(_ seal: Seal) { acknowledged = seal.voters }

    // MARK: - The state table

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        index = LogIndex(try cursor.integer(bytes))
        let membership = try Membership(&cursor, bytes)
        rows = membership.members
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            acknowledged.append(try Seal.Voter(&cursor, bytes))
        }
    }

    package func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: index.value)
        Membership(members: rows).append(to: &bytes)
        bytes.append(littleEndian: UInt32(acknowledged.count))
        for voter in acknowledged { voter.append(to: &bytes) }
    }
}

extension Ledger {
    mutating func applyMembership(_ entry: Entry) throws(Defect) {
        guard let membership = try? entry.membership() else {
            throw .malformed(entry.header.index, offset: EntryHeader.encodedSize)
        }
        self.membership.set(membership, at: entry.header.index)
    }
}
