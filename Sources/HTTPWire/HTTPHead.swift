import Bytes

package enum HTTPMethod: Sendable {
    case get, head, post, put, delete, options
    /// Any other; its bytes are in `HTTPHead.methodRange`.
    case other
}

/// Where one header is in the connection's bytes; the value without spaces around it.
package struct HTTPField: Equatable, Sendable {
    package let name: Range<Int>
    package let value: Range<Int>
}

/// Request line and headers of one request, as offsets into the connection's bytes.
package struct HTTPHead: Sendable {
    package internal(set) var method = HTTPMethod.other
    package internal(set) var methodRange = 0..<0
    /// The target up to its question mark, undecoded.
    package internal(set) var path = 0..<0
    /// The target behind its question mark; nil without one.
    package internal(set) var query: Range<Int>?
    /// HTTP/1.`minorVersion`.
    package internal(set) var minorVersion = 1
    package internal(set) var fields: [HTTPField] = []
    package internal(set) var contentType: Range<Int>?
    /// The declared length of the body; nil when there is no such header.
    package internal(set) var contentLength: Int?
    package internal(set) var isChunked = false
    package internal(set) var expectsContinue = false
    var asksToClose = false
    var asksToKeepAlive = false
    private var hostCount = 0
    private var hasAuthorization = false

    /// Whether the request allows another one behind it.
    package var keepAlive: Bool {
        !asksToClose && (minorVersion == 1 || asksToKeepAlive)
    }

    package var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    /// The value of the first header called `name`, which is in lower case.
    package func value(_ name: StaticString, in bytes: Span<UInt8>) -> Range<Int>? {
        for field in fields where HTTPCharacters.matches(bytes, field.name, name) {
            return field.value
        }
        return nil
    }

    /// How many headers are called `name`, which is in lower case.
    package func count(_ name: StaticString, in bytes: Span<UInt8>) -> Int {
        var count = 0
        for field in fields where HTTPCharacters.matches(bytes, field.name, name) { count += 1 }
        return count
    }

    mutating func reset() {
        var kept = fields
        fields = []
        kept.removeAll(keepingCapacity: true)
        self = HTTPHead()
        fields = kept
    }

    // MARK: Request line

    /// Reads `line`, which has no line break (RFC 9112 section 3).
    mutating func readRequestLine(
        _ buffer: [UInt8], _ line: Range<Int>
    ) throws(HTTPDefect) {
        let bytes = buffer.span
        var offset = line.lowerBound
        while offset < line.upperBound, HTTPCharacters.isToken(bytes[offset]) { offset += 1 }
        guard offset > line.lowerBound, offset < line.upperBound, bytes[offset] == 0x20 else {
            throw offset < line.upperBound ? .method : .requestLine
        }
        methodRange = line.lowerBound..<offset
        method = Self.method(bytes, methodRange)
        let target = offset + 1
        offset = target
        while offset < line.upperBound, HTTPCharacters.isTarget(bytes[offset]) { offset += 1 }
        guard offset < line.upperBound else { throw .requestLine }
        guard bytes[offset] == 0x20 else { throw .target }
        try readTarget(bytes, target..<offset)
        try readVersion(bytes, (offset + 1)..<line.upperBound)
    }

    private static func method(_ bytes: Span<UInt8>, _ range: Range<Int>) -> HTTPMethod {
        if HTTPCharacters.equals(bytes, range, "POST") { return .post }
        if HTTPCharacters.equals(bytes, range, "GET") { return .get }
        if HTTPCharacters.equals(bytes, range, "PUT") { return .put }
        if HTTPCharacters.equals(bytes, range, "HEAD") { return .head }
        if HTTPCharacters.equals(bytes, range, "DELETE") { return .delete }
        if HTTPCharacters.equals(bytes, range, "OPTIONS") { return .options }
        return .other
    }

    private mutating func readTarget(
        _ bytes: Span<UInt8>, _ target: Range<Int>
    ) throws(HTTPDefect) {
        let isAsterisk = method == .options && HTTPCharacters.equals(bytes, target, "*")
        guard isAsterisk || (!target.isEmpty && bytes[target.lowerBound] == UInt8(ascii: "/"))
        else { throw .target }
        path = target
        for offset in target where bytes[offset] == UInt8(ascii: "?") {
            path = target.lowerBound..<offset
            query = (offset + 1)..<target.upperBound
            return
        }
    }

    private mutating func readVersion(
        _ bytes: Span<UInt8>, _ version: Range<Int>
    ) throws(HTTPDefect) {
        if HTTPCharacters.equals(bytes, version, "HTTP/1.1") { return }
        guard !HTTPCharacters.equals(bytes, version, "HTTP/1.0") else {
            minorVersion = 0
            return
        }
        let start = version.lowerBound
        guard version.count == 8,
            HTTPCharacters.equals(bytes, start..<(start + 5), "HTTP/"),
            bytes[start + 5] &- 48 <= 9, bytes[start + 6] == UInt8(ascii: "."),
            bytes[start + 7] &- 48 <= 9
        else { throw .requestLine }
        throw .version
    }

    // MARK: Headers

    /// Splits `line`, which has no line break, into name and value (RFC 9112 section 5).
    static func field(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(HTTPDefect) -> HTTPField {
        if HTTPCharacters.isSpace(bytes[line.lowerBound]) { throw .foldedHeader }
        var offset = line.lowerBound
        while offset < line.upperBound, HTTPCharacters.isToken(bytes[offset]) { offset += 1 }
        guard offset > line.lowerBound, offset < line.upperBound,
            bytes[offset] == UInt8(ascii: ":")
        else { throw .headerName }
        let name = line.lowerBound..<offset
        offset += 1
        let value = offset..<line.upperBound
        while offset < line.upperBound {
            guard HTTPCharacters.isValue(bytes[offset]) else { throw .headerValue }
            offset += 1
        }
        return HTTPField(name: name, value: HTTPCharacters.trimmed(bytes, value))
    }

    /// Reads the header in `line`, which is not empty.
    mutating func readField(_ buffer: [UInt8], _ line: Range<Int>) throws(HTTPDefect) {
        let bytes = buffer.span
        let field = try Self.field(bytes, line)
        guard fields.count < HTTPLimits.headerCount else { throw .tooManyHeaders }
        fields.append(field)
        let name = field.name
        switch name.count {
        case 4 where HTTPCharacters.matches(bytes, name, "host"):
            try readHost(bytes, field.value)
        case 6 where HTTPCharacters.matches(bytes, name, "expect"):
            try readExpect(bytes, field.value)
        case 10 where HTTPCharacters.matches(bytes, name, "connection"):
            readConnection(bytes, field.value)
        case 12 where HTTPCharacters.matches(bytes, name, "content-type"):
            guard contentType == nil else { throw .repeatedHeader }
            contentType = field.value
        case 13 where HTTPCharacters.matches(bytes, name, "authorization"):
            guard !hasAuthorization else { throw .repeatedHeader }
            hasAuthorization = true
        case 14 where HTTPCharacters.matches(bytes, name, "content-length"):
            guard !Self.holdsTab(bytes, line) else { throw .contentLength }
            try readContentLength(bytes, field.value)
        case 17 where HTTPCharacters.matches(bytes, name, "transfer-encoding"):
            guard !Self.holdsTab(bytes, line) else { throw .transferEncoding }
            try readTransferEncoding(bytes, field.value)
        default: break
        }
    }

    /// Whether white space that some parsers do not trim stands in a header that frames the body.
    private static func holdsTab(_ bytes: Span<UInt8>, _ line: Range<Int>) -> Bool {
        for offset in line where bytes[offset] == 0x09 { return true }
        return false
    }

    /// Throws on a trailer that frames the body (RFC 9110 section 6.5.1).
    static func checkTrailer(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(HTTPDefect) {
        let name = try field(bytes, line).name
        if HTTPCharacters.matches(bytes, name, "content-length")
            || HTTPCharacters.matches(bytes, name, "transfer-encoding")
        {
            throw .ambiguousLength
        }
    }

    private mutating func readHost(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(HTTPDefect) {
        hostCount += 1
        guard hostCount == 1 else { throw .host }
        for offset in value where !HTTPCharacters.isHost(bytes[offset]) { throw .host }
    }

    private mutating func readExpect(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(HTTPDefect) {
        guard !expectsContinue else { throw .repeatedHeader }
        guard HTTPCharacters.matches(bytes, value, "100-continue") else { throw .expectation }
        expectsContinue = true
    }

    private mutating func readConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
        var start = value.lowerBound
        while start <= value.upperBound {
            var end = start
            while end < value.upperBound, bytes[end] != UInt8(ascii: ",") { end += 1 }
            let option = HTTPCharacters.trimmed(bytes, start..<end)
            if HTTPCharacters.matches(bytes, option, "close") { asksToClose = true }
            if HTTPCharacters.matches(bytes, option, "keep-alive") { asksToKeepAlive = true }
            start = end + 1
        }
    }

    private mutating func readContentLength(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(HTTPDefect) {
        // Leading zeros are refused: some readers take them for octal.
        guard contentLength == nil, !value.isEmpty, value.count <= HTTPLimits.lengthDigits,
            value.count == 1 || bytes[value.lowerBound] != UInt8(ascii: "0")
        else { throw .contentLength }
        var length = 0
        for offset in value {
            let digit = bytes[offset] &- 48
            guard digit <= 9 else { throw .contentLength }
            length = length * 10 + Int(digit)
        }
        contentLength = length
    }

    private mutating func readTransferEncoding(
        _ bytes: Span<UInt8>, _ value: Range<Int>
    ) throws(HTTPDefect) {
        guard !isChunked else { throw .repeatedHeader }
        guard HTTPCharacters.matches(bytes, value, "chunked") else { throw .transferEncoding }
        isChunked = true
    }

    /// Judges what can be judged only when all headers are there.
    mutating func finish() throws(HTTPDefect) {
        if isChunked, contentLength != nil || minorVersion == 0 { throw .ambiguousLength }
        if minorVersion == 1, hostCount == 0 { throw .host }
        if minorVersion == 0 { expectsContinue = false }
    }
}
