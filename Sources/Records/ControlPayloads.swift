package import Bytes

// The bodies of entries that change the cluster and its files. They are in the format from its first
// version (docs/reference/record-format.md has the tables), whether or not a command writes them yet.

/// What ends a segment besides its place: what a table of the state said, and who had what.
///
/// A SEAL with an empty body says neither; so do those of clusters that write no state tables.
package struct Seal: Equatable, Sendable {
    package struct Voter: Equatable, Sendable {
        package let id: NodeID
        package let incarnation: Identifier
        /// The last entry that the leader knows the voter to have on disk.
        package let acknowledged: LogPosition

        package init(id: NodeID, incarnation: Identifier, acknowledged: LogPosition) {
            self.id = id
            self.incarnation = incarnation
            self.acknowledged = acknowledged
        }

        package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
            id = NodeID(try cursor.integer(bytes))
            incarnation = try cursor.identifier(bytes)
            let term = Term(try cursor.integer(bytes))
            acknowledged = LogPosition(term: term, index: LogIndex(try cursor.integer(bytes)))
        }

        package func append(to bytes: inout [UInt8]) {
            bytes.append(littleEndian: id.value)
            incarnation.append(to: &bytes)
            bytes.append(littleEndian: acknowledged.term.value)
            bytes.append(littleEndian: acknowledged.index.value)
        }
    }

    /// Of the table written at the SEAL before this one; zeros in front of the first.
    package let stateTable: Digest
    /// In ascending order of their ids.
    package let voters: [Voter]

    package init(stateTable: Digest, voters: [Voter]) {
        self.stateTable = stateTable
        self.voters = voters
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        stateTable = try Digest(&cursor, bytes)
        voters = try cursor.members(bytes, id: \.id) { cursor throws(ByteDefect) in
            try Voter(&cursor, bytes)
        }
    }

    func append(to body: inout [UInt8]) {
        stateTable.append(to: &body)
        body.append(littleEndian: UInt32(voters.count))
        for voter in voters { voter.append(to: &body) }
    }
}

extension Identifier {
    /// Of a disk: nobody has said which one it is.
    package static let unknown = Identifier(high: 0, low: 0)
}

/// All members from this entry on, not the change alone.
package struct Membership: Equatable, Sendable {
    package enum Role: UInt8, Sendable {
        case voter = 1
        /// Receives the log and has no vote.
        case learner = 2
    }

    package struct Row: Equatable, Sendable {
        package let id: NodeID
        package let role: Role
        /// The disk that the member holds the log on; another one has no vote.
        package let incarnation: Identifier
        package let address: String

        package init(id: NodeID, role: Role, incarnation: Identifier, address: String) {
            self.id = id
            self.role = role
            self.incarnation = incarnation
            self.address = address
        }
    }

    /// In ascending order of their ids.
    package let members: [Row]

    package init(members: [Row]) { self.members = members }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        members = try cursor.members(bytes, id: \.id) { cursor throws(ByteDefect) in
            let id = NodeID(try cursor.integer(bytes))
            guard let role = Role(rawValue: try cursor.integer(bytes)) else {
                throw ByteDefect(offset: cursor.offset - 1)
            }
            return Row(
                id: id, role: role, incarnation: try cursor.identifier(bytes),
                address: try cursor.text(bytes))
        }
        guard members.contains(where: { $0.role == .voter }) else {
            throw ByteDefect(offset: cursor.offset)
        }
    }

    package func append(to body: inout [UInt8]) {
        body.append(littleEndian: UInt32(members.count))
        for member in members {
            body.append(littleEndian: member.id.value)
            body.append(member.role.rawValue)
            member.incarnation.append(to: &body)
            body.append(counted: member.address)
        }
    }
}

/// What a compaction takes away besides what is erased.
package enum CompactionPolicy: UInt32, Sendable {
    /// Nothing.
    case erasures = 0
    /// Revisions that have a later one before the cut.
    case latest = 1
    /// Events that were recorded before the time bound.
    case newerThan = 2

    package var slug: String {
        switch self {
        case .erasures: "erasures"
        case .latest: "latest"
        case .newerThan: "newer-than"
        }
    }
}

