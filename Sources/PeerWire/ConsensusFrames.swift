package import Bytes
package import Consensus
package import Records

/// Consensus messages as frames. An append carries its entries' own bytes, verbatim.
package enum ConsensusFrames {
    /// A message as it was received, with the entries of an append in their order.
    package struct Received: Sendable {
        package private(set) var message: Message
        package private(set) var entries: [Entry]

        init(message: Message, entries: [Entry]) {
            self.message = message
            self.entries = entries
        }

        /// Leaves an append that only confirms what is before its entries: there is no room for them.
        package mutating func dropEntries() {
            guard case .appendRequest(var request) = message else { return }
            request.entries = []
            message = .appendRequest(request)
            entries = []
        }
    }

    /// Appends `message` as a frame; `entries` holds the entries that an append names.
    package static func append(_ message: Message, entries: [Entry], to output: inout [UInt8]) {
        switch message {
        case .preVoteRequest(let term, let last):
            appendVoteRequest(.preVote, term, last, to: &output)
        case .voteRequest(let term, let last, let byOrder):
            appendVoteRequest(byOrder ? .voteByOrder : .vote, term, last, to: &output)
        case .preVoteResponse(let term, let granted):
            appendVoteResponse(preVote: true, term, granted, to: &output)
        case .voteResponse(let term, let granted):
            appendVoteResponse(preVote: false, term, granted, to: &output)
        case .appendRequest(let request):
            precondition(entries.count == request.entries.count, "entries are missing")
            Frame.append(.appendRequest, to: &output) { payload in
                payload.append(littleEndian: request.term.value)
                append(request.previous, to: &payload)
                payload.append(littleEndian: request.commit.value)
                payload.append(littleEndian: request.readContext)
                payload.append(littleEndian: request.window)
                for entry in entries { payload.append(contentsOf: entry.bytes) }
            }
        case .appendResponse(let response):
            appendResponse(response, to: &output)
        case .timeoutNow(let term):
            Frame.append(.timeoutNow, to: &output) { $0.append(littleEndian: term.value) }
        case .installHint(let term, let base):
            Frame.append(.installHint, to: &output) { payload in
                payload.append(littleEndian: term.value)
                append(base, to: &payload)
            }
        }
    }

    /// Reads the payload of a frame between nodes.
    package static func read(
        _ kind: FrameKind, _ payload: Range<Int>, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> Received {
        var cursor = ByteCursor(payload)
        switch kind {
        case .voteRequest: return try readVoteRequest(&cursor, bytes)
        case .voteResponse: return try readVoteResponse(&cursor, bytes)
        case .appendRequest: return try readAppendRequest(&cursor, bytes)
        case .appendResponse: return try readAppendResponse(&cursor, bytes)
        case .timeoutNow:
            let term = try term(&cursor, bytes)
            try cursor.finish()
            return Received(message: .timeoutNow(term: term), entries: [])
        case .installHint:
            let term = try term(&cursor, bytes)
            let base = try position(&cursor, bytes)
            try cursor.finish()
            return Received(message: .installHint(term: term, base: base), entries: [])
        default: throw ByteDefect(offset: payload.lowerBound)
        }
    }

    // MARK: Votes

    private enum VoteKind: UInt8 {
        case vote = 0
        case preVote = 1
        case voteByOrder = 2
    }

    private static func appendVoteRequest(
        _ kind: VoteKind, _ term: Term, _ last: LogPosition, to output: inout [UInt8]
    ) {
        Frame.append(.voteRequest, to: &output) { payload in
            payload.append(kind.rawValue)
            payload.append(littleEndian: term.value)
            append(last, to: &payload)
        }
    }

    private static func appendVoteResponse(
        preVote: Bool, _ term: Term, _ granted: Bool, to output: inout [UInt8]
    ) {
        Frame.append(.voteResponse, to: &output) { payload in
            payload.append(preVote ? 1 : 0)
            payload.append(littleEndian: term.value)
            payload.append(granted ? 1 : 0)
        }
    }

    private static func readVoteRequest(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> Received {
        guard let kind = VoteKind(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset - 1)
        }
        let term = try term(&cursor, bytes)
        let last = try position(&cursor, bytes)
        try cursor.finish()
        return Received(
            message: kind == .preVote
                ? .preVoteRequest(term: term, last: last)
                : .voteRequest(term: term, last: last, byOrder: kind == .voteByOrder),
            entries: [])
    }

    private static func readVoteResponse(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> Received {
        let preVote = try flag(&cursor, bytes)
        let term = try term(&cursor, bytes)
        let granted = try flag(&cursor, bytes)
        try cursor.finish()
        return Received(
            message: preVote
                ? .preVoteResponse(term: term, granted: granted)
                : .voteResponse(term: term, granted: granted),
            entries: [])
    }

    // MARK: Appends

    private static func readAppendRequest(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> Received {
        let term = try term(&cursor, bytes)
        let previous = try position(&cursor, bytes)
        let commit = try index(&cursor, bytes)
        let readContext = try cursor.integer(bytes, as: UInt64.self)
        let window = try cursor.integer(bytes, as: UInt32.self)
        var entries: [Entry] = []
        var descriptors: [EntryDescriptor] = []
        while cursor.remaining > 0 {
            let offset = cursor.offset
            guard let header = try? EntryHeader(decoding: bytes, at: offset),
                let place = try? cursor.take(header.byteCount),
                let entry = try? Entry(verifying: bytes.copy(place)),
                let descriptor = try? EntryDescriptor(entry),
                entries.last.map({ $0.header.checksum == header.previousChecksum }) ?? true
            else { throw ByteDefect(offset: offset) }
            entries.append(entry)
            descriptors.append(descriptor)
        }
        let request = AppendRequest(
            term: term, previous: previous, entries: descriptors, commit: commit,
            readContext: readContext, window: window)
        return Received(message: .appendRequest(request), entries: entries)
    }

    private static func appendResponse(_ response: AppendResponse, to output: inout [UInt8]) {
        Frame.append(.appendResponse, to: &output) { payload in
            payload.append(littleEndian: response.term.value)
            payload.append(littleEndian: response.readContext)
            switch response.result {
            case .matched(let through):
                payload.append(0)
                append(through, to: &payload)
                payload.append(littleEndian: UInt64(0))
                payload.append(littleEndian: UInt32(0))
            case .rejected(let previous, let hint, let window):
                payload.append(1)
                append(hint, to: &payload)
                payload.append(littleEndian: previous.value)
                payload.append(littleEndian: window)
            }
        }
    }

    private static func readAppendResponse(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> Received {
        let term = try term(&cursor, bytes)
        let readContext = try cursor.integer(bytes, as: UInt64.self)
        let rejected = try flag(&cursor, bytes)
        let place = try position(&cursor, bytes)
        let previous = try index(&cursor, bytes)
        let window = try cursor.integer(bytes, as: UInt32.self)
        try cursor.finish()
        let response = AppendResponse(
            term: term,
            result: rejected
                ? .rejected(previous: previous, hint: place, window: window)
                : .matched(through: place),
            readContext: readContext)
        return Received(message: .appendResponse(response), entries: [])
    }

    // MARK: Fields

    private static func append(_ position: LogPosition, to payload: inout [UInt8]) {
        payload.append(littleEndian: position.term.value)
        payload.append(littleEndian: position.index.value)
    }

    private static func position(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> LogPosition {
        let term = try term(&cursor, bytes)
        return LogPosition(term: term, index: try index(&cursor, bytes))
    }

    /// No log comes near this; a number beyond it is damage, and arithmetic must not meet it.
    private static let bound: UInt64 = 1 << 62

    private static func bounded(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> UInt64 {
        let value = try cursor.integer(bytes, as: UInt64.self)
        guard value < bound else { throw ByteDefect(offset: cursor.offset - 8) }
        return value
    }

    private static func term(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> Term {
        Term(try bounded(&cursor, bytes))
    }

    private static func index(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> LogIndex {
        LogIndex(try bounded(&cursor, bytes))
    }

    private static func flag(
        _ cursor: inout ByteCursor, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> Bool {
        let value = try cursor.integer(bytes, as: UInt8.self)
        guard value <= 1 else { throw ByteDefect(offset: cursor.offset - 1) }
        return value == 1
    }
}
