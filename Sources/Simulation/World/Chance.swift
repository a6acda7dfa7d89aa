package import Bytes

extension RandomSource {
    /// True `percent` times in a hundred.
    package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// A number in `range`, all equally likely.
    package mutating func number(in range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    package mutating func number(in range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// One of `values`, which are not empty.
    package mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    /// An independent source.
    mutating func split() -> RandomSource { RandomSource(seed: next()) }
}