/// A compaction that every replica is to run. Its entry's index names it.
package struct Compaction: Equatable, Sendable {
    /// The segments, in log order, by the digests of their files.
    package let inputs: [Digest]
    /// Events from this sequence on do not count when the policy is judged.
    package let cut: Sequence
    /// A `CompactionPolicy`.
    package let policy: UInt32
    /// Of the retention state that it was judged by; with another one at its place in the log it
    /// is void.
    package let policyVersion: UInt32
    /// Events recorded at or after this time stay whatever the policy says.
    package let timeBound: Timestamp
    /// Of the outputs.
    package let generation: UInt32

    package init(
        inputs: [Digest], cut: Sequence, policy: UInt32, policyVersion: UInt32,
        timeBound: Timestamp, generation: UInt32
    ) {
        self.inputs = inputs
        self.cut = cut
        self.policy = policy
        self.policyVersion = policyVersion
        self.timeBound = timeBound
        self.generation = generation
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        cut = Sequence(try cursor.integer(bytes))
        timeBound = Timestamp(microseconds: try cursor.integer(bytes))
        policy = try cursor.integer(bytes)
        policyVersion = try cursor.integer(bytes)
        generation = try cursor.integer(bytes)
        guard generation > 0 else { throw ByteDefect(offset: cursor.offset - 4) }
        inputs = try cursor.digests(bytes)
    }

    func append(to body: inout [UInt8]) {
        body.append(littleEndian: cut.value)
        body.append(littleEndian: timeBound.microseconds)
        body.append(littleEndian: policy)
        body.append(littleEndian: policyVersion)
        body.append(littleEndian: generation)
        body.append(digests: inputs)
    }
}

/// Why a compaction was given up. Its inputs stay.
package enum CompactionAbandonment: UInt8, Sendable {
    /// No majority made the same outputs.
    case noMajority = 1
    case operatorRequest = 2
    /// A policy, hold or erasure came in between.
    case superseded = 3
}

/// Hides all revisions of one unique_id and closes the id. Its entry's index names it.
package struct Erasure: Equatable, Sendable {
    /// Names the request: repeating it changes nothing and gets the first answer.
    package let request: Identifier
    /// The administrator's token that it came with.
    package let author: TokenID
    /// Keyed hash of the unique_id, which is what stays of it.
    package let closedMark: Digest
    /// Empty in a compacted segment.
    package let uniqueID: [UInt8]
    package let reason: String

    package init(
        request: Identifier, author: TokenID, closedMark: Digest, uniqueID: [UInt8], reason: String
    ) {
        self.request = request
        self.author = author
        self.closedMark = closedMark
        self.uniqueID = uniqueID
        self.reason = reason
    }

    /// The same without the unique_id.
    package var redacted: Erasure {
        Erasure(
            request: request, author: author, closedMark: closedMark, uniqueID: [],
            reason: reason)
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        request = try cursor.identifier(bytes)
        author = TokenID(try cursor.integer(bytes))
        closedMark = try Digest(&cursor, bytes)
        uniqueID = bytes.copy(try cursor.counted(bytes))
        guard uniqueID.count <= Limits.shortStringBytes else {
            throw ByteDefect(offset: cursor.offset)
        }
        reason = try cursor.text(bytes)
    }

    func append(to body: inout [UInt8]) {
        request.append(to: &body)
        body.append(littleEndian: author.value)
        closedMark.append(to: &body)
        body.append(counted: uniqueID)
        body.append(counted: reason)
    }
}

