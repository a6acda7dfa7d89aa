package import Bytes
package import Records

/// Who opens a connection to a node.
package enum PeerRole: UInt8, Sendable {
    case node = 1
    /// A gateway, or a tool that speaks to nodes directly.
    case gateway = 2
}

/// The first frame in each direction: `hello` from who connects, `welcome` from who accepts.
package struct Handshake: Equatable, Sendable {
    /// The versions of this protocol that this program speaks.
    package static let versions: ClosedRange<UInt16> = 2...2
    private static let magic: UInt32 = 0x314B_4244

    package let role: PeerRole
    package let clusterID: Identifier
    /// The sender's id; nil for gateways.
    package let node: NodeID?
    /// The sender's disk incarnation; zero for gateways.
    package let incarnation: Identifier
    package let versions: ClosedRange<UInt16>

    package init(
        role: PeerRole, clusterID: Identifier, node: NodeID?, incarnation: Identifier,
        versions: ClosedRange<UInt16> = Handshake.versions
    ) {
        self.role = role
        self.clusterID = clusterID
        self.node = node
        self.incarnation = incarnation
        self.versions = versions
    }

    package init(_ range: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(range)
        guard try cursor.integer(bytes, as: UInt32.self) == Self.magic else {
            throw ByteDefect(offset: range.lowerBound)
        }
        let lowest = try cursor.integer(bytes, as: UInt16.self)
        let highest = try cursor.integer(bytes, as: UInt16.self)
        guard lowest <= highest, let role = PeerRole(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset)
        }
        versions = lowest...highest
        self.role = role
        clusterID = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
        let id = try cursor.integer(bytes, as: UInt32.self)
        node = id == 0 ? nil : NodeID(id)
        incarnation = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: Self.magic)
        payload.append(littleEndian: versions.lowerBound)
        payload.append(littleEndian: versions.upperBound)
        payload.append(role.rawValue)
        clusterID.append(to: &payload)
        payload.append(littleEndian: node?.value ?? 0)
        incarnation.append(to: &payload)
    }

    /// Why this side does not talk to `other`, or nil when it does.
    package func objection(to other: Handshake) -> String? {
        if !versions.overlaps(other.versions) {
            return "protocol version \(other.versions) is not one of \(versions)"
        }
        if other.clusterID != clusterID {
            return "cluster \(other.clusterID) is not this cluster \(clusterID)"
        }
        if other.role == .node, other.node == nil { return "a node without an id" }
        if let node = other.node, node == self.node { return "node id \(node) is mine" }
        return nil
    }
}

/// Why a node does not talk to who connected: the payload of a `refusal`.
package enum HandshakeRefusal {
    package static func append(_ reason: String, to payload: inout [UInt8]) {
        payload.append(counted: reason)
    }

    package static func reason(_ payload: Range<Int>, _ bytes: Span<UInt8>) -> String {
        var cursor = ByteCursor(payload)
        return (try? cursor.text(bytes)) ?? "no reason that can be read"
    }
}
