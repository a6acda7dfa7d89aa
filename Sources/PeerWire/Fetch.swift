package import Bytes
package import Records

/// What one node asks another's files for.
package enum FetchItem: Equatable, Sendable {
    /// The manifest as it is on the peer's disk.
    case manifest
    /// The state table of an archived segment, by its SEAL.
    case stateTable(LogIndex)
    /// The digests of all chunks of an archived segment's file.
    case chunkDigests(SegmentName)
    /// One chunk of it.
    case chunk(SegmentName, number: UInt32)
    /// An entry of this checksum at this place in the log.
    case entry(LogIndex, checksum: UInt32)
    /// The entry at this place in the log, if it is committed.
    case committedEntry(LogIndex)
}

/// Names a file of the archive; whether it is the right one, its digest says.
package struct SegmentName: Equatable, Sendable {
    package let firstIndex: LogIndex
    package let generation: UInt32

    package init(firstIndex: LogIndex, generation: UInt32) {
        self.firstIndex = firstIndex
        self.generation = generation
    }
}

/// A question for a piece of a peer's files.
package struct Fetch: Equatable, Sendable {
    package let id: UInt64
    package let item: FetchItem

    package init(id: UInt64, item: FetchItem) {
        self.id = id
        self.item = item
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        let kind = try cursor.integer(bytes, as: UInt8.self)
        let index = LogIndex(try cursor.integer(bytes))
        let first = try cursor.integer(bytes, as: UInt32.self)
        let second = try cursor.integer(bytes, as: UInt32.self)
        let name = SegmentName(firstIndex: index, generation: first)
        switch kind {
        case 1: item = .manifest
        case 2: item = .stateTable(index)
        case 3: item = .chunkDigests(name)
        case 4: item = .chunk(name, number: second)
        case 5: item = .entry(index, checksum: first)
        case 6: item = .committedEntry(index)
        default: throw ByteDefect(offset: payload.lowerBound + 8)
        }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        let (kind, index, first, second): (UInt8, LogIndex, UInt32, UInt32) =
            switch item {
            case .manifest: (1, .zero, 0, 0)
            case .stateTable(let seal): (2, seal, 0, 0)
            case .chunkDigests(let name): (3, name.firstIndex, name.generation, 0)
            case .chunk(let name, let number): (4, name.firstIndex, name.generation, number)
            case .entry(let index, let checksum): (5, index, checksum, 0)
            case .committedEntry(let index): (6, index, 0, 0)
            }
        payload.append(kind)
        payload.append(littleEndian: index.value)
        payload.append(littleEndian: first)
        payload.append(littleEndian: second)
    }
}

/// The answer to a `Fetch`. Whoever asked verifies the bytes.
package struct Fetched: Equatable, Sendable {
    package enum Outcome: UInt8, Sendable {
        case found = 1
        /// The peer never had it, or has something else in its place. About an entry, the bytes are
        /// the term that the peer has durably promised.
        case absent = 2
        /// The peer had it, and cannot read it any more, or cannot tell.
        case damaged = 3
    }

    package let id: UInt64
    package let outcome: Outcome
    package let bytes: [UInt8]

    package init(id: UInt64, outcome: Outcome, bytes: [UInt8] = []) {
        self.id = id
        self.outcome = outcome
        self.bytes = bytes
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        id = try cursor.integer(bytes)
        guard let outcome = Outcome(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: payload.lowerBound + 8)
        }
        self.outcome = outcome
        self.bytes = bytes.copy(try cursor.take(cursor.remaining))
    }

    /// Of an entry that is absent; nil in other answers.
    package var promisedTerm: Term? {
        guard outcome == .absent, bytes.count == 8 else { return nil }
        return Term(bytes.span.littleEndian(at: 0))
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: id)
        payload.append(outcome.rawValue)
        payload.append(contentsOf: bytes)
    }
}
