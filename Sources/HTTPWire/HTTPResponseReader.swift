import Bytes

/// The head of one response. Names of headers are in lower case.
package struct HTTPResponseHead: Equatable, Sendable {
    package var status = 0
    package var headers: [(name: String, value: String)] = []

    package init(status: Int = 0) { self.status = status }

    package func value(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    package static func == (left: HTTPResponseHead, right: HTTPResponseHead) -> Bool {
        left.status == right.status
            && left.headers.elementsEqual(right.headers) {
                $0.name == $1.name && $0.value == $1.value
            }
    }
}

/// What makes bytes no response, RFC 9112.
package enum HTTPResponseDefect: Error, Equatable, Sendable {
    case statusLine
    case header
    /// More than `HTTPResponseReader.headLimit` bytes.
    case headTooLong
    /// Lengths that contradict each other, or none that can be read.
    case length
    case chunk
    /// The connection ended inside a response.
    case truncated
}

/// One response after the other out of the bytes of a connection.
///
/// The driver appends what it reads to `bytes` and asks `next` until that says `needsBytes`. Ranges
/// of an event are valid until the next call of `next`.
package struct HTTPResponseReader: Sendable {
    package enum Event: Equatable, Sendable {
        case needsBytes
        case head(HTTPResponseHead)
        /// Bytes of the body, at least one.
        case body(Range<Int>)
        /// The response is whole; the next one may begin.
        case end
    }

    private enum State: Equatable {
        case head
        case fixed(remaining: Int)
        case chunkSize
        case chunk(remaining: Int)
        case chunkEnd
        case trailers
        case untilClose
    }

    package static let headLimit = 64 * 1_024
    /// A chunk's size with its extensions, or one trailer.
    package static let lineLimit = 4 * 1_024

    package var bytes: [UInt8] = []
    private var offset = 0
    private var state = State.head
    /// Whether the connection may carry another request after this response.
    package private(set) var keepsAlive = true

    package init() {}

    /// Whether nothing of the next response has come.
    package var isIdle: Bool { state == .head && offset == bytes.count }

    package mutating func next() throws(HTTPResponseDefect) -> Event {
        while true {
            switch state {
            case .head:
                guard let head = try readHead() else { return needBytes() }
                // Interim responses say nothing that a client waits for.
                if (100..<200).contains(head.status) { continue }
                state = try framing(head)
                return .head(head)
            case .fixed(0):
                state = .head
                return .end
            case .fixed(let remaining):
                guard let part = take(remaining) else { return needBytes() }
                state = .fixed(remaining: remaining - part.count)
                return .body(part)
            case .chunkSize:
                guard let size = try readChunkSize() else { return needBytes() }
                state = size == 0 ? .trailers : .chunk(remaining: size)
            case .chunk(0): state = .chunkEnd
            case .chunk(let remaining):
                guard let part = take(remaining) else { return needBytes() }
                state = .chunk(remaining: remaining - part.count)
                return .body(part)
            case .chunkEnd:
                guard let line = try takeLine(limit: 2, or: .chunk) else { return needBytes() }
                guard line.isEmpty else { throw .chunk }
                state = .chunkSize
            case .trailers:
                guard let line = try takeLine(limit: Self.lineLimit, or: .header) else {
                    return needBytes()
                }
                guard line.isEmpty else { continue }
                state = .head
                return .end
            case .untilClose:
                guard let part = take(.max) else { return needBytes() }
                return .body(part)
            }
        }
    }

    /// The peer sends nothing more. True when that ends a response as it should.
    package mutating func endOfStream() throws(HTTPResponseDefect) -> Bool {
        if state == .untilClose, offset == bytes.count {
            state = .head
            return true
        }
        guard isIdle else { throw .truncated }
        return false
    }

    // MARK: Parts

    /// Drops what was handed out, so that the buffer does not grow with the stream.
    private mutating func needBytes() -> Event {
        bytes.removeSubrange(0..<offset)
        offset = 0
        return .needsBytes
    }

    private mutating func take(_ limit: Int) -> Range<Int>? {
        let count = min(limit, bytes.count - offset)
        guard count > 0 else { return nil }
        defer { offset += count }
        return offset..<(offset + count)
    }

    /// The next line without its end, once it is whole.
    private mutating func takeLine(
        limit: Int, or defect: HTTPResponseDefect
    ) throws(HTTPResponseDefect) -> [UInt8]? {
        guard let end = bytes[offset...].firstIndex(of: 0x0A) else {
            if bytes.count - offset > limit { throw defect }
            return nil
        }
        guard end > offset, bytes[end - 1] == 0x0D else { throw defect }
        let line = Array(bytes[offset..<(end - 1)])
        guard line.count <= limit else { throw defect }
        offset = end + 1
        return line
    }

    private mutating func readChunkSize() throws(HTTPResponseDefect) -> Int? {
        guard let line = try takeLine(limit: Self.lineLimit, or: .chunk) else { return nil }
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        guard !digits.isEmpty, digits.count <= 15, digits.allSatisfy(Self.isHexadecimal),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw .chunk }
        return size
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        Hex.decode([UInt8(ascii: "0"), byte].span) != nil
    }

    // MARK: Head

    private mutating func readHead() throws(HTTPResponseDefect) -> HTTPResponseHead? {
        guard let end = endOfHead() else {
            if bytes.count - offset > Self.headLimit { throw .headTooLong }
            return nil
        }
        guard end - offset <= Self.headLimit else { throw .headTooLong }
        let statusLine = try takeLine(limit: Self.headLimit, or: .statusLine) ?? []
        var head = HTTPResponseHead(status: try status(statusLine))
        while offset < end {
            let line = try takeLine(limit: Self.headLimit, or: .header) ?? []
            if !line.isEmpty { head.headers.append(try header(line)) }
        }
        return head
    }

    /// The offset behind the empty line that ends the head.
    private func endOfHead() -> Int? {
        var place = offset
        while let feed = bytes[place...].firstIndex(of: 0x0A) {
            if feed >= offset + 3, bytes[feed - 1] == 0x0D, bytes[feed - 2] == 0x0A {
                return feed + 1
            }
            place = feed + 1
        }
        return nil
    }

    private mutating func status(_ line: [UInt8]) throws(HTTPResponseDefect) -> Int {
        let text = String(decoding: line, as: UTF8.self)
        let isNew = text.hasPrefix("HTTP/1.1 ")
        guard isNew || text.hasPrefix("HTTP/1.0 "), line.count >= 12,
            line.count == 12 || line[12] == UInt8(ascii: " "),
            let status = Int(String(decoding: line[9..<12], as: UTF8.self)),
            (100..<600).contains(status)
        else { throw .statusLine }
        keepsAlive = isNew
        return status
    }

    private func header(
        _ line: [UInt8]
    ) throws(HTTPResponseDefect) -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { throw .header }
        let name = line[..<colon]
        let isToken = name.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard isToken else { throw .header }
        var value = line[(colon + 1)...]
        while let first = value.first, first == 0x20 || first == 0x09 { value.removeFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
        return (
            String(decoding: name, as: UTF8.self).lowercased(),
            String(decoding: value, as: UTF8.self)
        )
    }

    private mutating func framing(_ head: HTTPResponseHead) throws(HTTPResponseDefect) -> State {
        let options = head.value("connection")?.lowercased() ?? ""
        if options.contains("close") { keepsAlive = false }
        if head.status == 204 || head.status == 304 { return .fixed(remaining: 0) }
        let lengths = head.headers.filter { $0.name == "content-length" }.map(\.value)
        if let coding = head.value("transfer-encoding") {
            guard coding.lowercased() == "chunked", lengths.isEmpty else { throw .length }
            return .chunkSize
        }
        guard let text = lengths.first else {
            keepsAlive = false
            return .untilClose
        }
        guard lengths.allSatisfy({ $0 == text }), text.utf8.allSatisfy({ (48...57).contains($0) }),
            let length = Int(text)
        else { throw .length }
        return .fixed(remaining: length)
    }
}
