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
    package static let versions: ClosedRange<UInt16> = 3...3
    private static let magic: UInt32 = 0x314B_4244

    package let role: PeerRole
    package let clusterID: Identifier
    /// The sender's id; nil for gateways.
    package let node: NodeID?
    /// The sender's disk incarnation; zero for gateways.
    package let incarnation: Identifier
    package let versions: ClosedRange<UInt16>
    /// Of a node that opens a connection; nil from others, and from one that repairs its log.
    package let claim: Claim?

    /// What a node has on its disk.
    package struct Claim: Equatable, Sendable {
        /// The term that it promised.
        package let term: Term
        /// The end of its log.
        package let last: LogPosition

        package init(term: Term, last: LogPosition) {
            self.term = term
            self.last = last
        }
    }

    package init(
        role: PeerRole, clusterID: Identifier, node: NodeID?, incarnation: Identifier,
        versions: ClosedRange<UInt16> = Handshake.versions, claim: Claim? = nil
    ) {
        self.claim = claim
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
        claim = cursor.remaining == 0 ? nil : try Claim(&cursor, bytes)
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
        claim?.append(to: &payload)
    }

    /// The same with what the node has now.
    package func claiming(_ claim: Claim) -> Handshake {
        Handshake(
            role: role, clusterID: clusterID, node: node, incarnation: incarnation,
            versions: versions, claim: claim)
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

extension Handshake.Claim {
    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        term = Term(try cursor.integer(bytes))
        let last = Term(try cursor.integer(bytes))
        self.last = LogPosition(term: last, index: LogIndex(try cursor.integer(bytes)))
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: term.value)
        payload.append(littleEndian: last.term.value)
        payload.append(littleEndian: last.index.value)
    }
}

/// Why a node does not talk to who connected: the payload of a `refusal`.
package struct HandshakeRefusal: Equatable, Sendable {
    /// What the refused node makes of it. The number is the wire's.
    package enum Code: UInt8, CaseIterable, Sendable {
        case other = 0
        /// It is no member.
        case notMember = 1
        /// The member has another disk.
        case otherDisk = 2
        /// Its disk went back to an earlier state.
        case wentBack = 3
    }

    package let code: Code
    /// A sentence for people.
    package let reason: String

    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    /// Reads what can be read.
    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) {
        var cursor = ByteCursor(payload)
        reason = (try? cursor.text(bytes)) ?? "no reason that can be read"
        let number = try? cursor.integer(bytes, as: UInt8.self)
        code = number.flatMap { Code(rawValue: $0) } ?? .other
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(counted: reason)
        payload.append(code.rawValue)
    }
}
