import Records

// Invariant: within any time t, no key gets more than `burst` + t × `rate` requests, unless the
// table forgot it meanwhile.

/// Token buckets, one for each key: so many requests a second, and `burst` at once.
///
/// A bucket is one number, the time at which it is full again (the generic cell rate algorithm, ITU-T
/// I.371), so that nothing runs while nobody asks, and a full bucket need not be remembered. When the
/// table is full of others that are not, the fullest is forgotten: its owner gets more than the
/// limit, and nobody gets less.
struct TokenBuckets: Sendable {
    private var slots: KeyedSlots<UInt64>
    /// Nanoseconds in which one request comes back.
    private let interval: UInt64
    private let burst: UInt64

    init(ratePerSecond rate: Int, burst: Int, slots: Int, seed: UInt64) {
        precondition(rate > 0 && burst > 0, "\(rate) a second, \(burst) at once")
        interval = max(1, 1_000_000_000 / UInt64(rate))
        self.burst = UInt64(burst)
        self.slots = KeyedSlots(count: slots, empty: 0, seed: seed)
    }

    /// Takes one request out of the bucket; nil when it may go on, otherwise the nanoseconds after
    /// which one may.
    mutating func take(_ key: LimitKey, at now: Instant) -> UInt64? {
        let place = slots.takePlace(of: key) { fullAt in fullAt }
        let fullAt = max(slots[place], now.nanoseconds) + interval
        let latest = now.nanoseconds + interval * burst
        guard fullAt > latest else {
            slots[place] = fullAt
            return nil
        }
        return fullAt - latest
    }
}

/// What was refused for its frequency.
package struct RateRefusals: Equatable, Sendable {
    package var addresses: UInt64 = 0
    package var tokens: UInt64 = 0
    package var logins: UInt64 = 0

    package init() {}
}

/// How often clients may ask, by their addresses and by their tokens.
struct RateLimits: Sendable {
    private var addresses: TokenBuckets?
    private var tokens: TokenBuckets?
    private(set) var refused = RateRefusals()
    var logins: LoginThrottle

    init(_ settings: GatewaySettings, seed: UInt64) {
        let buckets = { (rate: Int?) in
            rate.map {
                TokenBuckets(
                    ratePerSecond: $0, burst: $0 * GatewayLimits.burstSeconds,
                    slots: GatewayLimits.rateSlots, seed: seed)
            }
        }
        addresses = buckets(settings.requestsPerSecondPerAddress)
        tokens = buckets(settings.requestsPerSecondPerToken)
        logins = LoginThrottle(seed: seed)
    }

    mutating func judge(address: ClientAddress, at now: Instant) throws(Refusal) {
        guard let wait = addresses?.take(LimitKey(address), at: now) else { return }
        refused.addresses += 1
        throw Refusal(
            .rateLimitExceeded, "Too many requests come from this address.", waiting: wait)
    }

    mutating func judge(token: TokenID, at now: Instant) throws(Refusal) {
        guard let wait = tokens?.take(LimitKey(token), at: now) else { return }
        refused.tokens += 1
        throw Refusal(
            .rateLimitExceeded, "Too many requests come with this token.", waiting: wait)
    }

    /// `email`: the digest of an e-mail address.
    mutating func judgeLogin(
        email: LimitKey, from source: RequestSource, at now: Instant
    ) throws(Refusal) {
        guard let wait = logins.attempt(email: email, from: source, at: now) else { return }
        refused.logins += 1
        throw Refusal(
            .rateLimitExceeded,
            "Too many attempts to log in failed, for this user or from this address.",
            waiting: wait)
    }
}
