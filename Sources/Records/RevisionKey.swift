package import Bytes

/// A unique_id as the index knows it: 128 bits that nobody can choose who does not know the seed.
///
/// Two lanes of a multiply-and-fold hash, each with its own secret multiplier. Two ids with one key
/// would count as one id: for 10⁷ ids that has a chance below 2⁻⁷⁰, and the content digest, which
/// covers the unique_id, keeps such a pair from ever being taken for a duplicate.
/// docs/reference/segment-format.md has the steps.
package struct RevisionKey: Hashable, Comparable, Sendable {
    package let high: UInt64
    package let low: UInt64

    /// Bytes in the encoded form: `high`, then `low`, each little-endian.
    package static let byteCount = 16

    /// 128 random bits, drawn once for a node's index.
    package struct Seed: Equatable, Sendable {
        package let high: UInt64
        package let low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// Spreads 64 random bits, where no more are at hand.
        package init(_ seed: UInt64) {
            var random = RandomSource(seed: seed)
            self.init(high: random.next(), low: random.next())
        }
    }

    @inlinable
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The key of the unique_id in `range` of `bytes`.
    package init(_ bytes: Span<UInt8>, _ range: Range<Int>, seed: Seed) {
        let (first, second) = (seed.high | 1, seed.low | 1)
        let count = UInt64(range.count)
        var (high, low) = (seed.low ^ count, seed.high ^ count)
        var offset = range.lowerBound
        while range.upperBound - offset >= 8 {
            let word = bytes.littleEndian(UInt64.self, at: offset)
            high = Self.fold(high ^ word, first)
            low = Self.fold(low ^ word, second)
            offset += 8
        }
        var rest: UInt64 = 0
        for place in offset..<range.upperBound {
            rest |= UInt64(bytes[place]) << UInt64(8 * (place - offset))
        }
        high = Self.fold(high ^ rest, first)
        low = Self.fold(low ^ rest, second)
        self.high = Self.fold(high ^ second, first)
        self.low = Self.fold(low ^ first, second)
    }

    @inlinable
    package static func == (left: RevisionKey, right: RevisionKey) -> Bool {
        left.high == right.high && left.low == right.low
    }

    @inlinable
    package static func < (left: RevisionKey, right: RevisionKey) -> Bool {
        left.high == right.high ? left.low < right.low : left.high < right.high
    }

    private static func fold(_ value: UInt64, _ multiplier: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: multiplier)
        return (product.high ^ product.low) &+ multiplier
    }
}

/// One revision of one unique_id, as far as the index tells without its record.
package struct RevisionRow: Equatable, Sendable {
    package let key: RevisionKey
    package let sequence: Sequence
    package let revision: Revision
    /// SHA-256 of the content.
    package let digest: Digest

    package init(key: RevisionKey, sequence: Sequence, revision: Revision, digest: Digest) {
        self.key = key
        self.sequence = sequence
        self.revision = revision
        self.digest = digest
    }
}
