private import CChecksum

/// CRC-32C (Castagnoli), RFC 3720 appendix B.4.
package enum CRC32C {
    /// The checksum of `bytes`, continued from `checksum` (0 to begin).
    package static func checksum(_ bytes: Span<UInt8>, continuing checksum: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { buffer in
            unsafe daybook_crc32c(checksum, buffer.baseAddress, buffer.count)
        }
    }

    /// The same by table alone; the tests compare the two.
    static func portableChecksum(
        _ bytes: Span<UInt8>, continuing checksum: UInt32 = 0
    ) -> UInt32 {
        unsafe bytes.withUnsafeBytes { buffer in
            unsafe daybook_crc32c_portable(checksum, buffer.baseAddress, buffer.count)
        }
    }
}
