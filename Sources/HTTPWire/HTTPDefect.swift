/// Why bytes are no request that is served. Each has one status.
package enum HTTPDefect: Error, Equatable, Sendable, CaseIterable {
    case bareLineFeed
    case requestLine
    case requestLineTooLong
    case method
    case target
    case version
    case headersTooLarge
    case tooManyHeaders
    case headerName
    case headerValue
    /// A header continued on a second line (RFC 9112 section 5.2).
    case foldedHeader
    /// A header that may appear once appears twice.
    case repeatedHeader
    case host
    case contentLength
    /// Content-Length and Transfer-Encoding, or the latter in HTTP/1.0 (RFC 9112 section 6.1).
    case ambiguousLength
    case transferEncoding
    case expectation
    case chunk
    case chunkExtensionsTooLong

    /// The status that answers it.
    package var status: Int {
        switch self {
        case .requestLineTooLong: 414
        case .headersTooLarge, .tooManyHeaders: 431
        case .expectation: 417
        case .transferEncoding: 501
        case .version: 505
        case .bareLineFeed, .requestLine, .method, .target, .headerName, .headerValue,
            .foldedHeader, .repeatedHeader, .host, .contentLength, .ambiguousLength, .chunk,
            .chunkExtensionsTooLong:
            400
        }
    }

    /// One sentence for the client; needs no escapes in JSON.
    package var detail: StaticString {
        switch self {
        case .bareLineFeed: "A line does not end in CR LF."
        case .requestLine: "The request line is not method, target and version."
        case .requestLineTooLong: "The request line is longer than 8192 bytes."
        case .method: "The method is no token."
        case .target: "The target is not a path, or has a character that must be encoded."
        case .version: "The version is neither HTTP/1.1 nor HTTP/1.0."
        case .headersTooLarge: "The headers or trailers are too large."
        case .tooManyHeaders: "There are more than 100 headers."
        case .headerName: "The name of a header is no token followed by a colon."
        case .headerValue: "The value of a header has a control character."
        case .foldedHeader: "A header is continued on a second line."
        case .repeatedHeader: "A header that may appear once is repeated."
        case .host: "The Host header is missing, repeated or malformed."
        case .contentLength: "The Content-Length is not one decimal number."
        case .ambiguousLength: "Content-Length and Transfer-Encoding exclude each other."
        case .transferEncoding: "The transfer coding is not chunked alone."
        case .expectation: "The expectation is not 100-continue."
        case .chunk: "A chunk's size or end is malformed."
        case .chunkExtensionsTooLong: "The chunk extensions are too long."
        }
    }
}
