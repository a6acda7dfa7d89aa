private import COpenSSL

/// AES-256 in counter mode (NIST SP 800-38A) over zeros: bytes that nobody can foretell without the
/// key, and the same bytes for the same key, so that a decider may draw salts from it.
@safe package final class KeyStream {
    package static let keyByteCount = 32
    private static let blockByteCount = 4_096

    private let context: OpaquePointer
    private let zeros = [UInt8](repeating: 0, count: KeyStream.blockByteCount)
    private var block = [UInt8](repeating: 0, count: KeyStream.blockByteCount)
    private var used = KeyStream.blockByteCount

    package init(key: [UInt8]) {
        precondition(key.count == Self.keyByteCount, "a key of \(key.count) bytes")
        guard let context = unsafe EVP_CIPHER_CTX_new() else {
            preconditionFailure("no memory for a cipher")
        }
        unsafe self.context = context
        let nonce = [UInt8](repeating: 0, count: 16)
        let code = unsafe EVP_EncryptInit_ex(context, EVP_aes_256_ctr(), nil, key, nonce)
        precondition(code == 1, "EVP_EncryptInit_ex failed")
    }

    deinit { unsafe EVP_CIPHER_CTX_free(context) }

    /// Overwrites `count` bytes of `output` from `offset` on with the next ones. At most a block.
    package func fill(_ output: inout [UInt8], at offset: Int, count: Int) {
        precondition(count <= Self.blockByteCount, "\(count) bytes at once")
        if used + count > Self.blockByteCount { refill() }
        for place in 0..<count { output[offset + place] = block[used + place] }
        used += count
    }

    private func refill() {
        var written: CInt = 0
        let code = unsafe EVP_EncryptUpdate(
            context, &block, &written, zeros, CInt(Self.blockByteCount))
        precondition(code == 1 && written == CInt(Self.blockByteCount), "the key stream ended")
        used = 0
    }
}
