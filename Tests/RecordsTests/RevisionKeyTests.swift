import Bytes
import Testing

@testable import Records

struct RevisionKeyTests {
    private let seed = RevisionKey.Seed(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)

    private func key(_ text: [UInt8], _ seed: RevisionKey.Seed) -> RevisionKey {
        // In the middle of other bytes, which must not matter.
        let bytes = [7] + text + [9]
        return RevisionKey(bytes.span, 1..<(1 + text.count), seed: seed)
    }

    @Test func `keys of format 1`() {
        #expect(
            key(Array("a".utf8), seed)
                == RevisionKey(high: 0x3191_341e_4df7_2539, low: 0x5cd3_92fa_0fd1_a315))
        #expect(
            key(Array("B2221A58-008A-45A6-8464-7159C324C985".utf8), seed)
                == RevisionKey(high: 0x579c_3f39_1612_11eb, low: 0x659a_586a_0a86_9290))
    }

    @Test func `ids that differ in a bit or a length have keys that differ in both words`() {
        let base = Array("B2221A58-008A-45A6-8464-7159C324C985".utf8)
        var others: [[UInt8]] = []
        for bit in 0..<(base.count * 8) {
            var other = base
            other[bit / 8] ^= 1 << UInt8(bit % 8)
            others.append(other)
        }
        for count in 0..<base.count { others.append(Array(base[..<count])) }
        for count in 0..<20 { others.append([UInt8](repeating: 0, count: count)) }
        let keys = others.map { key($0, seed) } + [key(base, seed)]
        #expect(Set(keys.map(\.high)).count == keys.count - 1, "the empty id is twice there")
        #expect(Set(keys.map(\.low)).count == keys.count - 1)
    }

    @Test func `another seed gives other keys, in each word`() {
        for number in 0..<50 {
            let id = Array("id \(number)".utf8)
            let first = key(id, RevisionKey.Seed(UInt64(number)))
            let second = key(id, RevisionKey.Seed(UInt64(number + 1)))
            #expect(first.high != second.high && first.low != second.low)
        }
    }

    @Test func `every bit of a key is set for about half of the ids`() {
        let count = 4_000
        let keys = (0..<count).map { key(Array("FMP-\(820_000_000 + $0)".utf8), seed) }
        for bit in UInt64(0)..<64 {
            for set in [
                keys.count { $0.high >> bit & 1 == 1 }, keys.count { $0.low >> bit & 1 == 1 },
            ] {
                #expect(abs(set - count / 2) < 200, "bit \(bit): \(set)")
            }
        }
    }
}
