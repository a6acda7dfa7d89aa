package import Bytes
package import Records

// Everything here is a function of the log up to the COMPACT entry, so that every replica that
// runs the compaction makes the same bytes. Only the superseded bits come from a node's index, and
// a node whose index is wrong is found out by its digests.

/// What one compaction takes away, and what it leaves.
package struct CompactionRules: Equatable, Sendable {
    /// The COMPACT entry that says so.
    package var compaction: LogIndex
    /// Of the outputs; higher than that of any input.
    package var generation: UInt32
    package var policy: CompactionPolicy
    /// Events from this sequence on stay, and do not count when older ones are judged.
    package let cut: Sequence
    /// Events recorded at or after this time stay.
    package var timeBound: Timestamp
    package var held: HeldIDs
    package var erased: ErasedEvents

    package init(
        compaction: LogIndex, generation: UInt32, policy: CompactionPolicy, cut: Sequence,
        timeBound: Timestamp, held: HeldIDs = HeldIDs([]), erased: ErasedEvents = ErasedEvents([])
    ) {
        self.compaction = compaction
        self.generation = generation
        self.policy = policy
        self.cut = cut
        self.timeBound = timeBound
        self.held = held
        self.erased = erased
    }

    /// The rules of the COMPACT entry at `index`; nil for a policy that this version does not know.
    package init?(
        _ compaction: Records.Compaction, at index: LogIndex, held: HeldIDs, erased: ErasedEvents
    ) {
        guard let policy = CompactionPolicy(rawValue: compaction.policy) else { return nil }
        self.init(
            compaction: index, generation: compaction.generation, policy: policy,
            cut: compaction.cut, timeBound: compaction.timeBound, held: held, erased: erased)
    }
}

/// The unique_ids under a legal hold: the policy takes away nothing of theirs.
package struct HeldIDs: Equatable, Sendable {
    /// In the order of their bytes.
    private let uniqueIDs: [[UInt8]]

    package init(_ uniqueIDs: [[UInt8]]) {
        self.uniqueIDs = uniqueIDs.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Whether the unique_id in `range` of `bytes` is one of them.
    package func contains(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var low = 0
        var high = uniqueIDs.count
        while low < high {
            let middle = (low + high) / 2
            switch Self.compare(uniqueIDs[middle], bytes, range) {
            case 0: return true
            case ..<0: low = middle + 1
            default: high = middle
            }
        }
        return false
    }

    /// Below, at or above zero as `left` stands before, at or behind the bytes in `range`.
    private static func compare(
        _ left: [UInt8], _ bytes: Span<UInt8>, _ range: Range<Int>
    ) -> Int {
        for place in 0..<min(left.count, range.count) {
            let difference = Int(left[place]) - Int(bytes[range.lowerBound + place])
            if difference != 0 { return difference }
        }
        return left.count - range.count
    }
}

/// The events of erased unique_ids, by sequence, each with the mark that takes its place.
package struct ErasedEvents: Equatable, Sendable {
    /// One erased unique_id and all its events.
    package struct Erased: Equatable, Sendable {
        package let mark: Digest
        package let sequences: [Sequence]

        package init(mark: Digest, sequences: [Sequence]) {
            self.mark = mark
            self.sequences = sequences
        }
    }

    private let marks: [Digest]
    /// In ascending order of sequences.
    let events: [(sequence: Sequence, mark: Int)]

    package init(_ erased: [Erased]) {
        marks = erased.map(\.mark)
        var events: [(sequence: Sequence, mark: Int)] = []
        for (place, one) in erased.enumerated() {
            for sequence in one.sequences { events.append((sequence, place)) }
        }
        events.sort { $0.sequence < $1.sequence }
        for place in events.indices.dropFirst() {
            precondition(
                events[place - 1].sequence < events[place].sequence,
                "event \(events[place].sequence) is erased twice")
        }
        self.events = events
    }

    func mark(_ place: Int) -> Digest { marks[place] }

    /// Whether a control entry that names the unique_id of this mark loses it.
    func covers(_ mark: Digest) -> Bool { marks.contains(mark) }

    /// The place in `events` of the first that is not before `sequence`.
    func firstPlace(from sequence: Sequence) -> Int {
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].sequence < sequence { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package static func == (left: ErasedEvents, right: ErasedEvents) -> Bool {
        left.marks == right.marks && left.events.elementsEqual(right.events) { $0 == $1 }
    }
}

/// Which events have a later revision before the cut: one bit for each sequence from `first` on.
package struct SupersededBits: Equatable, Sendable {
    package let first: Sequence
    /// Bit `i` of word `w` stands for `first` + 64 `w` + `i`; what lies beyond is not superseded.
    package let words: [UInt64]

    package init(first: Sequence = .zero, words: [UInt64]) {
        self.first = first
        self.words = words
    }

    @inline(__always)
    func contains(_ sequence: Sequence) -> Bool {
        guard sequence >= first else { return false }
        let bit = sequence.value - first.value
        let word = Int(truncatingIfNeeded: bit >> 6)
        return word < words.count && words[word] >> (bit & 63) & 1 != 0
    }
}
