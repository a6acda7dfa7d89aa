package import Bytes
package import Records

/// What a node says of itself, after the handshake, when its standing changes, and every 100 ms
/// at least.
package struct NodeStatus: Equatable, Sendable {
    package enum Role: UInt8, Sendable {
        case follower = 0
        case candidate = 1
        case leader = 2
        case learner = 3

        package var slug: String {
            switch self {
            case .follower, .candidate: "follower"
            case .leader: "leader"
            case .learner: "learner"
            }
        }
    }

    package struct Member: Equatable, Sendable {
        package var id: NodeID
        package var address: String
        /// What the leader knows this member to have on disk; zero when the sender does not lead.
        package var durable: LogIndex
        package var role = Membership.Role.voter
        /// Of its disk; unknown while it has not said.
        package var incarnation = Identifier.unknown
        /// It has answered the leader a moment ago.
        package var isReachable = false
        /// Its disk went back to an earlier state: what it says does not count.
        package var isDistrusted = false

        package init(id: NodeID, address: String, durable: LogIndex) {
            self.id = id
            self.address = address
            self.durable = durable
        }
    }

    package var node: NodeID
    package var role: Role
    package var term: Term
    package var leader: NodeID?
    /// It leads and takes events: an entry of its own term is committed and applied.
    package var serves: Bool
    package var commit: LogIndex
    package var applied: LogIndex
    package var lastIndex: LogIndex
    package var nextSequence: Sequence
    /// Milliseconds since a leader with a majority was heard (or was this node).
    package var heardMilliseconds: UInt32
    package var logBytes: UInt64
    package var storage = StorageStatus()
    /// The entry that set the members, where that is applied.
    package var membersIndex = LogIndex.zero
    package var members: [Member]

    package init(node: NodeID) {
        self.node = node
        role = .follower
        term = .zero
        serves = false
        (commit, applied, lastIndex) = (.zero, .zero, .zero)
        nextSequence = .zero
        heardMilliseconds = .max
        logBytes = 0
        members = []
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        node = NodeID(try cursor.integer(bytes))
        guard let role = Role(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset)
        }
        self.role = role
        serves = try cursor.integer(bytes, as: UInt8.self) != 0
        term = Term(try cursor.integer(bytes))
        let leaderID = try cursor.integer(bytes, as: UInt32.self)
        leader = leaderID == 0 ? nil : NodeID(leaderID)
        commit = LogIndex(try cursor.integer(bytes))
        applied = LogIndex(try cursor.integer(bytes))
        lastIndex = LogIndex(try cursor.integer(bytes))
        nextSequence = Sequence(try cursor.integer(bytes))
        heardMilliseconds = try cursor.integer(bytes)
        logBytes = try cursor.integer(bytes)
        storage = try StorageStatus(&cursor, bytes)
        membersIndex = LogIndex(try cursor.integer(bytes))
        let count = try cursor.integer(bytes, as: UInt32.self)
        members = []
        for _ in 0..<count { members.append(try Member(&cursor, bytes)) }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: node.value)
        payload.append(role.rawValue)
        payload.append(serves ? 1 : 0)
        payload.append(littleEndian: term.value)
        payload.append(littleEndian: leader?.value ?? 0)
        payload.append(littleEndian: commit.value)
        payload.append(littleEndian: applied.value)
        payload.append(littleEndian: lastIndex.value)
        payload.append(littleEndian: nextSequence.value)
        payload.append(littleEndian: heardMilliseconds)
        payload.append(littleEndian: logBytes)
        storage.append(to: &payload)
        payload.append(littleEndian: membersIndex.value)
        payload.append(littleEndian: UInt32(members.count))
        for member in members { member.append(to: &payload) }
    }
}

extension NodeStatus.Member {
    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        id = NodeID(try cursor.integer(bytes))
        durable = LogIndex(try cursor.integer(bytes))
        guard let role = Membership.Role(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset - 1)
        }
        self.role = role
        let flags = try cursor.integer(bytes, as: UInt8.self)
        guard flags <= 3 else { throw ByteDefect(offset: cursor.offset - 1) }
        isReachable = flags & 1 != 0
        isDistrusted = flags & 2 != 0
        incarnation = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
        address = try cursor.text(bytes)
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id.value)
        payload.append(littleEndian: durable.value)
        payload.append(role.rawValue)
        payload.append((isReachable ? 1 : 0) | (isDistrusted ? 2 : 0))
        incarnation.append(to: &payload)
        payload.append(counted: address)
    }
}
