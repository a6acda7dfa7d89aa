import Bytes
package import Records

/// What the bytes of one segment are for.
///
/// Each is the sum of the lengths of stored records and stubs. What is in none of them is headers,
/// padding, entries without records, and the stubs that compaction left.
package struct SegmentUsage: Equatable, Sendable {
    /// Records that nothing replaced, administrative ones among them.
    package internal(set) var liveBytes = 0
    /// Records of which a later revision stands before the segment's cut.
    package internal(set) var supersededBytes = 0
    /// The newest record of an event that an erasure hides, and the stubs that erasures left.
    package internal(set) var erasedBytes = 0
    package internal(set) var records = 0
    package internal(set) var stubs = 0
    package internal(set) var erasedStubs = 0
    package internal(set) var entries = 0
    /// Before this sequence a later revision counts; nil: everywhere in the log.
    let cut: Sequence?
}

/// Counts what the segments of a log hold that is still needed, in one pass in log order.
///
/// The next revision of an event decides whether this one is superseded, so it is enough to know of
/// every unique_id where its newest record is: 16 bytes an id.
package struct UsageCount {
    package private(set) var segments: [SegmentUsage] = []
    private var newest = NewestRecords()
    private let seed: RevisionKey.Seed

    /// `seed` keys the hash of unique_ids; two that collide (2⁻⁶⁴ a pair) count as one.
    package init(seed: RevisionKey.Seed) { self.seed = seed }

    /// The next segment; `cut` is that of its compaction, nil when there was none.
    package mutating func begin(cut: Sequence?) { segments.append(SegmentUsage(cut: cut)) }

    /// Counts the entry at `offset` of `bytes`, which follows the one before.
    package mutating func add(
        _ entry: EntryHeader, at offset: Int, in bytes: Span<UInt8>
    ) throws(EntryDefect) {
        let current = segments.count - 1
        segments[current].entries += 1
        var events = StoredEvents(entry, at: offset)
        while let event = try events.next(bytes) {
            switch event.content {
            case .record(let record):
                segments[current].records += 1
                segments[current].liveBytes += event.byteCount
                guard record.resource == .auditEvent else { continue }
                let key = RevisionKey(bytes, record.uniqueID, seed: seed)
                replace(key, with: event.byteCount, event.sequence)
            case .stub(.compacted(_, _, _, _, let uniqueID)):
                segments[current].stubs += 1
                let key = RevisionKey(uniqueID.span, 0..<uniqueID.count, seed: seed)
                replace(key, with: 0, event.sequence)
            case .stub(.erased):
                segments[current].erasedStubs += 1
                segments[current].erasedBytes += event.byteCount
            }
        }
        guard entry.kind == .erase else { return }
        var cursor = ByteCursor(events.offset..<events.end)
        guard let payload = try? ControlPayload(.erase, &cursor, bytes),
            case .erase(let erasure) = payload
        else { throw .record(offset: events.offset) }
        hide(erasure.uniqueID)
    }

    private mutating func replace(
        _ key: RevisionKey, with byteCount: Int, _ sequence: Sequence
    ) {
        let record = NewestRecords.Record(
            segment: UInt32(segments.count - 1), byteCount: UInt32(byteCount))
        guard let old = newest.replace(key.high, with: record) else { return }
        let place = Int(old.segment)
        if let cut = segments[place].cut, sequence >= cut { return }
        segments[place].liveBytes -= Int(old.byteCount)
        segments[place].supersededBytes += Int(old.byteCount)
    }

    private mutating func hide(_ uniqueID: [UInt8]) {
        guard !uniqueID.isEmpty else { return }
        let key = RevisionKey(uniqueID.span, 0..<uniqueID.count, seed: seed)
        let nothing = NewestRecords.Record(segment: UInt32(segments.count - 1), byteCount: 0)
        guard let old = newest.replace(key.high, with: nothing) else { return }
        segments[Int(old.segment)].liveBytes -= Int(old.byteCount)
        segments[Int(old.segment)].erasedBytes += Int(old.byteCount)
    }
}

/// A hash table of 64-bit keys with open addressing: 16 bytes a place, filled to 3/4 at most.
struct NewestRecords {
    struct Record: Equatable {
        /// In the order of the log.
        let segment: UInt32
        /// 0 for a stub.
        let byteCount: UInt32
    }

    /// 0 where the place is free; the key 0 is kept as 1.
    private var keys: [UInt64]
    private var records: [Record]
    private(set) var count = 0

    init(capacity: Int = 1_024) {
        precondition(capacity.nonzeroBitCount == 1, "\(capacity) places")
        keys = Array(repeating: 0, count: capacity)
        records = Array(repeating: Record(segment: 0, byteCount: 0), count: capacity)
    }

    /// Puts the record in the place of the key's last one, and returns that.
    mutating func replace(_ key: UInt64, with record: Record) -> Record? {
        if count * 4 >= keys.count * 3 { grow() }
        let key = max(key, 1)
        let place = place(of: key)
        defer { records[place] = record }
        if keys[place] == key { return records[place] }
        keys[place] = key
        count += 1
        return nil
    }

    private func place(of key: UInt64) -> Int {
        let mask = keys.count - 1
        var place = Int(truncatingIfNeeded: key) & mask
        while keys[place] != 0, keys[place] != key { place = (place + 1) & mask }
        return place
    }

    private mutating func grow() {
        var larger = NewestRecords(capacity: keys.count * 2)
        for place in keys.indices where keys[place] != 0 {
            let free = larger.place(of: keys[place])
            larger.keys[free] = keys[place]
            larger.records[free] = records[place]
        }
        larger.count = count
        self = larger
    }
}
