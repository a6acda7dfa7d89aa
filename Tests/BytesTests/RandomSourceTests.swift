import Bytes
import Testing

struct RandomSourceTests {
    /// The published sequence of SplitMix64 from seed 1234567.
    @Test func `the numbers are those of SplitMix64`() {
        var random = RandomSource(seed: 1_234_567)
        let numbers = (0..<3).map { _ in random.next() }
        #expect(
            numbers == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
    }

    @Test(arguments: [UInt64(1), 2, 3, 10, 1 << 40, .max])
    func `numbers below a bound are below it`(bound: UInt64) {
        var random = RandomSource(seed: bound)
        for _ in 0..<1_000 { #expect(random.below(bound) < bound) }
    }

    @Test func `every number below a small bound comes about as often`() {
        var random = RandomSource(seed: 1)
        var counts = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 { counts[Int(random.below(10))] += 1 }
        #expect(counts.allSatisfy { (850...1_150).contains($0) }, "\(counts)")
    }

    @Test func `nothing is below zero`() async {
        await #expect(processExitsWith: .failure) {
            var random = RandomSource(seed: 1)
            _ = random.below(0)
        }
    }
}
