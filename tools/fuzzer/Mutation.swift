import Bytes

/// Inputs made out of a corpus: case `number` of a seed is the same on every machine, and needs none of
/// the cases before it.
struct Mutation {
    /// Bytes of the longest input.
    static let limit = 4_096

    let corpus: [[UInt8]]
    /// Pieces that mean something to the target.
    let words: [[UInt8]]
    let seed: UInt64

    func input(_ number: UInt64) -> [UInt8] {
        var random = RandomSource(seed: seed ^ number &* 0xD6E8_FEB8_6659_FD93)
        var bytes = corpus[random.below(corpus.count)]
        for _ in 0...random.below(6) { change(&bytes, &random) }
        return Array(bytes.prefix(Self.limit))
    }

    private func change(_ bytes: inout [UInt8], _ random: inout RandomSource) {
        let place = random.below(bytes.count + 1)
        let end = min(bytes.count, place + 1 + random.below(16))
        switch random.below(9) {
        case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 1: bytes.removeSubrange(place..<end)
        case 2 where place < bytes.count: bytes[place] ^= 1 << random.below(8)
        case 3 where place < bytes.count:
            bytes[place] = [0, 9, 10, 13, 32, 0x7F, 0x80, 0xC3, 0xFF][random.below(9)]
        case 4: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 5:
            let other = corpus[random.below(corpus.count)]
            bytes = Array(bytes[..<place]) + other[random.below(other.count + 1)...]
        case 6 where bytes.count - place >= 8:
            // A count or length that does not fit what follows.
            let value = [0, 1, 0x7F, 0xFFFF, 0x7FFF_FFFF, UInt64.max][random.below(6)]
            for offset in 0..<[1, 2, 4, 8][random.below(4)] {
                bytes[place + offset] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(offset)))
            }
        default:
            guard !words.isEmpty else { return bytes.append(UInt8(random.below(256))) }
            bytes.insert(contentsOf: words[random.below(words.count)], at: place)
        }
    }
}
