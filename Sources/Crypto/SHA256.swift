package import Bytes
private import COpenSSL

/// SHA-256 (FIPS 180-4) by OpenSSL, with one context used again for every digest.
///
/// Not Sendable: one instance for each thread that hashes.
@safe package final class SHA256 {
    /// Bytes in a digest.
    package static let digestSize = 32

    private let context: OpaquePointer
    private let algorithm: OpaquePointer
    private var digest = [UInt8](repeating: 0, count: SHA256.digestSize)

    package init() {
        guard let context = unsafe EVP_MD_CTX_new(),
            let algorithm = unsafe EVP_MD_fetch(nil, "SHA256", nil)
        else { preconditionFailure("OpenSSL has no SHA-256, or no memory") }
        unsafe self.context = context
        unsafe self.algorithm = algorithm
    }

    deinit {
        unsafe EVP_MD_CTX_free(context)
        unsafe EVP_MD_free(algorithm)
    }

    /// Begins a digest, dropping what was hashed before.
    package func begin() {
        let code = unsafe EVP_DigestInit_ex2(context, algorithm, nil)
        precondition(code == 1, "EVP_DigestInit_ex2 failed")
    }

    /// Hashes the bytes of `range` in `bytes`.
    package func update(_ bytes: Span<UInt8>, in range: Range<Int>) {
        unsafe bytes.extracting(range).withUnsafeBytes { buffer in
            let code = unsafe EVP_DigestUpdate(context, buffer.baseAddress, buffer.count)
            precondition(code == 1, "EVP_DigestUpdate failed")
        }
    }

    /// Hashes all of `bytes`.
    package func update(_ bytes: [UInt8]) {
        update(bytes.span, in: 0..<bytes.count)
    }

    /// Ends the digest and writes its 32 bytes over `buffer` at `offset`.
    package func finish(into buffer: inout [UInt8], at offset: Int) {
        precondition(offset >= 0 && offset + Self.digestSize <= buffer.count, "no room")
        unsafe buffer.withUnsafeMutableBufferPointer { pointer in
            guard let base = pointer.baseAddress else { return }
            let code = unsafe EVP_DigestFinal_ex(context, base + offset, nil)
            precondition(code == 1, "EVP_DigestFinal_ex failed")
        }
    }

    /// Ends the digest and returns its 32 bytes.
    package func finish() -> [UInt8] {
        finish(into: &digest, at: 0)
        return digest
    }

    /// Ends the digest and returns it as a value that needs no memory of its own.
    package func finishDigest() -> Digest {
        finish(into: &digest, at: 0)
        let bytes = digest
        return Digest(bytes.span, at: 0)
    }

    /// The digest of `bytes` alone.
    package func hash(_ bytes: [UInt8]) -> [UInt8] {
        begin()
        update(bytes)
        return finish()
    }
}
