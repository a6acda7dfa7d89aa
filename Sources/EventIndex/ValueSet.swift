import Bytes
import Records

/// The values of one field: all of them while they are few, else a Bloom filter of bounded size.
struct ValueSet: Equatable, Sendable {
    /// Values that are kept as they are; one more, and a filter stands for them.
    static let valueLimit = 64
    /// Bytes of those values together.
    static let byteLimit = 4_096
    /// Bytes of a filter while it is filled. `fold` halves it while at most half of its bits are set.
    static let filterByteCount = 16_384
    static let smallestFilterByteCount = 64
    static let probes = 6
    private static let seed = RevisionKey.Seed(high: 0x9e37_79b9, low: 0x85eb_ca6b)

    private var values: [[UInt8]] = []
    /// Of the values at the same places.
    private var keys: [RevisionKey] = []
    private var byteCount = 0
    /// Not empty when it stands for the values; a power of two.
    private var filter: [UInt8] = []

    init() {}

    mutating func insert(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let key = RevisionKey(bytes, range, seed: Self.seed)
        guard filter.isEmpty else { return mark(key) }
        for place in keys.indices.reversed() where keys[place] == key {
            // Two values with one key are two values.
            let value = values[place]
            if bytes.equals(value.span, in: range) { return }
        }
        values.append(bytes.copy(range))
        keys.append(key)
        byteCount += range.count
        guard values.count > Self.valueLimit || byteCount > Self.byteLimit else { return }
        filter = [UInt8](repeating: 0, count: Self.filterByteCount)
        for key in keys { mark(key) }
        (values, keys, byteCount) = ([], [], 0)
    }

    func mayContain(_ value: [UInt8]) -> Bool {
        guard !filter.isEmpty else { return values.contains(value) }
        let key = RevisionKey(value.span, 0..<value.count, seed: Self.seed)
        return (0..<Self.probes).allSatisfy { probe in
            let bit = bit(probe, of: key)
            return filter[bit / 8] >> UInt8(bit % 8) & 1 == 1
        }
    }

    /// Whether `search` may find its text in one of the values: of those that a filter stands for
    /// nothing is known.
    func mayHold(_ search: EventSearch) -> Bool {
        !filter.isEmpty || values.contains { search.isFound(in: $0) }
    }

    /// Halves the filter, one half upon the other, while it stays half empty.
    mutating func fold() {
        while filter.count > Self.smallestFilterByteCount {
            let half = filter.count / 2
            let folded = (0..<half).map { filter[$0] | filter[half + $0] }
            guard folded.reduce(0, { $0 + $1.nonzeroBitCount }) <= half * 4 else { return }
            filter = folded
        }
    }

    private mutating func mark(_ key: RevisionKey) {
        for probe in 0..<Self.probes {
            let bit = bit(probe, of: key)
            filter[bit / 8] |= 1 << UInt8(bit % 8)
        }
    }

    /// Bits by double hashing (Kirsch, Mitzenmacher, ESA 2006), modulo a power of two.
    private func bit(_ probe: Int, of key: RevisionKey) -> Int {
        let hash = key.high &+ UInt64(probe) &* (key.low | 1)
        return Int(hash & UInt64(filter.count * 8 - 1))
    }

    // MARK: Bytes

    func append(to output: inout [UInt8]) {
        output.append(littleEndian: UInt32(values.count))
        output.append(littleEndian: UInt32(filter.count))
        for value in values { output.append(counted: value) }
        output.append(contentsOf: filter)
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        let start = cursor.offset
        let valueCount = Int(try cursor.integer(bytes, as: UInt32.self))
        let filterCount = Int(try cursor.integer(bytes, as: UInt32.self))
        guard valueCount <= Self.valueLimit, filterCount <= Self.filterByteCount,
            filterCount & (filterCount - 1) == 0, valueCount == 0 || filterCount == 0
        else { throw ByteDefect(offset: start) }
        for _ in 0..<valueCount {
            let range = try cursor.counted(bytes)
            values.append(bytes.copy(range))
            keys.append(RevisionKey(bytes, range, seed: Self.seed))
            byteCount += range.count
        }
        filter = bytes.copy(try cursor.take(filterCount))
        guard byteCount <= Self.byteLimit else { throw ByteDefect(offset: start) }
    }
}
