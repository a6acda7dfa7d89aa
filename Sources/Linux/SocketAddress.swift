internal import CLinux

/// An IPv4 or IPv6 address with a port, in the kernel's form.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    /// As it was given, `host:port`.
    package let description: String
    /// A `sockaddr`.
    let bytes: [UInt8]

    /// Reads `127.0.0.1:7400`, `[::1]:7400` or `name:7400`; `*:7400` is every address.
    ///
    /// A name is looked up, which may block: at the start, never in a loop. Of a name with both
    /// families the IPv4 address is taken.
    package init(_ text: String) throws(AddressError) {
        let (host, port) = try Self.split(text)
        var address = [UInt8](repeating: 0, count: Int(DAYBOOK_ADDRESS_BYTES))
        var length: UInt32 = 0
        let code =
            if host == "*" {
                unsafe daybook_resolve("0.0.0.0", port, 1, &address, &length)
            } else {
                unsafe daybook_resolve(host, port, 0, &address, &length)
            }
        guard code == 0 else {
            let reason = unsafe daybook_resolver_text(code).map { unsafe String(cString: $0) }
            throw AddressError(text: text, reason: reason ?? "resolver error \(code)")
        }
        description = text
        bytes = Array(address[0..<Int(length)])
    }

    /// Whether `text` is an address of this machine that no other can reach. False for what is no
    /// address.
    package static func isLoopback(_ text: String) -> Bool {
        guard let bytes = try? SocketAddress(text).bytes else { return false }
        // sockaddr_in has the address at 4, sockaddr_in6 at 8.
        guard bytes.count >= 24 else { return bytes.count >= 8 && bytes[4] == 127 }
        let address = bytes[8..<24]
        return address.elementsEqual([UInt8](repeating: 0, count: 15) + [1])
            || address.prefix(13).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127])
    }

    /// The host without brackets, and the port as it was given.
    private static func split(_ text: String) throws(AddressError) -> (String, String) {
        guard let colon = text.lastIndex(of: ":") else {
            throw AddressError(text: text, reason: "no port: write host:port")
        }
        var host = text[..<colon]
        let port = text[text.index(after: colon)...]
        guard !port.isEmpty, port.utf8.allSatisfy({ (48...57).contains($0) }), UInt16(port) != nil
        else { throw AddressError(text: text, reason: "the port is not a number up to 65535") }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw AddressError(text: text, reason: "write an IPv6 address as [address]:port")
        }
        guard !host.isEmpty else { throw AddressError(text: text, reason: "no host") }
        guard !text.utf8.contains(0) else {
            throw AddressError(text: text, reason: "a zero byte")
        }
        return (String(host), String(port))
    }
}

/// A `host:port` that means no address, and why.
package struct AddressError: Error, Equatable, Sendable, CustomStringConvertible {
    package let text: String
    package let reason: String

    package var description: String { "address \"\(text)\": \(reason)" }
}
