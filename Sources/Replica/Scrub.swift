import Maintenance
import Records
import SegmentLog

// Invariants:
// - one step is with the maintainer at a time
// - no more bytes in a second than the limit, averaged over a step

/// Reads the whole archive again and again, so that damage is found while peers still have what is
/// lost. A start begins anywhere, so that frequent starts leave nothing out.
struct Scrub {
    /// Chunks of one step.
    static let stepChunks = 16
    /// How long an empty archive is left alone.
    static let idleNanoseconds: UInt64 = 60_000_000_000

    private let periodNanoseconds: UInt64
    private let bytesPerSecond: UInt64
    private var segment: LogIndex?
    private var chunk = 0
    private let seed: UInt64
    private var due: Instant
    private var isRunning = false
    /// Steps that are done, until the turn ends.
    var reports: [MaintenanceReport] = []
    /// Bytes of the pass under way, in segments that are done.
    private var passBytes = 0

    /// Since the start.
    private(set) var bytes: UInt64 = 0
    private(set) var passes: UInt64 = 0
    private(set) var lastPass: Timestamp?

    init(_ settings: ReplicaSettings, seed: UInt64, now: Instant) {
        periodNanoseconds = settings.scrubPeriodNanoseconds
        bytesPerSecond = settings.scrubBytesPerSecond
        self.seed = seed
        due = now.advanced(byNanoseconds: min(Self.idleNanoseconds, periodNanoseconds))
    }

    /// When a step is due.
    var deadline: Instant { isRunning ? Instant(nanoseconds: .max) : due }

    /// The next step, when one is due.
    mutating func step(_ archive: Manifest, now: Instant) -> MaintenanceTask? {
        guard !isRunning, now >= due else { return nil }
        guard let place = place(in: archive) else {
            due = now.advanced(byNanoseconds: min(Self.idleNanoseconds, periodNanoseconds))
            return nil
        }
        let segment = archive.segments[place]
        let end = min(
            chunk + Self.stepChunks, ChunkDigests.chunkCount(of: segment.byteCount))
        isRunning = true
        let count =
            ChunkDigests.range(of: end - 1, byteCount: segment.byteCount).upperBound
            - chunk * ChunkDigests.chunkBytes
        due = now.advanced(byNanoseconds: pause(after: count, of: archive.byteCount))
        return .scrub(
            segment, after: place > 0 ? archive.segments[place - 1] : nil, chunks: chunk..<end)
    }

    private mutating func place(in archive: Manifest) -> Int? {
        guard !archive.segments.isEmpty else { return nil }
        if let segment, let place = archive.place(holding: segment) { return place }
        // Where it goes on after a start, or after a takeover.
        let place = Int(seed % UInt64(archive.segments.count))
        segment = archive.segments[place].firstIndex
        chunk = 0
        passBytes = 0
        return place
    }

    /// So that a pass takes the period, or as long as the limit demands.
    private func pause(after count: Int, of total: Int) -> UInt64 {
        let fastest = UInt64(count) * 1_000_000_000 / bytesPerSecond
        let share = periodNanoseconds / UInt64(max(total, 1)) * UInt64(count)
        return max(fastest, min(share, periodNanoseconds))
    }

    /// The step is done.
    mutating func advance(
        through chunk: Int, of scrubbed: SegmentDescriptor, byteCount: Int, _ archive: Manifest,
        wall: Timestamp
    ) {
        isRunning = false
        bytes += UInt64(byteCount)
        guard scrubbed.firstIndex == segment else { return }
        self.chunk = chunk
        guard chunk >= ChunkDigests.chunkCount(of: scrubbed.byteCount),
            let place = archive.place(holding: scrubbed.firstIndex)
        else { return }
        self.chunk = 0
        let next = place + 1 < archive.segments.count ? place + 1 : 0
        segment = archive.segments[next].firstIndex
        passBytes += scrubbed.byteCount
        guard passBytes >= archive.byteCount else { return }
        passBytes = 0
        passes += 1
        lastPass = wall
    }
}
