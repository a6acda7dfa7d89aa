package import Bytes

/// HMAC-SHA-256 (RFC 2104) under one key. Not Sendable: one instance for each thread.
package struct MessageCode {
    /// Bytes of a block of SHA-256. A longer key is hashed first.
    private static let blockByteCount = 64

    private let hash: SHA256
    private var inner = [UInt8](repeating: 0x36, count: MessageCode.blockByteCount)
    private var outer = [UInt8](repeating: 0x5C, count: MessageCode.blockByteCount)

    /// `hash` is used for every code.
    package init(key: [UInt8], hash: SHA256 = SHA256()) {
        self.hash = hash
        let key = key.count > Self.blockByteCount ? hash.hash(key) : key
        for (place, byte) in key.enumerated() {
            inner[place] ^= byte
            outer[place] ^= byte
        }
    }

    /// The code of the bytes of `range` in `bytes`.
    package func code(of bytes: Span<UInt8>, in range: Range<Int>) -> Digest {
        hash.begin()
        hash.update(inner)
        hash.update(bytes, in: range)
        let digest = hash.finish()
        hash.begin()
        hash.update(outer)
        hash.update(digest)
        return hash.finishDigest()
    }
}
