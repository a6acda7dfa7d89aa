private import COpenSSL

/// Unpredictable bytes from OpenSSL's generator, which the kernel seeds.
package enum RandomBytes {
    /// `count` fresh bytes. Traps when the generator fails: there is no safe way to go on.
    package static func make(count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let code = unsafe RAND_bytes(&bytes, CInt(count))
        precondition(code == 1, "RAND_bytes failed")
        return bytes
    }

    /// A fresh 64-bit number.
    package static func makeSeed() -> UInt64 {
        make(count: 8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension [UInt8] {
    /// Overwrites what was a secret, in a way that no compiler leaves out. Copies are another matter.
    package mutating func wipe() {
        unsafe withUnsafeMutableBytes { buffer in
            unsafe OPENSSL_cleanse(buffer.baseAddress, buffer.count)
        }
        removeAll(keepingCapacity: true)
    }
}

/// Comparison whose time depends on the lengths alone, never on where two secrets differ.
package enum ConstantTime {
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return unsafe CRYPTO_memcmp(left, right, left.count) == 0
    }
}
