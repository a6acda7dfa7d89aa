import Records

/// How old the state of a follower may be: everything that was committed at `time` is applied.
///
/// Hearing a leader is not enough, for one that lacks entries hears its leader too.
struct Freshness {
    private typealias Heard = (commit: LogIndex, time: Instant)

    private(set) var time: Instant?
    /// What is waited for, and what was heard last; not applied yet, in this order.
    private var awaited: Heard?
    private var latest: Heard?

    /// The leader said at `time` that it had committed this much.
    mutating func heard(commit: LogIndex, at time: Instant) {
        if awaited == nil { awaited = (commit, time) }
        latest = (commit, time)
    }

    /// Everything through `index` is applied.
    mutating func applied(_ index: LogIndex) {
        guard let awaited, let latest, awaited.commit <= index else { return }
        if latest.commit <= index {
            time = latest.time
            self.awaited = nil
        } else {
            time = awaited.time
            self.awaited = latest
        }
    }
}
