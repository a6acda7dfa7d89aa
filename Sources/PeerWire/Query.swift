package import Bytes
package import Records

/// A read, from a gateway to a node.
package struct Query: Equatable, Sendable {
    package enum Consistency: Equatable, Sendable {
        /// Sees everything acknowledged before it began (ReadIndex, Raft dissertation section 6.4).
        case linearizable
        /// Any node that has applied every sequence below this one.
        case after(Sequence)
        /// Whatever this node has applied; the answer says how old that may be.
        case stale
    }

    package enum Subject: Equatable, Sendable {
        /// One revision of a unique_id (nil: the newest), or all of them.
        case event(uniqueID: [UInt8], revision: Revision?, history: Bool)
        case page(PageRequest)
    }

    package let id: UInt64
    package let consistency: Consistency
    package let subject: Subject

    package init(id: UInt64, consistency: Consistency, subject: Subject) {
        self.id = id
        self.consistency = consistency
        self.subject = subject
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        let consistencyCode = try cursor.integer(bytes, as: UInt8.self)
        let after = Sequence(try cursor.integer(bytes))
        switch consistencyCode {
        case 0: consistency = .linearizable
        case 1: consistency = .after(after)
        case 2: consistency = .stale
        default: throw ByteDefect(offset: cursor.offset)
        }
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 0:
            let history = try cursor.integer(bytes, as: UInt8.self) != 0
            let revision = Revision(try cursor.integer(bytes))
            let uniqueID = bytes.copy(try cursor.counted(bytes))
            subject = .event(
                uniqueID: uniqueID, revision: revision == .zero ? nil : revision, history: history)
        case 1: subject = .page(try PageRequest(&cursor, bytes))
        default: throw ByteDefect(offset: cursor.offset)
        }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        switch consistency {
        case .linearizable: Self.append(0, .zero, to: &payload)
        case .after(let sequence): Self.append(1, sequence, to: &payload)
        case .stale: Self.append(2, .zero, to: &payload)
        }
        switch subject {
        case .event(let uniqueID, let revision, let history):
            payload.append(0)
            payload.append(history ? 1 : 0)
            payload.append(littleEndian: revision?.value ?? 0)
            payload.append(counted: uniqueID)
        case .page(let request):
            payload.append(1)
            request.append(to: &payload)
        }
    }

    private static func append(_ code: UInt8, _ sequence: Sequence, to payload: inout [UInt8]) {
        payload.append(code)
        payload.append(littleEndian: sequence.value)
    }
}

/// A stretch of events in sequence order, as many as fit `byteLimit`.
package struct PageRequest: Equatable, Sendable {
    package var from: Sequence
    /// Exclusive; nil for as far as there is.
    package var until: Sequence?
    package var filter: EventFilter
    /// Bytes of rows after which the page ends.
    package var byteLimit: UInt32
    /// When there is nothing from `from` on yet, wait for it (within the node's own bound).
    package var waits: Bool

    package init(
        from: Sequence, until: Sequence?, filter: EventFilter, byteLimit: UInt32, waits: Bool
    ) {
        self.from = from
        self.until = until
        self.filter = filter
        self.byteLimit = byteLimit
        self.waits = waits
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        from = Sequence(try cursor.integer(bytes))
        let end = try cursor.integer(bytes, as: UInt64.self)
        until = end == .max ? nil : Sequence(end)
        byteLimit = try cursor.integer(bytes)
        waits = try cursor.integer(bytes, as: UInt8.self) != 0
        filter = try EventFilter(&cursor, bytes)
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: from.value)
        payload.append(littleEndian: until?.value ?? .max)
        payload.append(littleEndian: byteLimit)
        payload.append(waits ? 1 : 0)
        filter.append(to: &payload)
    }
}

extension EventFilter {
    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        self.init()
        guard let resources = Resources(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset)
        }
        self.resources = resources
        uniqueID = try Self.field(&cursor, bytes)
        scriptName = try Self.field(&cursor, bytes)
        hostName = try Self.field(&cursor, bytes)
        fileName = try Self.field(&cursor, bytes)
        let since = Timestamp(microseconds: try cursor.integer(bytes))
        self.since = since == .absent ? nil : since
        let untilTime = Timestamp(microseconds: try cursor.integer(bytes))
        self.untilTime = untilTime == .absent ? nil : untilTime
        guard let state = State(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset - 1)
        }
        self.state = state
        let newestBefore = try cursor.integer(bytes, as: UInt64.self)
        self.newestBefore = newestBefore == .max ? nil : Sequence(newestBefore)
        let attributes = EventSearch.Attributes(rawValue: try cursor.integer(bytes))
        let term = bytes.copy(try cursor.counted(bytes))
        search = term.isEmpty ? nil : EventSearch(folded: term, in: attributes)
    }

    func append(to payload: inout [UInt8]) {
        payload.append(resources.rawValue)
        for field in [uniqueID, scriptName, hostName, fileName] {
            payload.append(field == nil ? 0 : 1)
            payload.append(counted: field ?? [])
        }
        payload.append(littleEndian: (since ?? .absent).microseconds)
        payload.append(littleEndian: (untilTime ?? .absent).microseconds)
        payload.append(state.rawValue)
        payload.append(littleEndian: newestBefore?.value ?? .max)
        payload.append(search?.attributes.rawValue ?? 0)
        payload.append(counted: search?.folded ?? [])
    }

    private static func field(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> [UInt8]? {
        let present = try cursor.integer(bytes, as: UInt8.self) != 0
        let value = bytes.copy(try cursor.counted(bytes))
        return present ? value : nil
    }
}

/// The answer to a query.
package struct RowsHead: Equatable, Sendable {
    package enum Outcome: UInt8, Sendable {
        case found = 0
        /// No such unique_id or revision.
        case notFound = 1
        /// This node cannot answer with the consistency that was asked for; ask elsewhere.
        case elsewhere = 2
        /// What is stored there is damaged; the rows hold a text that says where.
        case damaged = 3
    }

    package var id: UInt64
    package var outcome: Outcome
    package var leader: NodeID?
    /// Where the next page begins.
    package var next: Sequence
    /// The first sequence that this node has not applied.
    package var end: Sequence
    /// Milliseconds since this node last heard a leader; 0 for reads that are not stale.
    package var staleMilliseconds: UInt32

    package init(id: UInt64, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
        leader = nil
        next = .zero
        end = .zero
        staleMilliseconds = 0
    }

    /// Reads the head; the rows (text, each ended by a line feed) are the rest of the payload.
    package init(
        _ payload: Range<Int>, _ bytes: Span<UInt8>, rows: inout Range<Int>
    ) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        guard let outcome = Outcome(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset)
        }
        self.outcome = outcome
        let leaderID = try cursor.integer(bytes, as: UInt32.self)
        leader = leaderID == 0 ? nil : NodeID(leaderID)
        next = Sequence(try cursor.integer(bytes))
        end = Sequence(try cursor.integer(bytes))
        staleMilliseconds = try cursor.integer(bytes)
        rows = cursor.offset..<payload.upperBound
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        payload.append(outcome.rawValue)
        payload.append(littleEndian: leader?.value ?? 0)
        payload.append(littleEndian: next.value)
        payload.append(littleEndian: end.value)
        payload.append(littleEndian: staleMilliseconds)
    }
}
