package import Linux

/// Where mail is handed over: the URL of Mandrill's API, or of what stands in for it.
package struct MailEndpoint: Equatable, Sendable, CustomStringConvertible {
    package static let standard = "https://mandrillapp.com/api/1.0"

    package let description: String
    /// A name or address, without brackets.
    package let host: String
    /// `host:port`.
    package let authority: String
    package let isSecure: Bool
    /// In front of `/messages/send`.
    package let path: String

    /// Why a text is no such URL.
    package struct Defect: Error, Equatable, Sendable, CustomStringConvertible {
        package let description: String
    }

    package init(_ text: String) throws(Defect) {
        let secure = text.hasPrefix("https://")
        guard secure || text.hasPrefix("http://") else {
            throw Defect(description: "\"\(text)\" is no URL: write https://HOST/PATH")
        }
        let rest = text.dropFirst(secure ? 8 : 7)
        let isPlain = rest.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7F && !"?#@\"\\".utf8.contains($0)
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let named = String(rest[..<slash])
        guard isPlain, !named.isEmpty else {
            throw Defect(
                description: "\"\(text)\" is no URL of a service: no user, query or fragment")
        }
        var path = rest[slash...]
        while path.hasSuffix("/") { path = path.dropLast() }
        let isBare = named.hasPrefix("[") ? named.hasSuffix("]") : !named.contains(":")
        let authority = isBare ? "\(named):\(secure ? 443 : 80)" : named
        let end = authority.lastIndex(of: ":") ?? authority.endIndex
        host = String(authority[..<end].drop { $0 == "[" }.prefix { $0 != "]" })
        self.authority = authority
        self.path = String(path)
        isSecure = secure
        description = text
    }
}

/// How a gateway hands mail over.
package struct MailDelivery: Sendable {
    package let endpoint: MailEndpoint
    /// Of Mandrill's account; never logged, never told.
    let key: [UInt8]
    /// nil for plain HTTP.
    let security: TLSContext?

    package init(endpoint: MailEndpoint, key: [UInt8], security: TLSContext?) {
        self.endpoint = endpoint
        self.key = key
        self.security = security
    }
}
