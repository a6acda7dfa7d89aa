import BugZoo
package import Records

// Invariants:
// - pieces stand by sequence: a piece's rows are at or after its first sequence, and before the
//   first of the next piece
// - the overlay is the newest rows, over as many pieces as it needs
// - what is archived below the first piece is looked up there, and nothing else: rows at or after
//   it are in memory, or are not applied yet

/// Every revision of every unique_id, derived from the log and never believed over it: in memory
/// for the tail, a piece for each segment; below that in the archive's tables.
package struct RevisionIndex {
    private let seed: RevisionKey.Seed
    private let archive: (any ArchivedRevisions)?
    /// Never empty; the newest is the last.
    private var pieces: [RevisionPiece]

    /// The index of a log that is applied up to `first`; the rows before it are in `archive`, and
    /// `seed` is that of its keys. Nobody outside can choose ids that collide. Without `archive` the
    /// state can be read, and no lookup that reaches behind `first` is answered.
    package init(
        seed: RevisionKey.Seed, archive: (any ArchivedRevisions)?, first: Sequence = .zero
    ) {
        self.seed = seed
        self.archive = archive
        pieces = [RevisionPiece(first: first)]
    }

    /// Rows in memory.
    package var count: Int { pieces.reduce(0) { $0 + $1.count } }
    /// Of those the ones whose entries are committed and applied.
    package var committedCount: Int { pieces.reduce(0) { $0 + $1.committed } }
    /// Rows of events before this one are in the archive.
    package var firstSequence: Sequence { pieces[0].first }

    /// The key of the unique_id in `range` of `bytes`.
    package func key(_ bytes: Span<UInt8>, _ range: Range<Int>) -> RevisionKey {
        RevisionKey(bytes, range, seed: seed)
    }

    // MARK: Looking up

    /// Shows the revisions of `key`, newest first, to `visit` until it returns false; committed
    /// ones alone unless the overlay is asked for too.
    package func visit(
        _ key: RevisionKey, withOverlay: Bool, _ visit: (IndexedRevision) -> Bool
    ) throws(IndexDamage) {
        var place = pieces.count
        while place > 0 {
            place -= 1
            guard pieces[place].visit(key, withOverlay: withOverlay, visit) else { return }
        }
        let first = firstSequence
        guard first > .zero, !PlantedBug.duplicatesInMemoryOnly.isPlanted else { return }
        guard let archive else { throw IndexDamage("nothing holds the rows before \(first)") }
        try archive.visit(key) { row in
            row.sequence >= first || visit(IndexedRevision(row: row, place: nil))
        }
    }

    /// The newest revision of `key`; nil when there is none.
    package func newest(
        of key: RevisionKey, withOverlay: Bool
    ) throws(IndexDamage) -> IndexedRevision? {
        var newest: IndexedRevision?
        try visit(key, withOverlay: withOverlay) { found in
            newest = found
            return false
        }
        return newest
    }

    // MARK: Changing

    /// Adds a revision to the overlay; it follows the newest of its key.
    package mutating func append(_ row: RevisionRow, at place: RecordPlace) {
        pieces[pieces.count - 1].append(row, at: place)
    }

    /// The oldest revision of the overlay; nil when that is empty.
    package var oldestOverlay: IndexedRevision? { overlayPiece.map { pieces[$0].oldestOverlay } }

    /// Counts the oldest revision of the overlay as committed.
    package mutating func commitOldest() {
        guard let piece = overlayPiece else { preconditionFailure("a commit of nothing") }
        pieces[piece].commit()
    }

    /// The piece with the oldest row of the overlay: in front of it are only committed ones.
    private var overlayPiece: Int? {
        var found: Int?
        var place = pieces.count
        while place > 0, pieces[place - 1].hasOverlay || pieces[place - 1].count == 0 {
            place -= 1
            if pieces[place].hasOverlay { found = place }
        }
        return found
    }

    /// Removes the overlay; the events from `next` on are not applied.
    package mutating func dropOverlay(from next: Sequence) {
        while true {
            let last = pieces.count - 1
            pieces[last].dropOverlay()
            guard last > 0, pieces[last].first > next else { return }
            pieces.removeLast()
        }
    }

    // MARK: Pieces

    /// A segment ends: the events from `sequence` on go into a piece of their own. Does nothing
    /// when they do already.
    package mutating func beginPiece(at sequence: Sequence) {
        let last = pieces[pieces.count - 1]
        guard last.first < sequence, last.lastSequence.map({ $0 < sequence }) ?? true else {
            return
        }
        pieces.append(RevisionPiece(first: sequence))
    }

    /// Drops the pieces of events before `sequence`: the archive has tables of them.
    package mutating func release(through sequence: Sequence) {
        var count = 0
        while count + 1 < pieces.count, pieces[count + 1].first <= sequence {
            precondition(!pieces[count].hasOverlay, "released what is not applied")
            count += 1
        }
        pieces.removeFirst(count)
    }
}
