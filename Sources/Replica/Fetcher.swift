import PeerWire
import Records

// Invariants:
// - every wanted item is either waiting or in flight, once
// - at most `window` are in flight, and no more bytes than the rate allows

/// Pieces of files that are asked of peers: bounded in flight and in rate, asked of the next peer
/// when one does not have it or does not answer.
struct Fetcher {
    static let window = 8
    /// What one answer is taken to weigh before it comes.
    static let answerBytes = 64 * 1_024
    /// How long an item that no peer has is left alone.
    static let pauseNanoseconds: UInt64 = 1_000_000_000

    private struct Wanted {
        let item: FetchItem
        /// The first is asked next.
        var peers: [NodeID]
        /// Peers that were asked since the last pause.
        var tried = 0
        var id: UInt64 = 0
        /// Waiting: not before. In flight: no longer than.
        var time = Instant.zero
    }

    /// Bytes in a second.
    private let rate: UInt64
    /// In this time a peer that lives has answered.
    private let answerNanoseconds: UInt64
    private var waiting: [Wanted] = []
    private var flying: [Wanted] = []
    /// Peers that did not answer in time and have not been heard since: they are asked when nobody
    /// else can be, or each of many items would wait for one that is down.
    private var silent: [NodeID] = []
    private var nextID: UInt64
    private var allowance: UInt64
    private var countedAt = Instant.zero

    /// `seed` begins the numbers of the questions: answers to those of an earlier life are known by
    /// it.
    init(bytesPerSecond rate: UInt64, answerNanoseconds: UInt64, seed: UInt64) {
        self.rate = rate
        self.answerNanoseconds = answerNanoseconds
        nextID = seed
        allowance = UInt64(Self.window * Self.answerBytes)
    }

    var isIdle: Bool { waiting.isEmpty && flying.isEmpty }
    /// Whether no peer had a state table, or a piece of one of these segments, when they were last
    /// asked.
    func missesInstallation(_ segments: [SegmentName]) -> Bool {
        waiting.contains { wanted in
            guard wanted.tried == 0, wanted.time > .zero else { return false }
            if case .stateTable = wanted.item { return true }
            return wanted.item.segment.map(segments.contains) ?? false
        }
    }

    mutating func want(_ item: FetchItem, from peers: [NodeID]) {
        guard !peers.isEmpty else { return }
        waiting.append(Wanted(item: item, peers: peers))
    }

    /// Forgets what was asked for of a segment.
    mutating func forget(_ name: SegmentName) {
        waiting.removeAll { $0.item.segment == name }
        flying.removeAll { $0.item.segment == name }
    }

    /// Forgets the state tables that were asked for.
    mutating func forgetStateTables() {
        waiting.removeAll { $0.item.isStateTable }
        flying.removeAll { $0.item.isStateTable }
    }

    /// When `turn` has something to do.
    var deadline: Instant {
        var earliest = Instant(nanoseconds: .max)
        for wanted in flying { earliest = min(earliest, wanted.time) }
        if flying.count < Self.window {
            let lacking = UInt64(Self.answerBytes) - min(allowance, UInt64(Self.answerBytes))
            let affordable = countedAt.advanced(byNanoseconds: lacking * 1_000_000_000 / rate)
            for wanted in waiting { earliest = min(earliest, max(wanted.time, affordable)) }
        }
        return earliest
    }

    /// Gives up what was not answered in time, and asks for what the window and the rate allow.
    mutating func turn(now: Instant, ask: (NodeID, Fetch) -> Void) {
        for wanted in flying where wanted.time <= now {
            if !silent.contains(wanted.peers[0]) { silent.append(wanted.peers[0]) }
            postpone(wanted, now: now)
        }
        flying.removeAll { $0.time <= now }
        earn(now: now)
        var place = 0
        while place < waiting.count, flying.count < Self.window,
            allowance >= UInt64(Self.answerBytes)
        {
            guard waiting[place].time <= now else {
                place += 1
                continue
            }
            var wanted = waiting.remove(at: place)
            if let heard = wanted.peers.firstIndex(where: { !silent.contains($0) }) {
                wanted.peers.swapAt(0, heard)
            }
            wanted.id = nextID
            nextID &+= 1
            wanted.time = now.advanced(byNanoseconds: answerNanoseconds)
            allowance -= UInt64(Self.answerBytes)
            ask(wanted.peers[0], Fetch(id: wanted.id, item: wanted.item))
            flying.append(wanted)
        }
    }

    /// The peer lives: it is asked again like the others.
    mutating func heard(_ peer: NodeID) { silent.removeAll { $0 == peer } }

    /// What the answer is about; nil when it was not waited for. An answer that turns out to be
    /// wrong is given back by `reject`.
    mutating func take(_ answer: Fetched, from peer: NodeID, now: Instant) -> FetchItem? {
        guard
            let place = flying.firstIndex(where: { $0.id == answer.id && $0.peers[0] == peer })
        else { return nil }
        heard(peer)
        let wanted = flying.remove(at: place)
        guard answer.outcome == .found else {
            postpone(wanted, now: now)
            return nil
        }
        taken = wanted
        return wanted.item
    }

    private var taken: Wanted?

    /// The answer taken last was not what it should be: another peer is asked.
    mutating func reject(now: Instant) {
        guard let wanted = taken.take() else { return }
        postpone(wanted, now: now)
    }

    private mutating func postpone(_ wanted: Wanted, now: Instant) {
        var next = wanted
        next.peers.append(next.peers.removeFirst())
        next.tried += 1
        next.time = .zero
        if next.tried >= next.peers.count {
            next.tried = 0
            silent.removeAll()
            next.time = now.advanced(byNanoseconds: Self.pauseNanoseconds)
        }
        waiting.append(next)
    }

    private mutating func earn(now: Instant) {
        let elapsed = countedAt == .zero ? 0 : now.nanoseconds(since: countedAt)
        countedAt = now
        let earned = rate * (elapsed / 1_000) / 1_000_000
        allowance = min(
            allowance + earned, max(UInt64(Self.window * Self.answerBytes), rate / 10))
    }
}

extension FetchItem {
    fileprivate var isStateTable: Bool {
        if case .stateTable = self { true } else { false }
    }

    /// Of the archive; nil for other items.
    fileprivate var segment: SegmentName? {
        switch self {
        case .chunkDigests(let name), .chunk(let name, _): name
        case .manifest, .stateTable, .entry, .committedEntry: nil
        }
    }
}
