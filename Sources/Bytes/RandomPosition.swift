extension RandomSource {
    /// The same for counts and positions, which are `Int`.
    package mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0, "no number is below \(bound)")
        return Int(below(UInt64(bound)))
    }
}
