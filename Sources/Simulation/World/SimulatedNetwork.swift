import Bytes
import Records

/// Which ends can reach each other, and how long a message takes.
///
/// Ends are numbered: the nodes first, then the gateways.
struct SimulatedNetwork {
    struct Manners: Equatable, Sendable {
        /// Nanoseconds from end to end.
        var delay: ClosedRange<UInt64> = 200_000...2_000_000
        /// Messages in a hundred that take up to `longDelay` more.
        var latePercent = 0
        var longDelay: UInt64 = 0
        var dropPercent = 0
        var duplicatePercent = 0

        /// Messages are lost, overtaken or repeated.
        var isUnreliable: Bool { dropPercent + latePercent + duplicatePercent > 0 }
    }

    let endCount: Int
    var manners: Manners
    private var blocked: [Bool]
    private var cloggedUntil: [Instant]
    private var lastArrival: [Instant]
    private var random: RandomSource

    init(endCount: Int, manners: Manners, random: RandomSource) {
        self.endCount = endCount
        self.manners = manners
        self.random = random
        blocked = [Bool](repeating: false, count: endCount * endCount)
        cloggedUntil = [Instant](repeating: .zero, count: endCount * endCount)
        lastArrival = cloggedUntil
    }

    func isBlocked(from: Int, to: Int) -> Bool { blocked[from * endCount + to] }

    mutating func block(from: Int, to: Int) { blocked[from * endCount + to] = true }

    /// Cuts `end` off: what it sends, what it is sent, or both.
    mutating func isolate(_ end: Int, outgoing: Bool = true, incoming: Bool = true) {
        for other in 0..<endCount where other != end {
            if outgoing { block(from: end, to: other) }
            if incoming { block(from: other, to: end) }
        }
    }

    mutating func clog(from: Int, to: Int, until: Instant) {
        cloggedUntil[from * endCount + to] = until
    }

    mutating func heal() {
        for place in blocked.indices {
            blocked[place] = false
            cloggedUntil[place] = .zero
        }
    }

    /// When the copies of one message arrive; none when it is lost. In order, as links of TCP
    /// deliver, unless the network is unreliable.
    mutating func arrivals(from: Int, to: Int, now: Instant) -> [Instant] {
        guard !isBlocked(from: from, to: to), !random.chance(manners.dropPercent) else { return [] }
        guard manners.isUnreliable else {
            let place = from * endCount + to
            lastArrival[place] = max(
                lastArrival[place], arrival(from: from, to: to, now: now))
            return [lastArrival[place]]
        }
        let copies = random.chance(manners.duplicatePercent) ? 2 : 1
        return (0..<copies).map { _ in arrival(from: from, to: to, now: now) }
    }

    /// When a message that is not lost arrives.
    mutating func arrival(from: Int, to: Int, now: Instant) -> Instant {
        var delay = random.number(in: manners.delay)
        if random.chance(manners.latePercent) { delay += random.below(manners.longDelay + 1) }
        return max(now, cloggedUntil[from * endCount + to]).advanced(byNanoseconds: delay)
    }
}
