package import Records
package import SegmentLog

/// State machine safety and leader completeness (Raft paper figure 3): what one node takes for
/// committed never changes, on no node, and every later leader has it.
package struct CommitCheck {
    struct Committed: Equatable {
        let term: Term
        let checksum: UInt32
        /// The term of the node that first knew of the commit: it happened in it, or before.
        let knownIn: Term
    }

    /// By index, from 1.
    private(set) var entries: [Committed] = []
    /// The sequence after the last committed event.
    private(set) var seenSequence: UInt64 = 0

    package init() {}

    /// The committed entries as they were first appended.
    func entries(from log: LogMatchingCheck) throws(Violation) -> [Entry] {
        var originals: [Entry] = []
        for (place, entry) in entries.enumerated() {
            let position = LogPosition(term: entry.term, index: LogIndex(UInt64(place + 1)))
            guard let original = log.original(at: position) else {
                throw Violation("entry \(position) is committed, and nobody appended it")
            }
            originals.append(original)
        }
        return originals
    }

    /// `node`, in `term`, takes the entries of `log` after `from` through `last` for committed.
    package mutating func note(
        from: LogIndex, through last: LogIndex, log: Catalogue, term: Term, by node: NodeID
    ) throws(Violation) {
        var index = from.next
        while index <= last {
            // Archived entries were noted before; SegmentCheck compares their files.
            if index < log.firstHeldIndex, Int(index.value) <= entries.count {
                index = index.next
                continue
            }
            guard let header = log.header(at: index) else {
                throw Violation("node \(node) commits entry \(index), which it does not have")
            }
            try note(header, term: term, by: node)
            index = index.next
        }
    }

    package mutating func note(
        _ header: EntryHeader, term: Term, by node: NodeID
    ) throws(Violation) {
        let place = Int(header.index.value) - 1
        guard place < entries.count else {
            precondition(place == entries.count, "commits are noted in order")
            entries.append(
                Committed(term: header.term, checksum: header.checksum, knownIn: term))
            seenSequence = max(seenSequence, header.nextSequence.value)
            return
        }
        let known = entries[place]
        guard known.term == header.term, known.checksum == header.checksum else {
            throw Violation(
                "node \(node) commits \(header.position) where \(known.term)/\(header.index) "
                    + "was committed")
        }
    }

    /// `node` leads `term` with `log`: it must have what was committed in earlier terms.
    package func checkLeader(
        _ node: NodeID, term: Term, log: Catalogue
    ) throws(Violation) {
        // What is known later was committed later, or lies behind what was.
        for place in entries.indices.reversed() where entries[place].knownIn < term {
            let index = LogIndex(UInt64(place + 1))
            let header = log.header(at: index)
            let isArchived = header == nil && index <= log.archive.lastIndex
            guard
                isArchived
                    ? log.term(at: index) == entries[place].term
                    : header?.checksum == entries[place].checksum
            else {
                throw Violation(
                    "node \(node) leads term \(term) without the committed entry "
                        + "\(entries[place].term)/\(index)")
            }
            return
        }
    }
}
