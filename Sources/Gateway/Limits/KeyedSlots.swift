import Bytes
import Records

/// A name in a table of fixed size: an address, a token, the digest of an e-mail.
struct LimitKey: Equatable, Sendable {
    let high: UInt64
    let low: UInt64

    static let none = LimitKey(high: 0, low: 0)

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Of IPv6 the network of 64 bits: who has one address there has all of them.
    init(_ address: ClientAddress) {
        self.init(high: address.high, low: address.isIPv4 ? address.low : 0)
    }

    init(_ token: TokenID) { self.init(high: 0, low: token.value) }

    /// The first half of a digest.
    init(digest: [UInt8]) {
        self.init(
            high: digest.span.littleEndian(at: 0), low: digest.span.littleEndian(at: 8))
    }
}

// Invariant: a key is in one slot at most, one of the `ways` that its hash names.

/// A table of fixed size whose keys push each other out: memory does not grow with what clients
/// send, and a full table forgets somebody instead of refusing anybody.
struct KeyedSlots<Value: Sendable>: Sendable {
    /// Slots that one key may be in.
    private static var ways: Int { 8 }

    private var keys: [LimitKey] = []
    private var values: [Value] = []
    private let empty: Value
    private let count: Int
    /// Keeps clients from choosing keys that meet in the same slots.
    private let seed: UInt64

    /// Takes memory for `count` values, a power of two, when the first key comes.
    init(count: Int, empty: Value, seed: UInt64) {
        precondition(count.nonzeroBitCount == 1 && count >= Self.ways, "\(count) slots")
        self.count = count
        self.empty = empty
        self.seed = seed | 1
    }

    subscript(place: Int) -> Value {
        get { values[place] }
        set { values[place] = newValue }
    }

    /// The slot of `key`; nil when it is in none.
    func place(of key: LimitKey) -> Int? {
        guard !keys.isEmpty else { return nil }
        return ways(of: key).first { keys[$0] == key }
    }

    /// The slot of `key`. One that is new takes the place, and an empty value, of the key in its
    /// slots whose value weighs least.
    mutating func takePlace(
        of key: LimitKey, weight: (Value) -> UInt64
    ) -> Int {
        if keys.isEmpty {
            keys = Array(repeating: .none, count: count)
            values = Array(repeating: empty, count: count)
        }
        var lightest = (place: 0, weight: UInt64.max)
        for place in ways(of: key) {
            if keys[place] == key { return place }
            let weight = weight(values[place])
            if weight <= lightest.weight { lightest = (place, weight) }
        }
        keys[lightest.place] = key
        values[lightest.place] = empty
        return lightest.place
    }

    private func ways(of key: LimitKey) -> Range<Int> {
        var hash = (key.high ^ seed) &* 0x9E37_79B9_7F4A_7C15
        hash = (hash ^ hash >> 29 ^ key.low) &* (seed &* 0xBF58_476D_1CE4_E5B9)
        hash = (hash ^ hash >> 32) &* 0x94D0_49BB_1331_11EB
        let group = Int(hash >> 33) & (count / Self.ways - 1)
        return group * Self.ways..<(group + 1) * Self.ways
    }
}
