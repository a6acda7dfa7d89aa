package import Bytes
package import Crypto

/// The keyed hash that stays of an erased unique_id, by which it is known and stays closed.
///
/// HMAC-SHA-256 of the unique_id under the id of the cluster that the genesis entry names: every
/// replica makes the same one, and so does a cluster that is restored from a backup. The key is no
/// secret. Who has the files and guesses the unique_id can see that it was erased, and no more.
package struct ClosedMark {
    private let code: MessageCode

    /// `hash` is used for every mark.
    package init(genesis clusterID: Identifier, hash: SHA256 = SHA256()) {
        var key: [UInt8] = []
        clusterID.append(to: &key)
        code = MessageCode(key: key, hash: hash)
    }

    /// The mark of the unique_id in `range` of `bytes`.
    package func mark(of bytes: Span<UInt8>, in range: Range<Int>) -> Digest {
        code.code(of: bytes, in: range)
    }

    package func mark(of uniqueID: [UInt8]) -> Digest {
        mark(of: uniqueID.span, in: 0..<uniqueID.count)
    }
}
