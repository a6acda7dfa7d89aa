import Records

// Invariants: an attempt counts as failed until `succeeded` takes it back, so attempts at the same
// time gain nothing; nothing here depends on whether a user exists.

/// Slows down who guesses passwords: behind a few failures each further one doubles the time until
/// the next attempt is judged.
///
/// Counted by e-mail address, so that many machines do not help, and by address, so that trying one
/// password on many users does not. An address from which a user logged in before is counted apart
/// for that user: whoever guesses elsewhere does not lock the user out there. When a table is full
/// the one with the fewest failures is forgotten.
struct LoginThrottle: Sendable {
    /// Failures of one e-mail address that cost no time.
    static let freeForEmail = 5
    /// The same of one address, behind which many users may be.
    static let freeForAddress = 20
    /// The first delay.
    static let firstDelayNanoseconds: UInt64 = 1_000_000_000
    /// The longest one.
    static let longestDelayNanoseconds: UInt64 = 900_000_000_000
    /// Without attempts for so long, failures are forgotten.
    static let memoryNanoseconds: UInt64 = 3_600_000_000_000

    private struct Failures: Sendable {
        var count = 0
        var lastAt = Instant.zero
        /// When the next attempt is judged.
        var nextAt = Instant.zero
    }

    private var emails: KeyedSlots<Failures>
    private var addresses: KeyedSlots<Failures>
    /// An e-mail address with an address from which it logged in; the value is when.
    private var known: KeyedSlots<UInt64>

    init(seed: UInt64) {
        let slots = GatewayLimits.loginSlots
        emails = KeyedSlots(count: slots, empty: Failures(), seed: seed)
        addresses = KeyedSlots(count: slots, empty: Failures(), seed: seed)
        known = KeyedSlots(count: slots, empty: 0, seed: seed)
    }

    /// Counts an attempt; nil when it is to be judged, otherwise the nanoseconds to wait, and it is
    /// not counted.
    mutating func attempt(
        email: LimitKey, from source: RequestSource, at now: Instant
    ) -> UInt64? {
        let email = subject(email, source)
        let place = Self.place(of: email, in: &emails, at: now)
        guard !source.isExempt else {
            guard let wait = Self.wait(emails[place], at: now) else {
                Self.count(&emails[place], free: Self.freeForEmail, at: now)
                return nil
            }
            return wait
        }
        let address = Self.place(of: LimitKey(source.address), in: &addresses, at: now)
        let waits = [
            Self.wait(emails[place], at: now), Self.wait(addresses[address], at: now),
        ]
        if let wait = waits.compactMap({ $0 }).max() { return wait }
        Self.count(&emails[place], free: Self.freeForEmail, at: now)
        Self.count(&addresses[address], free: Self.freeForAddress, at: now)
        return nil
    }

    /// The attempt was no failure. Failures of the address stay: somebody with a user of their own
    /// could wipe them out otherwise.
    mutating func succeeded(email: LimitKey, from source: RequestSource, at now: Instant) {
        for key in [email, Self.pair(email, source)] {
            if let place = emails.place(of: key) { emails[place] = Failures() }
        }
        if let place = addresses.place(of: LimitKey(source.address)), addresses[place].count > 0 {
            addresses[place].count -= 1
            if addresses[place].count <= Self.freeForAddress { addresses[place].nextAt = .zero }
        }
        let place = known.takePlace(of: Self.pair(email, source)) { $0 }
        known[place] = max(1, now.nanoseconds)
    }

    /// What failures of this e-mail address from there are counted against.
    private func subject(_ email: LimitKey, _ source: RequestSource) -> LimitKey {
        let pair = Self.pair(email, source)
        return known.place(of: pair) == nil ? email : pair
    }

    private static func pair(_ email: LimitKey, _ source: RequestSource) -> LimitKey {
        let address = LimitKey(source.address)
        return LimitKey(
            high: email.high ^ address.high &* 0x9E37_79B9_7F4A_7C15 ^ 1,
            low: email.low ^ address.low &* 0xBF58_476D_1CE4_E5B9)
    }

    private static func place(
        of key: LimitKey, in table: inout KeyedSlots<Failures>, at now: Instant
    ) -> Int {
        let isOld = { (failures: Failures) in
            now.nanoseconds(since: failures.lastAt) > memoryNanoseconds
        }
        let place = table.takePlace(of: key) { isOld($0) ? 0 : UInt64($0.count) }
        if isOld(table[place]) { table[place] = Failures() }
        return place
    }

    private static func wait(_ failures: Failures, at now: Instant) -> UInt64? {
        let wait = failures.nextAt.nanoseconds(since: now)
        return wait > 0 ? wait : nil
    }

    private static func count(_ failures: inout Failures, free: Int, at now: Instant) {
        failures.count += 1
        failures.lastAt = now
        guard failures.count > free else { return }
        let doublings = UInt64(min(failures.count - free - 1, 20))
        let delay = min(firstDelayNanoseconds << doublings, longestDelayNanoseconds)
        failures.nextAt = now.advanced(byNanoseconds: delay)
    }
}
