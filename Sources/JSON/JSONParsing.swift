import Bytes

extension JSONDocument {
    /// Parses the one value in `range` of `bytes`, with nothing but white space around it.
    ///
    /// `range` may end at most 4 GiB into `bytes`. After a defect the document has no nodes.
    package mutating func parse(
        _ bytes: Span<UInt8>, in range: Range<Int>
    ) throws(JSONDefect) {
        precondition(
            range.upperBound <= bytes.count && range.upperBound <= Int(UInt32.max),
            "\(range) of \(bytes.count) bytes")
        nodes.removeAll(keepingCapacity: true)
        names.removeAll(keepingCapacity: true)
        do throws(JSONDefect) {
            try document(bytes, range)
        } catch {
            nodes.removeAll(keepingCapacity: true)
            throw error
        }
    }

    /// Parses the one value that all of `bytes` hold.
    package mutating func parse(_ bytes: Span<UInt8>) throws(JSONDefect) {
        try parse(bytes, in: 0..<bytes.count)
    }

    private mutating func document(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(JSONDefect) {
        guard !range.isEmpty else { throw JSONDefect(.empty, at: range.lowerBound) }
        var offset = range.lowerBound
        JSONScanner.skipSpace(bytes, &offset, end: range.upperBound)
        try value(bytes, &offset, end: range.upperBound, depth: 0)
        JSONScanner.skipSpace(bytes, &offset, end: range.upperBound)
        guard offset == range.upperBound else { throw JSONDefect(.trailingBytes, at: offset) }
    }

    private mutating func value(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int, depth: Int
    ) throws(JSONDefect) {
        guard offset < end else { throw JSONDefect(.unexpectedEnd, at: end) }
        let start = offset
        switch bytes[start] {
        case UInt8(ascii: "\""):
            try string(bytes, &offset, end: end)
        case UInt8(ascii: "{"):
            try object(bytes, &offset, end: end, depth: depth)
        case UInt8(ascii: "["):
            try array(bytes, &offset, end: end, depth: depth)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try JSONScanner.number(bytes, &offset, end: end)
            nodes.append(JSONNode(.number, start: start, end: offset, next: nodes.count + 1))
        case UInt8(ascii: "t"):
            try literal(bytes, &offset, end: end, "true", .true)
        case UInt8(ascii: "f"):
            try literal(bytes, &offset, end: end, "false", .false)
        case UInt8(ascii: "n"):
            try literal(bytes, &offset, end: end, "null", .null)
        default:
            throw JSONDefect(.unexpectedByte, at: start)
        }
    }

    @inline(__always)
    private mutating func string(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int
    ) throws(JSONDefect) {
        let start = offset
        let hasEscapes = try JSONScanner.string(bytes, &offset, end: end)
        nodes.append(
            JSONNode(
                .string, start: start, end: offset, next: nodes.count + 1, hasEscapes: hasEscapes))
    }

    private mutating func literal(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int, _ text: StaticString, _ kind: JSONKind
    ) throws(JSONDefect) {
        let start = offset
        for place in 0..<text.utf8CodeUnitCount {
            guard offset < end else { throw JSONDefect(.unexpectedEnd, at: end) }
            guard unsafe bytes[offset] == text.utf8Start[place] else {
                throw JSONDefect(.unexpectedByte, at: offset)
            }
            offset += 1
        }
        nodes.append(JSONNode(kind, start: start, end: offset, next: nodes.count + 1))
    }

    private mutating func array(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int, depth: Int
    ) throws(JSONDefect) {
        guard depth < Self.nestingLimit else { throw JSONDefect(.nesting, at: offset) }
        let array = nodes.count
        nodes.append(JSONNode(.array, start: offset, end: offset, next: array + 1))
        var count = 0
        offset += 1
        JSONScanner.skipSpace(bytes, &offset, end: end)
        if offset < end, bytes[offset] == UInt8(ascii: "]") {
            offset += 1
        } else {
            repeat {
                JSONScanner.skipSpace(bytes, &offset, end: end)
                try value(bytes, &offset, end: end, depth: depth + 1)
                count += 1
            } while try isFollowed(bytes, &offset, end: end, closer: UInt8(ascii: "]"))
        }
        nodes[array].close(end: offset, next: nodes.count, count: count)
    }

    private mutating func object(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int, depth: Int
    ) throws(JSONDefect) {
        guard depth < Self.nestingLimit else { throw JSONDefect(.nesting, at: offset) }
        let object = nodes.count
        nodes.append(JSONNode(.object, start: offset, end: offset, next: object + 1))
        var seen = SeenNames(first: object + 1)
        offset += 1
        JSONScanner.skipSpace(bytes, &offset, end: end)
        if offset < end, bytes[offset] == UInt8(ascii: "}") {
            offset += 1
        } else {
            repeat {
                try name(bytes, &offset, end: end)
                try note(nodes.count - 1, in: &seen, bytes)
                try value(bytes, &offset, end: end, depth: depth + 1)
            } while try isFollowed(bytes, &offset, end: end, closer: UInt8(ascii: "}"))
        }
        nodes[object].close(end: offset, next: nodes.count, count: seen.count)
        try finish(seen, of: object, bytes)
    }

    /// Reads white space, a name, the colon, and white space again.
    @inline(__always)
    private mutating func name(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int
    ) throws(JSONDefect) {
        JSONScanner.skipSpace(bytes, &offset, end: end)
        guard offset < end else { throw JSONDefect(.unexpectedEnd, at: end) }
        guard bytes[offset] == UInt8(ascii: "\"") else {
            throw JSONDefect(.unexpectedByte, at: offset)
        }
        try string(bytes, &offset, end: end)
        if offset >= end || bytes[offset] != UInt8(ascii: ":") {
            JSONScanner.skipSpace(bytes, &offset, end: end)
            guard offset < end else { throw JSONDefect(.unexpectedEnd, at: end) }
            guard bytes[offset] == UInt8(ascii: ":") else {
                throw JSONDefect(.unexpectedByte, at: offset)
            }
        }
        offset &+= 1
        JSONScanner.skipSpace(bytes, &offset, end: end)
    }

    /// Reads a comma (true) or `closer` (false).
    @inline(__always)
    private func isFollowed(
        _ bytes: Span<UInt8>, _ offset: inout Int, end: Int, closer: UInt8
    ) throws(JSONDefect) -> Bool {
        JSONScanner.skipSpace(bytes, &offset, end: end)
        guard offset < end else { throw JSONDefect(.unexpectedEnd, at: end) }
        let byte = bytes[offset]
        guard byte == UInt8(ascii: ",") || byte == closer else {
            throw JSONDefect(.unexpectedByte, at: offset)
        }
        offset += 1
        return byte == UInt8(ascii: ",")
    }
}
