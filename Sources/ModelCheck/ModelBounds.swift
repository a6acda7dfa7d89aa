/// How much may happen in the model. Within this, everything that can happen is looked at.
package struct ModelBounds: Equatable, Sendable {
    /// The highest term: a member that would begin a later one is not followed further.
    package var terms: UInt64 = 3
    /// Entries in a log, those that leaders begin their terms with included.
    package var entries: UInt64 = 4
    /// Losses of power: what the disk was at reaches it up to any point, and memory is gone.
    package var crashes: UInt8 = 2
    /// Damaged ends of logs: the member is away until others have what it lost.
    package var corruptions: UInt8 = 1
    /// Messages that arrive once more than they were sent.
    package var duplicates: UInt8 = 1
    /// Messages under way; of more, any are lost.
    package var inFlight = 3
    /// A member that stands asks one other for its pre-vote and is answered in the same step: less
    /// detail, and twice as far in as many states.
    package var asksAtOnce = false
    /// How often a leader goes back with one follower: without end, where its probes are answered
    /// late.
    package var windows: UInt32 = 2
    /// Reads that are begun, one at a time.
    package var reads: UInt8 = 1
    /// Orders to hand leadership over.
    package var transfers: UInt8 = 1
    /// Distinct states after which the search ends.
    package var states = 2_600_000

    /// Disks are done with every write before anything else happens.
    package var writesAtOnce = false
    /// The search begins where somebody leads the first term and has committed its first entry.
    package var startsLed = false

    package init() {}

    /// The searches of a check of `states` states in all: one with everything by itself, and some
    /// that leave out or put together a part of it, and so get further with the rest.
    package static func phases(states: Int) -> [(name: String, bounds: ModelBounds)] {
        var detail = ModelBounds()
        detail.inFlight = 3
        var disks = ModelBounds()
        disks.asksAtOnce = true
        (disks.inFlight, disks.duplicates, disks.reads, disks.transfers) = (1, 0, 0, 0)
        var logs = disks
        logs.writesAtOnce = true
        (logs.crashes, logs.corruptions) = (0, 0)
        var reads = logs
        reads.startsLed = true
        (reads.inFlight, reads.reads) = (2, 1)
        var transfers = logs
        transfers.startsLed = true
        (transfers.inFlight, transfers.transfers, transfers.terms) = (2, 1, 2)
        var phases = [
            ("detail", detail), ("disks", disks), ("logs", logs), ("reads", reads),
            ("transfers", transfers),
        ]
        for place in phases.indices { phases[place].1.states = states / phases.count }
        phases[0].1.states += states % phases.count
        return phases
    }
}
