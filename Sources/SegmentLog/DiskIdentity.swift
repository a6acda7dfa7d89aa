import Bytes
package import Records

/// Whose directory this is: written once, by `daybook init`, and never changed.
package struct DiskIdentity: Equatable, Sendable {
    static let encodedSize = 64
    /// "DAYBKIDN"
    private static let magic: UInt64 = 0x4e44_494b_4259_4144
    private static let format: UInt32 = 1

    package let clusterID: Identifier
    package let nodeID: NodeID
    /// Drawn anew whenever a directory is initialized, so that a wiped disk is not the old one.
    package let incarnation: Identifier
    /// Made for a cluster that is there (`--join`): what the genesis says of the node is about another
    /// disk.
    package let isJoining: Bool

    package init(
        clusterID: Identifier, nodeID: NodeID, incarnation: Identifier, isJoining: Bool = false
    ) {
        self.isJoining = isJoining
        self.clusterID = clusterID
        self.nodeID = nodeID
        self.incarnation = incarnation
    }

    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Self.encodedSize,
            bytes.littleEndian(UInt64.self, at: 0) == Self.magic,
            bytes.littleEndian(UInt32.self, at: 8) == Self.format,
            bytes.littleEndian(UInt32.self, at: 60)
                == CRC32C.checksum(bytes.extracting(0..<60))
        else { return nil }
        nodeID = NodeID(bytes.littleEndian(at: 12))
        clusterID = Identifier(bytes, at: 16)
        incarnation = Identifier(bytes, at: 32)
        isJoining = bytes.littleEndian(UInt64.self, at: 48) & 1 == 1
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Self.magic)
        bytes.append(littleEndian: Self.format)
        bytes.append(littleEndian: nodeID.value)
        clusterID.append(to: &bytes)
        incarnation.append(to: &bytes)
        bytes.append(littleEndian: UInt64(isJoining ? 1 : 0))
        bytes.append(littleEndian: UInt32(0))
        bytes.append(littleEndian: CRC32C.checksum(bytes.span))
        return bytes
    }
}
