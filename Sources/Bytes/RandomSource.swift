/// Seeded pseudo-random numbers: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). Not for secrets.
///
/// Equal seeds give equal numbers, on every machine and in every build.
package struct RandomSource: Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<bound`, all equally likely but for 1 part in 2⁶⁴ / `bound`.
    package mutating func below(_ bound: UInt64) -> UInt64 {
        precondition(bound > 0, "no number is below zero")
        return next().multipliedFullWidth(by: bound).high
    }
}
