/// Where a client is: an IPv4 or IPv6 address without a port. IPv4 is held as IPv4-mapped IPv6 (RFC
/// 4291 section 2.5.5.2), so that both spellings of one address are equal.
package struct ClientAddress: Hashable, Sendable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads a numeric address as `10.0.0.1` or `2001:db8::1`; nil for anything else.
    package init?(_ text: some Sequence<UInt8>) {
        let text = Array(text)
        guard text.count <= 45 else { return nil }
        if let number = Self.dotted(text[...]) {
            self.init(high: 0, low: 0xFFFF << 32 | UInt64(number))
        } else {
            guard let groups = Self.groups(text[...]) else { return nil }
            let half = { (range: Range<Int>) in
                groups[range].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
            }
            self.init(high: half(0..<4), low: half(4..<8))
        }
    }

    /// Reads the address out of `host:port`, an IPv6 host in brackets.
    package init?(endpoint: String) {
        guard let colon = endpoint.lastIndex(of: ":") else { return nil }
        var host = endpoint[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        // A scope, as in fe80::1%eth0, is this machine's affair.
        self.init(host.prefix { $0 != "%" }.utf8)
    }

    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Whether it is this machine's own, that no other can send from.
    package var isLoopback: Bool {
        isIPv4 ? UInt8(truncatingIfNeeded: low >> 24) == 127 : high == 0 && low == 1
    }

    package var description: String {
        guard isIPv4 else { return ipv6Text }
        return (0..<4).map { "\(UInt8(truncatingIfNeeded: low >> (24 - 8 * $0)))" }
            .joined(separator: ".")
    }

    // MARK: Text

    private static func dotted(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            // A leading zero means octal to some readers.
            guard (1...3).contains(part.count), part.count == 1 || part.first != 0x30,
                part.allSatisfy({ (0x30...0x39).contains($0) })
            else { return nil }
            let byte = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 &- 0x30) }
            guard byte <= 255 else { return nil }
            number = number << 8 | byte
        }
        return number
    }

    /// The eight groups of an IPv6 address (RFC 4291 section 2.2).
    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        let gap = text.indices.dropLast().first { text[$0] == colon && text[$0 + 1] == colon }
        guard let gap else {
            guard let groups = list(text), groups.count == 8 else { return nil }
            return groups
        }
        guard let front = list(text[..<gap]), let back = list(text[(gap + 2)...]),
            front.count + back.count < 8
        else { return nil }
        return front + [UInt16](repeating: 0, count: 8 - front.count - back.count) + back
    }

    /// Groups between single colons; the last may be two in dotted form.
    private static func list(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (place, part) in parts.enumerated() {
            if place == parts.count - 1, let number = dotted(part) {
                groups += [UInt16(number >> 16), UInt16(truncatingIfNeeded: number)]
                continue
            }
            guard (1...4).contains(part.count),
                let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16),
                part.first != UInt8(ascii: "+")
            else { return nil }
            groups.append(group)
        }
        return groups
    }

    /// In the form of RFC 5952: the longest run of zero groups is left out.
    private var ipv6Text: String {
        let groups = (0..<8).map { place in
            UInt16(truncatingIfNeeded: (place < 4 ? high : low) >> (48 - 16 * (place % 4)))
        }
        var best = 0..<0
        var start = 0
        for place in 0...8 where place == 8 || groups[place] != 0 {
            if place - start > max(best.count, 1) { best = start..<place }
            start = place + 1
        }
        let text = { (range: Range<Int>) in
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        return best.isEmpty
            ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }
}

/// A block of addresses, as `10.0.0.0/8`, or one address.
package struct AddressBlock: Hashable, Sendable {
    private let base: ClientAddress
    /// Bits that count, of 128.
    private let bits: Int

    /// nil for what is no block.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let base = ClientAddress(parts[0].utf8) else {
            return nil
        }
        let width = base.isIPv4 ? 32 : 128
        let length = parts.count == 2 ? Int(parts[1]) : width
        guard let length, (0...width).contains(length) else { return nil }
        self.base = base
        bits = length + 128 - width
    }

    package func contains(_ address: ClientAddress) -> Bool {
        let highMask = bits >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(bits))
        let lowMask = bits <= 64 ? 0 : bits == 128 ? UInt64.max : ~(UInt64.max >> UInt64(bits - 64))
        return (base.high ^ address.high) & highMask == 0 && (base.low ^ address.low) & lowMask == 0
    }
}
