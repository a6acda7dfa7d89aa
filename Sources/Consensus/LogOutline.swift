package import Records

/// An entry that sets the members.
package struct ConfigurationChange: Equatable, Sendable {
    package let index: LogIndex
    package let configuration: Configuration
}

/// Where every entry of the log stands, how long it is and which members it sets, without the bytes.
///
/// Invariants: indexes have no gaps; terms never fall; `base` is the entry before the first one;
/// changes of the configuration are behind the base, in log order.
/// Memory: 8 bytes an entry, 16 a change of term.
package struct LogOutline: Equatable, Sendable {
    private struct Run: Equatable, Sendable {
        let first: LogIndex
        let term: Term
    }

    /// The entry in front of the first that is held. Its term is known, its bytes are elsewhere.
    package private(set) var base: LogPosition
    private var runs: [Run] = []
    /// For each held entry, the bytes of all entries through it, counted from where the value began.
    private var byteEnds: [UInt64] = []
    private var baseByteEnd: UInt64 = 0
    /// In force at the base; nil while nobody has said.
    private var baseConfiguration: Configuration?
    /// The held entries that set a configuration.
    package private(set) var changes: [ConfigurationChange] = []

    package init(base: LogPosition = .zero) { self.base = base }

    /// The last entry, or the base when none is held.
    package var last: LogPosition {
        LogPosition(
            term: runs.last?.term ?? base.term, index: base.index.advanced(by: byteEnds.count))
    }

    /// The term of the entry at `index`; nil below the base and past the end.
    package func term(at index: LogIndex) -> Term? {
        guard index >= base.index, index <= last.index else { return nil }
        guard index > base.index else { return base.term }
        return runs[runPlace(of: index)].term
    }

    func contains(_ position: LogPosition) -> Bool { term(at: position.index) == position.term }

    /// The entry at `index`. Traps when it is not held.
    package func descriptor(at index: LogIndex) -> EntryDescriptor {
        guard index > base.index, let term = term(at: index) else {
            preconditionFailure("entry \(index) is not in \(base)...\(last)")
        }
        return EntryDescriptor(
            position: LogPosition(term: term, index: index),
            byteCount: Int(byteEnd(of: index) - byteEnd(of: index.previous)),
            configuration: changes.last { $0.index == index }?.configuration)
    }

    /// The newest configuration, committed or not; nil when neither base nor entries name one.
    package var configuration: Configuration? { changes.last?.configuration ?? baseConfiguration }

    /// The newest entry that set it; zero when that is at the base or before it.
    package var configurationIndex: LogIndex { changes.last?.index ?? .zero }

    /// The configuration in force at `index`, at the base or behind it.
    package func configuration(at index: LogIndex) -> Configuration? {
        changes.last { $0.index <= index }?.configuration ?? baseConfiguration
    }

    /// Says what is in force at the base, once.
    mutating func begin(with configuration: Configuration) {
        precondition(baseConfiguration == nil, "the base has a configuration")
        baseConfiguration = configuration
    }

    /// Bytes of the entries after `lower` up to and including `upper`.
    package func byteCount(after lower: LogIndex, through upper: LogIndex) -> Int {
        let start = max(lower, base.index)
        guard upper > start else { return 0 }
        return Int(byteEnd(of: upper) - byteEnd(of: start))
    }

    /// The last entry at or before `index` whose term is at most `term`: where a log that has an
    /// entry of `term` at `index` may agree with this one.
    func lastPosition(through index: LogIndex, termAtMost term: Term) -> LogPosition {
        let bound = min(index, last.index)
        guard bound > base.index else { return base }
        var place = runPlace(of: bound)
        guard runs[place].term > term else {
            return LogPosition(term: runs[place].term, index: bound)
        }
        while place > 0, runs[place].term > term { place -= 1 }
        guard runs[place].term <= term else { return base }
        return LogPosition(term: runs[place].term, index: runs[place + 1].first.previous)
    }

    /// Appends an entry. Traps unless it follows the last one.
    package mutating func append(_ entry: EntryDescriptor) {
        let last = last
        precondition(
            entry.position.index == last.index.next && entry.position.term >= last.term,
            "entry \(entry.position) cannot follow \(last)")
        precondition(entry.byteCount > 0, "entry \(entry.position) has no bytes")
        if runs.last?.term != entry.position.term {
            runs.append(Run(first: entry.position.index, term: entry.position.term))
        }
        byteEnds.append((byteEnds.last ?? baseByteEnd) + UInt64(entry.byteCount))
        if let configuration = entry.configuration {
            changes.append(
                ConfigurationChange(index: entry.position.index, configuration: configuration))
        }
    }

    /// Cuts off the entry at `index` and all after it. Traps at or below the base.
    package mutating func truncate(from index: LogIndex) {
        precondition(index > base.index, "cut at \(index), but the base is \(base)")
        guard index <= last.index else { return }
        byteEnds.removeLast(Int(last.index.value - index.value + 1))
        while let run = runs.last, run.first >= index { runs.removeLast() }
        while let change = changes.last, change.index >= index { changes.removeLast() }
    }

    /// Forgets the entries through `index`, which becomes the base.
    package mutating func release(through index: LogIndex) {
        guard index > base.index else { return }
        guard let term = term(at: index) else {
            preconditionFailure("release through \(index), but the log ends at \(last)")
        }
        baseByteEnd = byteEnd(of: index)
        baseConfiguration = configuration(at: index)
        changes.removeAll { $0.index <= index }
        byteEnds.removeFirst(Int(index.value - base.index.value))
        runs.removeFirst(runPlace(of: index))
        base = LogPosition(term: term, index: index)
        if byteEnds.isEmpty { runs.removeAll() }
    }

    private func byteEnd(of index: LogIndex) -> UInt64 {
        index == base.index ? baseByteEnd : byteEnds[Int(index.value - base.index.value) - 1]
    }

    /// The place in `runs` of the entry at `index`, which is held. Near the end it is found at once.
    private func runPlace(of index: LogIndex) -> Int {
        if let newest = runs.last, newest.first <= index { return runs.count - 1 }
        var low = 0
        var high = runs.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].first <= index { low = middle } else { high = middle }
        }
        return low
    }
}
