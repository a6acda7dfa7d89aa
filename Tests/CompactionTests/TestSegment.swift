import Bytes
import Crypto
import Records
import SegmentLog
import Testing

@testable import Compaction

let testCluster = Identifier(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)

/// A sealed segment as a test writes it down, and what a manifest would say of it.
struct TestSegment: Equatable {
    var bytes: [UInt8]
    var descriptor: SegmentDescriptor

    /// What one event is made of.
    struct Event: Equatable {
        var uniqueID: String
        var notes: String
        var revision: UInt32

        init(_ uniqueID: String, _ notes: String = "\"n\"", revision: UInt32 = 1) {
            self.uniqueID = uniqueID
            self.notes = notes
            self.revision = revision
        }
    }

    enum Content {
        case events([Event])
        case administration(DirectoryCommand)
        case control(ControlPayload)
    }

    /// The segment behind `previous`, with these entries and a SEAL.
    init(_ contents: [Content], after previous: TestSegment? = nil, time: Int64 = 1_000_000) {
        let salts = KeyStream(key: [UInt8](repeating: 7, count: KeyStream.keyByteCount))
        let header = SegmentHeader(clusterID: testCluster, after: previous?.descriptor.seal)
        var bytes = header.encoded
        var last = previous?.descriptor.seal
        func add(_ kind: EntryKind, _ body: [UInt8], records: Int) -> EntryHeader {
            let index = Int64(last?.index.value ?? 0)
            let entry = Entry(
                kind: kind, term: Term(2), after: last, recordCount: records,
                timestamp: Timestamp(microseconds: time + index * 1_000), body: body)
            bytes += entry.bytes
            last = entry.header
            return entry.header
        }
        for content in contents {
            var body: [UInt8] = []
            switch content {
            case .events(let events):
                for event in events { Self.append(event, salts, to: &body) }
                _ = add(.events, body, records: events.count)
            case .administration(let command):
                RecordEncoder.appendAdministration(
                    action: "test", subject: "s", details: Array("{}".utf8), application: "",
                    writtenBy: "w", to: &body)
                RecordEncoder.decide(revision: Revision(1), salts: salts, at: 0, in: &body)
                command.append(to: &body)
                _ = add(.directory, body, records: 1)
            case .control(let payload):
                payload.append(to: &body)
                _ = add(payload.kind, body, records: 0)
            }
        }
        let seal = add(.seal, [], records: 0)
        self.init(
            bytes: bytes, descriptor: TestSegment.descriptor(header, seal: seal, bytes))
    }

    init(bytes: [UInt8], descriptor: SegmentDescriptor) {
        self.bytes = bytes
        self.descriptor = descriptor
    }

    private static func descriptor(
        _ header: SegmentHeader, seal: EntryHeader, _ bytes: [UInt8]
    ) -> SegmentDescriptor {
        var hasher = ChunkHasher()
        hasher.update(bytes.span, in: 0..<bytes.count)
        return SegmentDescriptor(
            header: header, seal: seal, byteCount: bytes.count,
            digest: hasher.finish().root(SHA256()),
            stateTable: Digest([UInt8](repeating: 9, count: 32)))
    }

    static func append(_ event: Event, _ salts: KeyStream, to body: inout [UInt8]) {
        let start = body.count
        var values: [UInt8] = []
        func take(_ text: String) -> Range<Int> {
            let start = values.count
            values.append(contentsOf: text.utf8)
            return start..<values.count
        }
        var parameters = EventParameters()
        parameters.uniqueID = take(event.uniqueID)
        parameters.scriptName = take("Startup")
        parameters.hostName = take("fms-01")
        parameters.fileName = take("A.fmp12")
        parameters.startTime = take("2026-11-02T06:00:00-07:00")
        parameters.notes = take(event.notes)
        parameters.canonicalNotes = parameters.notes
        parameters.startedAt = Timestamp(microseconds: 5)
        RecordEncoder.append(
            parameters, values: values, application: Array("planox2".utf8),
            writtenBy: Array("00112233445566aa".utf8), hash: SHA256(), to: &body)
        RecordEncoder.decide(
            revision: Revision(event.revision), salts: salts, at: start, in: &body)
    }
}

extension TestSegment {
    /// The segment after the compaction, its bytes taken in pieces of `pieceBytes`.
    func compacted(
        _ rules: CompactionRules, superseded: [UInt64] = [], after previous: TestSegment? = nil,
        pieceBytes: Int = .max
    ) throws -> (segment: TestSegment, tally: SegmentTally) {
        var made: [UInt8] = []
        var compactor = Compactor(
            descriptor, after: previous?.descriptor, rules: rules,
            superseded: SupersededBits(words: superseded), mode: .run)
        try feed(&compactor, pieceBytes: pieceBytes) { made += $0 }
        let tally = try compactor.finish()
        let plan = try self.plan(rules, superseded: superseded, after: previous)
        #expect(plan == tally, "the plan says what the run does")
        guard tally.changes else { return (self, tally) }
        let digests = compactor.digests()
        var hasher = ChunkHasher()
        hasher.update(made.span, in: 0..<made.count)
        #expect(hasher.finish() == digests)
        #expect(made.count == tally.outputBytes)
        return (TestSegment(bytes: made, descriptor: compactor.descriptor(digests)), tally)
    }

