/// Where a service listens, from a URL such as `http://127.0.0.1:7400`.
struct Endpoint: Equatable, Sendable {
    static let standard = "http://127.0.0.1:7400"
    static let standardPort = 7400

    /// `host:port`, IPv6 in brackets.
    let authority: String
    /// Whether TLS is spoken.
    let isSecure: Bool

    /// Whom the certificate of HTTPS must name: the host, without brackets.
    var host: String {
        let end = authority.lastIndex(of: ":") ?? authority.endIndex
        return String(authority[..<end].drop { $0 == "[" }.prefix { $0 != "]" })
    }

    init(_ text: String) throws(UsageError) {
        guard let colon = text.firstRange(of: "://") else {
            throw UsageError("\"\(text)\" is no URL: write http://HOST:PORT")
        }
        switch text[..<colon.lowerBound].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default:
            throw UsageError(
                "\"\(text)\" begins with no scheme that is known: use http:// or https://")
        }
        var rest = text[colon.upperBound...]
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard !rest.isEmpty, rest.utf8.allSatisfy(Self.isPlain) else {
            throw UsageError("\"\(text)\" is no URL of a gateway: write http://HOST:PORT alone")
        }
        let isBare = rest.hasPrefix("[") ? rest.hasSuffix("]") : !rest.contains(":")
        authority = isBare ? "\(rest):\(Self.standardPort)" : String(rest)
    }

    /// What may stand in host and port; a path, a query or user information may not.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._[]:%".utf8.contains(byte)
        }
    }
}

/// Percent-encoding, RFC 3986 section 2.1.
enum PercentEncoding {
    /// `text` as one segment of a path or one value of a query: all but the unreserved characters
    /// become `%XX`.
    static func encode(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                encoded.append(byte)
            default:
                encoded.append(UInt8(ascii: "%"))
                encoded.append(digits[Int(byte >> 4)])
                encoded.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
