package import Bytes
package import Records

/// A command about the cluster itself, for its leader. It may be sent again: each says what is to
/// be, and is done when it is so.
package struct ClusterCommand: Equatable, Sendable {
    package enum Action: Equatable, Sendable {
        /// This member is to lead, and to take events.
        case transfer(to: NodeID)
        /// All that was acknowledged is to be in sealed segments.
        case seal
        /// What such an order would do, from the segment at this place of the archive on. Changes
        /// nothing.
        case estimate(CompactionOrder, from: UInt64)
        /// The legal holds behind this unique_id. Changes nothing.
        case holds(after: [UInt8])
        /// The members. Changes nothing.
        case members
        case change(MemberChange)
    }

    package let id: UInt64
    /// The administrator's token in whose name it comes; the leader looks at it again.
    package let author: TokenID
    package let action: Action

    package init(id: UInt64, author: TokenID, action: Action) {
        self.id = id
        self.author = author
        self.action = action
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        author = TokenID(try cursor.integer(bytes))
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 1: action = .transfer(to: NodeID(try cursor.integer(bytes)))
        case 2:
            let order = try CompactionOrder(&cursor, bytes)
            action = .estimate(order, from: try cursor.integer(bytes))
        case 3: action = .holds(after: bytes.copy(try cursor.counted(bytes)))
        case 4: action = .seal
        case 5: action = .members
        case 6: action = .change(try MemberChange(&cursor, bytes))
        default: throw ByteDefect(offset: cursor.offset - 1)
        }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        payload.append(littleEndian: author.value)
        switch action {
        case .transfer(let node):
            payload.append(1)
            payload.append(littleEndian: node.value)
        case .estimate(let order, let place):
            payload.append(2)
            order.append(to: &payload)
            payload.append(littleEndian: place)
        case .holds(let uniqueID):
            payload.append(3)
            payload.append(counted: uniqueID)
        case .seal: payload.append(4)
        case .members: payload.append(5)
        case .change(let change):
            payload.append(6)
            change.append(to: &payload)
        }
    }
}

/// What became of a command about the cluster.
package struct ClusterReply: Equatable, Sendable {
    /// Why it is not carried out. The number is the wire's.
    package enum Reason: UInt8, CaseIterable, Sendable {
        /// The author's token is not an administrator's, or is revoked.
        case notAllowed = 1
        /// There is no such member, or it has no vote.
        case unknownMember = 2
        /// Another change of the kind is not over.
        case underWay = 3
        /// The member does not answer.
        case unreachable = 4
        /// The member lacks too much of the log.
        case lagging = 5
        /// It was begun, and given up when its time was over.
        case abandoned = 6
        /// A segment of the leader's archive is damaged.
        case damaged = 7
        /// A member with this number or address is there.
        case alreadyMember = 8
        /// It is the only voter.
        case lastVoter = 9
        /// Too few of the voters that there would be answer.
        case losesQuorum = 10
        /// There are as many members as there may be.
        case full = 11
    }

    package enum Outcome: Equatable, Sendable {
        /// It is so: this node leads in this term.
        case leads(NodeID, Term)
        /// The newest SEAL is this entry, committed; events from this sequence on are behind it.
        case sealed(through: LogIndex, next: Sequence)
        case estimate(CompactionEstimate)
        case holds(HoldsPage)
        /// The members, as they are now.
        case members(MemberReport)
        /// `detail` is a sentence for people.
        case refused(Reason, detail: String)
        /// Nothing was begun: this node does not lead.
        case none
        /// It was begun, and this node leads no more.
        case unknown
    }

    package let id: UInt64
    package let outcome: Outcome

    package init(id: UInt64, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 0:
            let node = NodeID(try cursor.integer(bytes))
            outcome = .leads(node, Term(try cursor.integer(bytes)))
        case 1:
            guard let reason = Reason(rawValue: try cursor.integer(bytes)) else {
                throw ByteDefect(offset: cursor.offset - 1)
            }
            outcome = .refused(reason, detail: try cursor.text(bytes))
        case 6:
            let seal = LogIndex(try cursor.integer(bytes))
            outcome = .sealed(through: seal, next: Sequence(try cursor.integer(bytes)))
        case 2: outcome = .none
        case 3: outcome = .unknown
        case 4: outcome = .estimate(try CompactionEstimate(&cursor, bytes))
        case 5: outcome = .holds(try HoldsPage(&cursor, bytes))
        case 7: outcome = .members(try MemberReport(&cursor, bytes))
        default: throw ByteDefect(offset: cursor.offset - 1)
        }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        switch outcome {
        case .leads(let node, let term):
            payload.append(0)
            payload.append(littleEndian: node.value)
            payload.append(littleEndian: term.value)
        case .sealed(let seal, let next):
            payload.append(6)
            payload.append(littleEndian: seal.value)
            payload.append(littleEndian: next.value)
        case .refused(let reason, let detail):
            payload.append(contentsOf: [1, reason.rawValue])
            payload.append(counted: detail)
        case .none: payload.append(2)
        case .unknown: payload.append(3)
        case .estimate(let estimate):
            payload.append(4)
            estimate.append(to: &payload)
        case .holds(let page):
            payload.append(5)
            page.append(to: &payload)
        case .members(let report):
            payload.append(7)
            report.append(to: &payload)
        }
    }
}
