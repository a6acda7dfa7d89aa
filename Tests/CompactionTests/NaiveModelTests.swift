import Bytes
import Crypto
import Records
import SegmentLog
import Testing

@testable import Compaction

/// Compactions of random logs against a model that decides event by event from lists.
@Suite struct NaiveModelTests {
    /// What the model knows of one event.
    private struct Known {
        let uniqueID: String
        let sequence: UInt64
        let time: Int64
        var form: Form = .record

        enum Form: Equatable {
            case record, compacted, erased
        }
    }

    private struct Run {
        var random: RandomSource
        var segments: [TestSegment] = []
        var events: [Known] = []

        init(seed: UInt64) {
            random = RandomSource(seed: seed)
            var revisions: [String: UInt32] = [:]
            for _ in 0..<(2 + random.below(3)) {
                var contents: [TestSegment.Content] = []
                for _ in 0..<(1 + random.below(6)) {
                    var batch: [TestSegment.Event] = []
                    for _ in 0..<(1 + random.below(9)) {
                        let id = "id-\(random.below(12))"
                        revisions[id, default: 0] += 1
                        let notes = String(repeating: "x", count: random.below(300))
                        batch.append(.init(id, "\"\(notes)\"", revision: revisions[id] ?? 0))
                    }
                    contents.append(.events(batch))
                }
                segments.append(TestSegment(contents, after: segments.last))
            }
            var sequence: UInt64 = 0
            for (place, segment) in segments.enumerated() {
                let stored = try? segment.stored(after: place > 0 ? segments[place - 1] : nil)
                for one in stored ?? [] {
                    events.append(
                        Known(
                            uniqueID: String(decoding: one.uniqueID, as: UTF8.self),
                            sequence: sequence, time: one.recordedAt.microseconds))
                    sequence += 1
                }
            }
        }

        /// The bits that an index would make, by looking at every pair.
        func superseded(cut: UInt64) -> [UInt64] {
            var words = [UInt64](repeating: 0, count: events.count / 64 + 1)
            for event in events where event.sequence < cut && event.form != .erased {
                let hasLater = events.contains {
                    $0.uniqueID == event.uniqueID && $0.sequence > event.sequence
                        && $0.sequence < cut
                }
                if hasLater { words[Int(event.sequence / 64)] |= 1 << (event.sequence % 64) }
            }
            return words
        }

        mutating func rules(generation: UInt32) -> CompactionRules {
            let policies: [CompactionPolicy] = [.erasures, .latest, .newerThan]
            let policy = policies[random.below(3)]
            let bound = events[random.below(events.count)].time
            let cut = UInt64(random.below(events.count + 2))
            let held = (0..<random.below(3)).map { _ in "id-\(random.below(12))" }
            var erased: [ErasedEvents.Erased] = []
            if random.below(2) == 0 {
                let marks = ClosedMark(genesis: testCluster)
                let id = "id-\(random.below(12))"
                erased.append(
                    .init(
                        mark: marks.mark(of: Array(id.utf8)),
                        sequences: events.filter { $0.uniqueID == id }.map {
                            Sequence($0.sequence)
                        }))
            }
            return CompactionRules(
                policy, generation: generation, cut: cut,
                timeBound: policy == .newerThan ? bound : .max, held: held, erased: erased)
        }

        mutating func expect(_ rules: CompactionRules, held: (String) -> Bool) {
            let before = events
            for place in events.indices {
                let event = before[place]
                if rules.erased.events.contains(where: { $0.sequence.value == event.sequence }) {
                    events[place].form = .erased
                    continue
                }
                guard event.form == .record, event.sequence < rules.cut.value,
                    !held(event.uniqueID)
                else { continue }
                let isOld = event.time < rules.timeBound.microseconds
                let isSuperseded = before.contains {
                    $0.uniqueID == event.uniqueID && $0.sequence > event.sequence
                        && $0.sequence < rules.cut.value
                }
                if rules.policy == .newerThan && isOld || rules.policy == .latest && isSuperseded {
                    events[place].form = .compacted
                }
            }
        }
    }

    @Test(arguments: 1...150)
    func `three compactions of a random log are what the model says`(seed: UInt64) throws {
        var run = Run(seed: seed)
        let originals = run.segments
        let leaves = try Self.stored(originals).map(\.leafEntry)
        let records = try Self.stored(originals)
        for generation in 1...3 {
            let rules = run.rules(generation: UInt32(generation))
            let bits = run.superseded(cut: rules.cut.value)
            run.expect(rules) { id in
                let bytes = Array(id.utf8)
                return rules.held.contains(bytes.span, 0..<bytes.count)
            }
            var made: [TestSegment] = []
            for (place, segment) in run.segments.enumerated() {
                let before = place > 0 ? run.segments[place - 1] : nil
                let (output, _) = try segment.compacted(rules, superseded: bits, after: before)
                // The same bytes however the input was cut into pieces.
                let pieces = try segment.compacted(
                    rules, superseded: bits, after: before,
                    pieceBytes: 1 + Int(run.random.below(900)) + 128)
                #expect(pieces.segment == output)
                made.append(output)
            }
            run.segments = made
            let stored = try Self.stored(made)
            #expect(stored.map(\.leafEntry) == leaves)
            for (event, one) in zip(run.events, stored) {
                #expect(one.sequence.value == event.sequence)
                switch event.form {
                case .record: #expect(one.bytes == records[Int(event.sequence)].bytes)
                case .compacted:
                    #expect(Array(event.uniqueID.utf8) == one.uniqueID)
                    #expect(one.revision == records[Int(event.sequence)].revision)
                    guard case .compacted = one.form else {
                        Issue.record("event \(event.sequence) is \(one.form)")
                        continue
                    }
                case .erased:
                    guard case .erased = one.form else {
                        Issue.record("event \(event.sequence) is \(one.form)")
                        continue
                    }
                }
            }
        }
    }

    private static func stored(_ segments: [TestSegment]) throws -> [Stored] {
        var all: [Stored] = []
        for (place, segment) in segments.enumerated() {
            all += try segment.stored(after: place > 0 ? segments[place - 1] : nil)
        }
        return all
    }
}
