/// How long to try again: until so many seconds have gone by without progress, with growing pauses.
struct Patience: Sendable {
    static let standardSeconds: UInt64 = 60
    static let firstPauseNanoseconds: UInt64 = 50_000_000
    static let longestPauseNanoseconds: UInt64 = 2_000_000_000
    /// Longest pause that a service may ask for.
    static let longestRetryAfterSeconds: UInt64 = 10

    private let limitNanoseconds: UInt64
    private var progressAt: UInt64
    private var pauseNanoseconds = firstPauseNanoseconds

    init(seconds: UInt64, now: UInt64) {
        limitNanoseconds = seconds * 1_000_000_000
        progressAt = now
    }

    /// Something was done: the time begins anew.
    mutating func progress(now: UInt64) {
        progressAt = now
        pauseNanoseconds = Self.firstPauseNanoseconds
    }

    /// How long to pause before the next attempt; nil when it is time to give up.
    mutating func pause(now: UInt64, retryAfterSeconds: UInt64? = nil) -> UInt64? {
        let gone = now - min(progressAt, now)
        guard gone < limitNanoseconds else { return nil }
        let asked = min(retryAfterSeconds ?? 0, Self.longestRetryAfterSeconds) * 1_000_000_000
        let pause = min(max(pauseNanoseconds, asked), limitNanoseconds - gone)
        pauseNanoseconds = min(pauseNanoseconds * 2, Self.longestPauseNanoseconds)
        return pause
    }
}
