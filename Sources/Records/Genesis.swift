package import Bytes

/// A member as the log names it.
package struct Member: Equatable, Sendable {
    package let id: NodeID
    /// `host:port` where its peers and gateways reach it.
    package let address: String

    package init(id: NodeID, address: String) {
        self.id = id
        self.address = address
    }
}

/// What the first entry of a log says: which cluster this is, and who founds it.
///
/// The same bytes on every founding node, so that membership is a function of the log alone.
package struct Genesis: Equatable, Sendable {
    package let clusterID: Identifier
    /// The version of the apply rules that the log begins with.
    package let applyRules: UInt32
    /// The founding voters, in ascending order of their ids.
    package let members: [Member]
    /// The administrator's token that everything else is set up with.
    package let administrator: TokenRow

    package static let currentApplyRules: UInt32 = 1

    package init(clusterID: Identifier, members: [Member], administrator: TokenRow) {
        self.clusterID = clusterID
        applyRules = Self.currentApplyRules
        self.members = members
        self.administrator = administrator
    }

    /// Reads the body of a genesis entry.
    package init(_ entry: Entry) throws(ByteDefect) {
        guard entry.header.kind == .genesis, entry.header.index == LogIndex(1) else {
            throw ByteDefect(offset: 0)
        }
        var cursor = ByteCursor(entry.header.bodyRange)
        try self.init(&cursor, entry.bytes.span)
        try cursor.finish()
    }

    /// Reads what `append(to:)` writes.
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        clusterID = Identifier(bytes, at: try cursor.take(Identifier.encodedSize).lowerBound)
        applyRules = try cursor.integer(bytes)
        let count = try cursor.integer(bytes, as: UInt32.self)
        guard (1...UInt32(Limits.members)).contains(count) else {
            throw ByteDefect(offset: cursor.offset)
        }
        var members: [Member] = []
        for _ in 0..<count {
            let id = NodeID(try cursor.integer(bytes))
            guard members.last.map({ $0.id < id }) ?? true else {
                throw ByteDefect(offset: cursor.offset)
            }
            members.append(Member(id: id, address: try cursor.text(bytes)))
        }
        self.members = members
        administrator = try TokenRow(&cursor, bytes)
    }

    /// The first entry of the log, stamped `createdAt`.
    package func entry(createdAt: Timestamp) -> Entry {
        var body: [UInt8] = []
        append(to: &body)
        return Entry(kind: .genesis, term: .zero, after: nil, timestamp: createdAt, body: body)
    }

    package func append(to bytes: inout [UInt8]) {
        clusterID.append(to: &bytes)
        bytes.append(littleEndian: applyRules)
        bytes.append(littleEndian: UInt32(members.count))
        for member in members {
            bytes.append(littleEndian: member.id.value)
            bytes.append(counted: member.address)
        }
        administrator.append(to: &bytes)
    }
}

extension TokenRow {
    /// Reads a row as `append(to:)` writes it.
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let id = TokenID(try cursor.integer(bytes))
        guard let kind = TokenKind(rawValue: try cursor.integer(bytes)), kind != .session else {
            throw ByteDefect(offset: cursor.offset)
        }
        let application = try cursor.text(bytes)
        let name = try cursor.text(bytes)
        let permissions = try cursor.texts(bytes)
        let digest = bytes.copy(try cursor.take(32))
        let createdAt = Timestamp(microseconds: try cursor.integer(bytes))
        let revokedAt = Timestamp(microseconds: try cursor.integer(bytes))
        self.init(
            id: id, kind: kind, application: application, name: name, permissions: permissions,
            secretDigest: digest, createdAt: createdAt,
            revokedAt: revokedAt == .absent ? nil : revokedAt)
    }

    package func append(to bytes: inout [UInt8]) {
        precondition(secretDigest.count == 32, "a digest of \(secretDigest.count) bytes")
        bytes.append(littleEndian: id.value)
        bytes.append(kind.rawValue)
        bytes.append(counted: application)
        bytes.append(counted: name)
        bytes.append(texts: permissions)
        bytes.append(contentsOf: secretDigest)
        bytes.append(littleEndian: createdAt.microseconds)
        bytes.append(littleEndian: (revokedAt ?? .absent).microseconds)
    }
}