/// What an entry of a control kind says behind its records.
package enum ControlPayload: Equatable, Sendable {
    /// nil for an empty body.
    case seal(Seal?)
    case membership(Membership)
    case compact(Compaction)
    /// A majority made these outputs, one for each input, in their order.
    case compactDone(compaction: LogIndex, outputs: [Digest])
    case compactAbandoned(compaction: LogIndex, CompactionAbandonment)
    /// The inputs of this compaction may be unlinked.
    case collect(compaction: LogIndex)
    case erase(Erasure)
    /// The Merkle tree over the first `size` events; what is signed.
    case checkpoint(size: UInt64, root: Digest)
    /// The apply rules from this entry on.
    case upgrade(applyRules: UInt32)

    package var kind: EntryKind {
        switch self {
        case .seal: .seal
        case .membership: .membership
        case .compact: .compact
        case .compactDone: .compactDone
        case .compactAbandoned: .compactAbandoned
        case .collect: .collect
        case .erase: .erase
        case .checkpoint: .checkpoint
        case .upgrade: .upgrade
        }
    }

    /// Reads what is left of a body of `kind`, all of it. Other kinds are a defect.
    package init(
        _ kind: EntryKind, _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) {
        switch kind {
        case .seal: self = .seal(cursor.remaining == 0 ? nil : try Seal(&cursor, bytes))
        case .membership: self = .membership(try Membership(&cursor, bytes))
        case .compact: self = .compact(try Compaction(&cursor, bytes))
        case .compactDone:
            let compaction = LogIndex(try cursor.integer(bytes))
            self = .compactDone(compaction: compaction, outputs: try cursor.digests(bytes))
        case .compactAbandoned:
            let compaction = LogIndex(try cursor.integer(bytes))
            guard let reason = CompactionAbandonment(rawValue: try cursor.integer(bytes)) else {
                throw ByteDefect(offset: cursor.offset - 1)
            }
            self = .compactAbandoned(compaction: compaction, reason)
        case .collect: self = .collect(compaction: LogIndex(try cursor.integer(bytes)))
        case .erase: self = .erase(try Erasure(&cursor, bytes))
        case .checkpoint:
            let size = try cursor.integer(bytes, as: UInt64.self)
            self = .checkpoint(size: size, root: try Digest(&cursor, bytes))
        case .upgrade: self = .upgrade(applyRules: try cursor.integer(bytes))
        case .genesis, .events, .noOperation, .directory:
            throw ByteDefect(offset: cursor.offset)
        }
        try cursor.finish()
    }

    package func append(to body: inout [UInt8]) {
        switch self {
        case .seal(let seal): seal?.append(to: &body)
        case .membership(let membership): membership.append(to: &body)
        case .compact(let compaction): compaction.append(to: &body)
        case .compactDone(let compaction, let outputs):
            body.append(littleEndian: compaction.value)
            body.append(digests: outputs)
        case .compactAbandoned(let compaction, let reason):
            body.append(littleEndian: compaction.value)
            body.append(reason.rawValue)
        case .collect(let compaction): body.append(littleEndian: compaction.value)
        case .erase(let erasure): erasure.append(to: &body)
        case .checkpoint(let size, let root):
            body.append(littleEndian: size)
            root.append(to: &body)
        case .upgrade(let applyRules): body.append(littleEndian: applyRules)
        }
    }
}

extension ByteCursor {
    fileprivate mutating func identifier(_ bytes: Span<UInt8>) throws(ByteDefect) -> Identifier {
        Identifier(bytes, at: try take(Identifier.encodedSize).lowerBound)
    }

    fileprivate mutating func digests(_ bytes: Span<UInt8>) throws(ByteDefect) -> [Digest] {
        let count = try integer(bytes, as: UInt32.self)
        guard count > 0, Int(count) * Digest.byteCount <= remaining else {
            throw ByteDefect(offset: offset - 4)
        }
        var digests: [Digest] = []
        for _ in 0..<count { digests.append(try Digest(&self, bytes)) }
        return digests
    }

    /// One row for each member, in ascending order of ids, which is checked.
    fileprivate mutating func members<Row>(
        _ bytes: Span<UInt8>, id: (Row) -> NodeID,
        _ read: (inout ByteCursor) throws(ByteDefect) -> Row
    ) throws(ByteDefect) -> [Row] {
        let count = try integer(bytes, as: UInt32.self)
        guard (1...UInt32(Limits.members)).contains(count) else {
            throw ByteDefect(offset: offset - 4)
        }
        var rows: [Row] = []
        for _ in 0..<count {
            let place = offset
            let row = try read(&self)
            guard rows.last.map({ id($0) < id(row) }) ?? true else {
                throw ByteDefect(offset: place)
            }
            rows.append(row)
        }
        return rows
    }
}

extension [UInt8] {
    fileprivate mutating func append(digests: [Digest]) {
        append(littleEndian: UInt32(digests.count))
        for digest in digests { digest.append(to: &self) }
    }
}
