internal import Bytes
package import Records

/// What is to become of one member.
package enum MemberChange: Equatable, Sendable {
    /// A member is to be there, at this address: a learner, if it was none.
    case add(NodeID, address: String)
    /// It is to be a voter.
    case promote(NodeID)
    /// It is to be none.
    case remove(NodeID)

    package var node: NodeID {
        switch self {
        case .add(let node, _), .promote(let node), .remove(let node): node
        }
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let kind = try cursor.integer(bytes, as: UInt8.self)
        let node = NodeID(try cursor.integer(bytes))
        switch kind {
        case 1: self = .add(node, address: try cursor.text(bytes))
        case 2: self = .promote(node)
        case 3: self = .remove(node)
        default: throw ByteDefect(offset: cursor.offset - 5)
        }
    }

    func append(to payload: inout [UInt8]) {
        switch self {
        case .add(let node, let address):
            payload.append(1)
            payload.append(littleEndian: node.value)
            payload.append(counted: address)
        case .promote(let node):
            payload.append(2)
            payload.append(littleEndian: node.value)
        case .remove(let node):
            payload.append(3)
            payload.append(littleEndian: node.value)
        }
    }
}

/// All members, as the leader knows them.
package struct MemberReport: Equatable, Sendable {
    /// The entry that set them.
    package let index: LogIndex
    /// Where the leader's log ends.
    package let lastIndex: LogIndex
    package let members: [NodeStatus.Member]

    package init(index: LogIndex, lastIndex: LogIndex, members: [NodeStatus.Member]) {
        self.index = index
        self.lastIndex = lastIndex
        self.members = members
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        index = LogIndex(try cursor.integer(bytes))
        lastIndex = LogIndex(try cursor.integer(bytes))
        var members: [NodeStatus.Member] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            members.append(try NodeStatus.Member(&cursor, bytes))
        }
        self.members = members
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: index.value)
        payload.append(littleEndian: lastIndex.value)
        payload.append(littleEndian: UInt32(members.count))
        for member in members { member.append(to: &payload) }
    }
}
