private import COpenSSL

/// scrypt (RFC 7914): a hash of passwords that costs memory and time. For worker threads: one takes
/// tens of milliseconds.
package enum Scrypt {
    /// `byteCount` bytes of `password` and `salt`; N is 2 to the power `logN`. Takes 128 * N * r bytes.
    package static func hash(
        _ password: [UInt8], salt: [UInt8], logN: UInt8, r: UInt8, p: UInt8, byteCount: Int
    ) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        let (n, r, p) = (UInt64(1) << UInt64(logN), UInt64(r), UInt64(p))
        let memory = 128 * n * r + 128 * r * p + (1 << 20)
        let code = unsafe password.withUnsafeBytes { password in
            unsafe EVP_PBE_scrypt(
                password.bindMemory(to: CChar.self).baseAddress, password.count, salt, salt.count,
                n, r, p, memory, &digest, byteCount)
        }
        precondition(code == 1, "EVP_PBE_scrypt failed")
        return digest
    }
}
