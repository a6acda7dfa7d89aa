import Records

// Invariants:
// - entries have consecutive indexes
// - everything that is not yet durable, committed and applied is held, whatever the bound says

/// The newest entries of the log in memory: what is being written, sent and applied.
struct EntryCache {
    /// Bytes beyond which settled entries are dropped, oldest first.
    static let settledBytes = 16 * 1_024 * 1_024

    private var entries: [Entry] = []
    /// Entries in front of this place in `entries` are dropped already.
    private var start = 0
    private(set) var byteCount = 0

    subscript(index: LogIndex) -> Entry? {
        guard start < entries.count else { return nil }
        let first = entries[start].header.index
        guard index >= first, index.value - first.value < UInt64(entries.count - start) else {
            return nil
        }
        return entries[start + Int(index.value - first.value)]
    }

    mutating func append(_ entry: Entry) {
        precondition(
            start == entries.count
                || entries[entries.count - 1].header.index.next
                    == entry.header.index,
            "entry \(entry.header.index) leaves a gap in the cache")
        entries.append(entry)
        byteCount += entry.header.byteCount
    }

    /// Forgets the entries from `index` on.
    mutating func truncate(from index: LogIndex) {
        while start < entries.count, let last = entries.last, last.header.index >= index {
            byteCount -= last.header.byteCount
            entries.removeLast()
        }
    }

    /// Drops entries at or below `settled` while more than the bound is held.
    mutating func trim(settled: LogIndex) {
        while start < entries.count, byteCount > Self.settledBytes,
            entries[start].header.index <= settled
        {
            byteCount -= entries[start].header.byteCount
            start += 1
        }
        if start * 2 >= entries.count {
            entries.removeFirst(start)
            start = 0
        }
    }
}