    func plan(
        _ rules: CompactionRules, superseded: [UInt64] = [], after previous: TestSegment? = nil
    ) throws -> SegmentTally {
        var compactor = Compactor(
            descriptor, after: previous?.descriptor, rules: rules,
            superseded: SupersededBits(words: superseded), mode: .plan)
        try feed(&compactor, pieceBytes: .max) { #expect($0.isEmpty) }
        return try compactor.finish()
    }

    private func feed(
        _ compactor: inout Compactor, pieceBytes: Int, _ take: ([UInt8]) -> Void
    ) throws {
        var end = min(pieceBytes, bytes.count)
        var offset = 0
        while true {
            offset += try compactor.take(bytes.span.extracting(offset..<end))
            take(compactor.output)
            compactor.drain()
            if end == bytes.count { return }
            end = min(end + pieceBytes, bytes.count)
        }
    }

    /// Every entry, verified as a reader would.
    func entries(after previous: TestSegment? = nil) throws -> [Entry] {
        let header = try SegmentHeader(verifying: bytes.span)
        #expect(header == descriptor.header(after: previous?.descriptor))
        var entries: [Entry] = []
        var last = previous?.descriptor.seal
        var offset = header.byteCount
        while offset < bytes.count {
            let header = try EntryHeader(verifying: bytes.span, at: offset)
            #expect(header.follows(last))
            last = header
            entries.append(
                try Entry(verifying: bytes.span.copy(offset..<(offset + header.byteCount))))
            offset += header.byteCount
        }
        #expect(last?.kind == .seal)
        return entries
    }

    /// What stands for each event, in order.
    func stored(after previous: TestSegment? = nil) throws -> [Stored] {
        var all: [Stored] = []
        for entry in try entries(after: previous) {
            var offset = entry.header.bodyRange.lowerBound
            for ordinal in 0..<entry.header.recordCount {
                let stored = try Stored(entry, at: offset, ordinal: ordinal)
                offset = stored.end
                all.append(stored)
            }
        }
        return all
    }
}

/// A record or a stub, and the leaf that it stands for.
struct Stored: Equatable {
    enum Form: Equatable {
        case record
        case compacted(digest: Digest, salt: [UInt8])
        case erased(Digest)
    }

    let form: Form
    let sequence: Sequence
    let recordedAt: Timestamp
    let leafEntry: [UInt8]
    /// Empty in an administrative record, and when erased.
    let uniqueID: [UInt8]
    let revision: Revision
    /// The stored record's own bytes; empty for stubs.
    let bytes: [UInt8]
    let end: Int

    init(_ entry: Entry, at offset: Int, ordinal: Int) throws {
        let bytes = entry.bytes.span
        let head = try StoredHead(
            decoding: bytes, at: offset, end: entry.header.bodyRange.upperBound)
        end = head.range.upperBound
        let expectedSequence = entry.header.firstSequence.advanced(by: ordinal)
        let expectedTime = entry.header.timestamp.advanced(byMicroseconds: ordinal)
        switch head.resource {
        case .auditEvent, .administration:
            let view = try RecordView(decoding: bytes, at: offset, end: end)
            var leaf = Leaf(hash: SHA256())
            form = .record
            (sequence, recordedAt) = (expectedSequence, expectedTime)
            leafEntry = leaf.entry(
                of: view, in: bytes, sequence: sequence, recordedAt: recordedAt)
            uniqueID = head.resource == .auditEvent ? bytes.copy(view.uniqueID) : []
            revision = view.revision
            self.bytes = bytes.copy(head.range)
        case .stub, .erased:
            let stub = try RecordStub(decoding: bytes, in: head.range)
            #expect(stub.sequence == expectedSequence)
            #expect(stub.recordedAt == expectedTime)
            (sequence, recordedAt) = (stub.sequence, stub.recordedAt)
            leafEntry = stub.leafEntry
            self.bytes = []
            switch stub {
            case .compacted(_, let digest, let salt, let revision, let uniqueID):
                form = .compacted(digest: digest, salt: salt)
                (self.uniqueID, self.revision) = (uniqueID, revision)
            case .erased(_, let mark):
                form = .erased(mark)
                (uniqueID, revision) = ([], .zero)
            }
        }
    }
}

extension CompactionRules {
    /// Rules as a test needs them: keep the latest of everything, unless it says otherwise.
    init(
        _ policy: CompactionPolicy = .latest, generation: UInt32 = 1, cut: UInt64 = .max >> 2,
        timeBound: Int64 = .max, held: [String] = [], erased: [ErasedEvents.Erased] = []
    ) {
        self.init(
            compaction: LogIndex(1_000), generation: generation, policy: policy,
            cut: Sequence(cut), timeBound: Timestamp(microseconds: timeBound),
            held: HeldIDs(held.map { Array($0.utf8) }), erased: ErasedEvents(erased))
    }
}
