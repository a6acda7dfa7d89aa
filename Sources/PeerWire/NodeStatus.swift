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
        let count = try cursor.integer(bytes, as: UInt32.self)
        members = []
        for _ in 0..<count {
            let id = NodeID(try cursor.integer(bytes))
            let durable = LogIndex(try cursor.integer(bytes))
            members.append(Member(id: id, address: try cursor.text(bytes), durable: durable))
        }
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
        payload.append(littleEndian: UInt32(members.count))
        for member in members {
            payload.append(littleEndian: member.id.value)
            payload.append(littleEndian: member.durable.value)
            payload.append(counted: member.address)
        }
    }
}
