import Bytes
package import HTTPWire

/// Whom a request is counted against.
package struct RequestSource: Equatable, Sendable {
    package let address: ClientAddress
    /// A proxy that is trusted said so; otherwise it is the connection's other end.
    package let isForwarded: Bool

    package init(address: ClientAddress, isForwarded: Bool) {
        self.address = address
        self.isForwarded = isForwarded
    }

    /// A process of this machine: 127.0.0.1.
    package static let local = RequestSource(
        address: ClientAddress(high: 0, low: 0xFFFF << 32 | 127 << 24 | 1), isForwarded: false)

    /// Whether no limit applies: a process of this machine that is no proxy for others.
    package var isExempt: Bool { address.isLoopback && !isForwarded }

    /// The address that the last proxy which is not trusted had, or that of the client.
    ///
    /// `X-Forwarded-For` is read from its end, each proxy having appended the address that it saw.
    /// Only what a trusted one appended is believed: what stands further in front is the client's
    /// word. What is no address ends the reading.
    package static func of(
        _ head: HTTPHead, in bytes: Span<UInt8>, peer: ClientAddress, trusted: [AddressBlock]
    ) -> RequestSource {
        var source = RequestSource(address: peer, isForwarded: false)
        guard !trusted.isEmpty else { return source }
        var hops: [ArraySlice<UInt8>] = []
        let name = "x-forwarded-for".utf8
        for field in head.fields
        where bytes.copy(field.name).map({ (65...90).contains($0) ? $0 | 0x20 : $0 })
            .elementsEqual(name)
        {
            hops += bytes.copy(field.value).split(
                separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        }
        while trusted.contains(where: { $0.contains(source.address) }), let hop = hops.popLast() {
            let text = hop.drop { $0 == 0x20 || $0 == 0x09 }
            let end = text.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { $0 + 1 }
            guard let address = ClientAddress(text[..<(end ?? text.startIndex)]) else { break }
            source = RequestSource(address: address, isForwarded: true)
        }
        return source
    }
}
