package import Bytes
package import Crypto

/// A segment's digest as a tree of two levels, so that one damaged chunk can be found and fetched.
///
/// Leaf: SHA-256(0x00 ‖ chunk of 64 KiB, the last one shorter). Root: SHA-256(0x01 ‖ byte count as
/// 64 bits ‖ leaves).
package struct ChunkDigests: Equatable, Sendable {
    package static let chunkBytes = 64 * 1_024

    /// Bytes of the file.
    package let byteCount: Int
    package let chunks: [Digest]

    /// Takes over the digests of all chunks of a file of `byteCount` bytes.
    package init?(byteCount: Int, chunks: [Digest]) {
        guard byteCount >= 0, chunks.count == Self.chunkCount(of: byteCount) else { return nil }
        self.byteCount = byteCount
        self.chunks = chunks
    }

    /// Reads what `append(to:)` writes.
    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let place = cursor.offset
        let byteCount = try cursor.integer(bytes, as: UInt64.self)
        guard byteCount <= UInt64(UInt32.max) else { throw ByteDefect(offset: place) }
        self.byteCount = Int(byteCount)
        var chunks: [Digest] = []
        for _ in 0..<Self.chunkCount(of: self.byteCount) {
            chunks.append(try Digest(&cursor, bytes))
        }
        self.chunks = chunks
    }

    package func append(to output: inout [UInt8]) {
        output.append(littleEndian: UInt64(byteCount))
        for chunk in chunks { chunk.append(to: &output) }
    }

    /// What names the file's contents.
    package func root(_ hash: SHA256) -> Digest {
        var bytes: [UInt8] = [1]
        append(to: &bytes)
        hash.begin()
        hash.update(bytes)
        return hash.finishDigest()
    }

    /// The bytes of chunk `number` in the file.
    package func range(of number: Int) -> Range<Int> {
        Self.range(of: number, byteCount: byteCount)
    }

    package static func range(of number: Int, byteCount: Int) -> Range<Int> {
        let start = number * chunkBytes
        return start..<min(start + chunkBytes, byteCount)
    }

    package static func chunkCount(of byteCount: Int) -> Int {
        (byteCount + chunkBytes - 1) / chunkBytes
    }

    /// The digest of one chunk.
    package static func digest(
        _ bytes: Span<UInt8>, in range: Range<Int>, _ hash: SHA256
    ) -> Digest {
        hash.begin()
        hash.update([0])
        hash.update(bytes, in: range)
        return hash.finishDigest()
    }
}

/// Makes the digests of a file whose bytes come in order, in pieces of any size.
package struct ChunkHasher {
    private let hash: SHA256
    private var chunks: [Digest] = []
    private var byteCount = 0
    /// Bytes of the chunk that is not whole yet.
    private var pending = 0

    package init(_ hash: SHA256 = SHA256()) { self.hash = hash }

    package mutating func update(_ bytes: Span<UInt8>, in range: Range<Int>) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            if pending == 0 {
                hash.begin()
                hash.update([0])
            }
            let end = min(range.upperBound, offset + ChunkDigests.chunkBytes - pending)
            hash.update(bytes, in: offset..<end)
            pending += end - offset
            byteCount += end - offset
            offset = end
            if pending == ChunkDigests.chunkBytes { endChunk() }
        }
    }

    package mutating func finish() -> ChunkDigests {
        if pending > 0 { endChunk() }
        guard let digests = ChunkDigests(byteCount: byteCount, chunks: chunks) else {
            preconditionFailure("\(chunks.count) chunks of \(byteCount) bytes")
        }
        return digests
    }

    private mutating func endChunk() {
        chunks.append(hash.finishDigest())
        pending = 0
    }
}
