package import Bytes
package import Records

/// What a node says of its disk, to gateways in its status and to its peers once a second.
package struct DiskSpace: Equatable, Sendable {
    /// Bytes that may still be written.
    package var free: UInt64
    /// Bytes of the file system.
    package var total: UInt64
    /// Events are not taken while less than this is free.
    package var watermark: UInt64

    package init(free: UInt64, total: UInt64, watermark: UInt64) {
        self.free = free
        self.total = total
        self.watermark = watermark
    }

    /// Nothing is known of the disk, and nothing refused for it.
    package static let unknown = DiskSpace(free: 0, total: 0, watermark: 0)

    package var isLow: Bool { free < watermark }

    package init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        free = try cursor.integer(bytes)
        total = try cursor.integer(bytes)
        watermark = try cursor.integer(bytes)
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: free)
        payload.append(littleEndian: total)
        payload.append(littleEndian: watermark)
    }
}

/// What a node says of its files to gateways.
package struct StorageStatus: Equatable, Sendable {
    package var disk = DiskSpace.unknown
    /// Bytes that the log grew in a day at the rate of the last hour, or since the start.
    package var bytesPerDay: UInt64 = 0
    package var segments: UInt32 = 0
    /// The last entry of the archive.
    package var archivedThrough = LogIndex.zero
    package var care = ArchiveCare()
    /// nil while nothing is taken over.
    package var takeover: Takeover?
    package var compaction = CompactionStatus()

    package init() {}

    /// Days until events are not taken any more; nil while nothing grows or nothing is known.
    package var daysLeft: UInt64? {
        guard disk.total > 0, bytesPerDay > 0 else { return nil }
        return (disk.free - min(disk.free, disk.watermark)) / bytesPerDay
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        disk = try DiskSpace(&cursor, bytes)
        bytesPerDay = try cursor.integer(bytes)
        segments = try cursor.integer(bytes)
        archivedThrough = LogIndex(try cursor.integer(bytes))
        care = try ArchiveCare(&cursor, bytes)
        let fetched = try cursor.integer(bytes, as: UInt64.self)
        let total = try cursor.integer(bytes, as: UInt64.self)
        takeover = total == 0 ? nil : Takeover(fetchedBytes: fetched, totalBytes: total)
        compaction = try CompactionStatus(&cursor, bytes)
    }

    func append(to payload: inout [UInt8]) {
        disk.append(to: &payload)
        payload.append(littleEndian: bytesPerDay)
        payload.append(littleEndian: segments)
        payload.append(littleEndian: archivedThrough.value)
        care.append(to: &payload)
        payload.append(littleEndian: takeover?.fetchedBytes ?? 0)
        payload.append(littleEndian: takeover?.totalBytes ?? 0)
        compaction.append(to: &payload)
    }
}

/// How far a node is that takes over segments of a peer's archive (Raft paper section 7).
package struct Takeover: Equatable, Sendable {
    /// Of whole segments.
    package var fetchedBytes: UInt64
    /// Of the segments that it lacked when it began; at least 1.
    package var totalBytes: UInt64

    package init(fetchedBytes: UInt64, totalBytes: UInt64) {
        self.fetchedBytes = fetchedBytes
        self.totalBytes = totalBytes
    }
}

/// What a node does against damage to its files, counted since it was started.
package struct ArchiveCare: Equatable, Sendable {
    /// Ranges that are told; a node with more tells the first.
    package static let damagedRanges = 16

    /// Bytes of the archive that were read and verified.
    package var scrubbedBytes: UInt64 = 0
    /// How often all of it was.
    package var scrubPasses: UInt64 = 0
    /// When that was last so; nil: not yet.
    package var lastScrub: Timestamp?
    /// Chunks of archived segments that came from peers.
    package var repairedChunks: UInt64 = 0
    /// Entries of the log's end that came from peers before the node joined.
    package var repairedEntries: UInt64 = 0
    /// Entries that cannot all be read now.
    package var damaged: [ClosedRange<LogIndex>] = []

    package init() {}

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        scrubbedBytes = try cursor.integer(bytes)
        scrubPasses = try cursor.integer(bytes)
        let last = try cursor.integer(bytes, as: Int64.self)
        lastScrub = last == 0 ? nil : Timestamp(microseconds: last)
        repairedChunks = try cursor.integer(bytes)
        repairedEntries = try cursor.integer(bytes)
        let place = cursor.offset
        for _ in 0..<(try cursor.integer(bytes, as: UInt8.self)) {
            let first = LogIndex(try cursor.integer(bytes))
            let last = LogIndex(try cursor.integer(bytes))
            guard first <= last, damaged.count < Self.damagedRanges else {
                throw ByteDefect(offset: place)
            }
            damaged.append(first...last)
        }
    }

    func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: scrubbedBytes)
        payload.append(littleEndian: scrubPasses)
        payload.append(littleEndian: lastScrub?.microseconds ?? 0)
        payload.append(littleEndian: repairedChunks)
        payload.append(littleEndian: repairedEntries)
        payload.append(UInt8(min(damaged.count, Self.damagedRanges)))
        for range in damaged.prefix(Self.damagedRanges) {
            payload.append(littleEndian: range.lowerBound.value)
            payload.append(littleEndian: range.upperBound.value)
        }
    }
}
