import Bytes
import Compaction
import Crypto
import Linux
import Records
import SegmentLog

// Measures the pure function of compaction in memory: segments of 16 MiB of events like those of
// docs/performance.md, a share of them superseded. `compactbench [SUPERSEDED_PERCENT [ROUNDS]]`.

/// A segment with `share` percent of its events superseded, and what a manifest says of it.
struct Segment {
    var bytes: [UInt8] = []
    var descriptor: SegmentDescriptor
    var superseded: [UInt64] = []
    var eventCount = 0

    init(byteCount: Int, share: Int) {
        let header = SegmentHeader(clusterID: Identifier(high: 1, low: 2), after: nil)
        bytes = header.encoded
        var random = RandomSource(seed: 11)
        var previous: EntryHeader?
        let hash = SHA256()
        let salts = KeyStream(key: [UInt8](repeating: 7, count: KeyStream.keyByteCount))
        while bytes.count < byteCount {
            var body: [UInt8] = []
            var count = 0
            while body.count < 64 * 1_024 {
                Self.append(number: eventCount, &random, hash: hash, salts: salts, to: &body)
                if eventCount % 64 == 0 { superseded.append(0) }
                if random.below(100) < share {
                    superseded[eventCount / 64] |= 1 << UInt64(eventCount % 64)
                }
                eventCount += 1
                count += 1
            }
            let entry = Entry(
                kind: .events, term: Term(1), after: previous, recordCount: count,
                timestamp: Timestamp(microseconds: 1_000_000 + Int64(eventCount)), body: body)
            bytes += entry.bytes
            previous = entry.header
        }
        let seal = Entry(
            kind: .seal, term: Term(1), after: previous,
            timestamp: Timestamp(microseconds: 2_000_000 + Int64(eventCount)))
        bytes += seal.bytes
        descriptor = SegmentDescriptor(
            header: header, seal: seal.header, byteCount: bytes.count, digest: .zero,
            stateTable: .zero)
    }

    private static func append(
        number: Int, _ random: inout RandomSource, hash: SHA256, salts: KeyStream,
        to body: inout [UInt8]
    ) {
        let start = body.count
        var values: [UInt8] = []
        func take(_ text: String) -> Range<Int> {
            let start = values.count
            values.append(contentsOf: text.utf8)
            return start..<values.count
        }
        var parameters = EventParameters()
        parameters.uniqueID = take("FMP-\(number)-\(random.below(1_000_000))")
        parameters.scriptName = take("Invoice | Post And Print")
        parameters.hostName = take("FMS-EAST")
        parameters.fileName = take("PlanoOrder_Data.fmp12")
        parameters.startTime = take("2026-11-02T06:00:00-07:00")
        let notes = take(
            "{\"rows\":\(random.below(1_000)),\"text\":\"naive quotes and some more\"}")
        parameters.notes = notes
        parameters.canonicalNotes = notes
        parameters.startedAt = Timestamp(microseconds: Int64(number))
        RecordEncoder.append(
            parameters, values: values, application: Array("planox2".utf8),
            writtenBy: Array("00112233445566aa".utf8), hash: hash, to: &body)
        RecordEncoder.decide(revision: Revision(1), salts: salts, at: start, in: &body)
    }
}

/// One pass over the segment as a plan or a run: seconds, and what it made.
func measure(
    _ segment: Segment, _ mode: Compactor.Mode
) throws -> (seconds: Double, tally: SegmentTally) {
    let rules = CompactionRules(
        compaction: LogIndex(1_000_000), generation: 1, policy: .latest,
        cut: Sequence(UInt64(segment.eventCount)), timeBound: Timestamp(microseconds: .max))
    let begin = Clock.monotonicNanoseconds()
    var compactor = Compactor(
        segment.descriptor, after: nil, rules: rules,
        superseded: SupersededBits(words: segment.superseded), mode: mode)
    var offset = 0
    while offset < segment.bytes.count {
        let end = min(offset + 1_024 * 1_024, segment.bytes.count)
        offset += try compactor.take(segment.bytes.span.extracting(offset..<end))
        compactor.drain()
    }
    let tally = try compactor.finish()
    _ = compactor.digests()
    return (Double(Clock.monotonicNanoseconds() - begin) / 1e9, tally)
}

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let share = arguments.first ?? 50
let rounds = arguments.count > 1 ? arguments[1] : 10
let segment = Segment(byteCount: 16 * 1_024 * 1_024, share: share)
var best = (plan: Double.infinity, run: Double.infinity)
var tally = SegmentTally()
for _ in 0..<rounds {
    best.plan = min(best.plan, try measure(segment, .plan).seconds)
    let run = try measure(segment, .run)
    best.run = min(best.run, run.seconds)
    tally = run.tally
}
let megabytes = Double(segment.bytes.count) / 1e6
print(
    "\(segment.eventCount) events of \(segment.bytes.count / segment.eventCount) bytes, "
        + "\(tally.compacted) compacted away, \(tally.outputBytes) bytes left: plan "
        + "\(Int(megabytes / best.plan)) MB/s, run \(Int(megabytes / best.run)) MB/s, both "
        + "\(Int(megabytes / (best.plan + best.run))) MB/s of input")
