import Bytes
import Consensus
import Crypto
import Ledger
import Testing

@testable import PeerWire
@testable import Records

@Suite struct PayloadTests {
    @Test(arguments: Sample.closed.indices)
    func `a payload reads back, wherever it stands`(place: Int) throws {
        let sample = Sample.closed[place]
        let count = sample.payload.count
        #expect(try sample.again(0..<count, sample.payload) == sample.payload)
        let shifted = [9, 9, 9] + sample.payload + [9]
        #expect(try sample.again(3..<(3 + count), shifted) == sample.payload)
    }

    @Test(arguments: Sample.closed.indices)
    func `every truncation of a payload is a defect, and so is a byte too many`(
        place: Int
    ) throws {
        let sample = Sample.closed[place]
        let boundaries = Self.boundaries(of: sample)
        for count in 0..<sample.payload.count where !boundaries.contains(count) {
            #expect(throws: ByteDefect.self, "\(sample.name), \(count) bytes") {
                try sample.again(0..<count, sample.payload)
            }
        }
        #expect(throws: ByteDefect.self) {
            try sample.again(0..<(sample.payload.count + 1), sample.payload + [0])
        }
    }

    /// An append may end behind any entry; what it says of itself is in its frame.
    private static func boundaries(of sample: Sample) -> [Int] {
        guard sample.kind == .appendRequest else { return [] }
        return [44, 44 + Sample.entries[0].bytes.count]
    }

    @Test func `messages keep what they say`() throws {
        for message in Sample.messages {
            let entries = Sample.entries(of: message)
            let payload = Sample.framed {
                ConsensusFrames.append(message, entries: entries, to: &$0)
            }
            let read = try ConsensusFrames.read(
                Sample.kind(of: message), 0..<payload.count, payload.span)
            #expect(read.message == message)
            #expect(read.entries == entries)
        }
    }

    @Test func `an append is a defect when an entry of it is damaged or does not follow`() throws {
        func refused(_ entries: [Entry], flipping bit: Int? = nil) {
            let descriptors = entries.map {
                EntryDescriptor(position: $0.header.position, byteCount: $0.bytes.count)
            }
            let request = AppendRequest(
                term: Term(4), previous: .zero, entries: descriptors, commit: .zero,
                readContext: 0)
            var payload = Sample.framed {
                ConsensusFrames.append(.appendRequest(request), entries: entries, to: &$0)
            }
            if let bit { payload[44 + bit / 8] ^= 1 << UInt8(bit % 8) }
            #expect(throws: ByteDefect.self, "bit \(bit ?? -1)") {
                _ = try ConsensusFrames.read(.appendRequest, 0..<payload.count, payload.span)
            }
        }
        refused(Sample.entries.reversed())
        refused([Sample.entries[0], Sample.entries[0]])
        for bit in 0..<(Sample.entries[0].bytes.count * 8) {
            refused([Sample.entries[0]], flipping: bit)
        }
    }

    @Test func `frames that are not between nodes are no messages`() {
        for kind in [FrameKind.hello, .submit, .query, .rows, .status] {
            #expect(throws: ByteDefect.self) {
                _ = try ConsensusFrames.read(kind, 0..<0, [UInt8]().span)
            }
        }
    }

    @Test func `flags other than 0 and 1 and unknown codes are defects`() {
        let cases: [(Int, Int, UInt8)] = [
            // hello: magic, lowest version above the highest, role.
            (0, 0, 0), (0, 4, 9), (0, 8, 3),
            // status: role.
            (1, 4, 4),
            // queries: consistency, subject, resources.
            (2, 8, 3), (2, 17, 2), (2, 18 + 8 + 8 + 4 + 1, 3),
        ]
        for (place, offset, value) in cases {
            let sample = Sample.closed[place]
            var payload = sample.payload
            payload[offset] = value
            #expect(throws: ByteDefect.self, "\(sample.name) \(offset)") {
                try sample.again(0..<payload.count, payload)
            }
        }
        let flagged: [FrameKind] = [.voteRequest, .voteResponse, .appendResponse]
        for sample in Sample.consensus where flagged.contains(sample.kind) {
            var payload = sample.payload
            payload[sample.kind == .appendResponse ? 16 : 0] = sample.kind == .voteRequest ? 3 : 2
            #expect(throws: ByteDefect.self, "\(sample.name)") {
                try sample.again(0..<payload.count, payload)
            }
        }
    }

    @Test func `a command's record must be one whole administrative record`() throws {
        let sample = try #require(Sample.command.first)
        func refused(_ record: [UInt8]) {
            let request = CommandRequest(id: 1, record: record, command: sample.command)
            let payload = Sample.written { request.append(to: &$0) }
            #expect(throws: ByteDefect.self) {
                _ = try CommandRequest(0..<payload.count, payload.span)
            }
        }
        refused([])
        refused(sample.record + [0])
        refused(Array(sample.record.dropLast()))
        refused(SubmitTests.record("x"))
    }

    // MARK: Rows

    @Test(arguments: [
        RowsHead.Outcome.found, .notFound, .elsewhere, .damaged,
    ])
    func `rows follow their head, to the end of the payload`(outcome: RowsHead.Outcome) throws {
        var head = RowsHead(id: 4, outcome: outcome)
        head.leader = outcome == .elsewhere ? NodeID(2) : nil
        (head.next, head.end) = (Sequence(5), Sequence(6))
        head.staleMilliseconds = 7
        var payload = Sample.written { head.append(to: &$0) }
        let start = payload.count
        payload += Array("{}\n{}\n".utf8)
        var rows = 0..<0
        let read = try RowsHead(0..<payload.count, payload.span, rows: &rows)
        #expect(read == head)
        #expect(rows == start..<payload.count)
        for count in 0..<start {
            #expect(throws: ByteDefect.self) {
                var rows = 0..<0
                _ = try RowsHead(0..<count, payload.span, rows: &rows)
            }
        }
        payload[8] = 4
        #expect(throws: ByteDefect.self) {
            var rows = 0..<0
            _ = try RowsHead(0..<payload.count, payload.span, rows: &rows)
        }
    }
}

@Suite struct SubmitTests {
    static func record(_ id: String) -> [UInt8] {
        var parameters = EventParameters()
        let values = Array(id.utf8)
        parameters.uniqueID = 0..<values.count
        var record: [UInt8] = []
        RecordEncoder.append(
            parameters, values: values, application: [], writtenBy: [], hash: SHA256(), to: &record)
        return record
    }

    private func payload(_ events: [(String, Revision?)]) -> [UInt8] {
        Sample.written { payload in
            Submit.begin(batch: 9, in: &payload)
            for (id, expected) in events {
                Submit.appendItem(expected: expected, to: &payload)
                payload += Self.record(id)
            }
        }
    }

    private func read(_ range: Range<Int>, _ bytes: [UInt8]) throws -> [(String, Revision?)] {
        let span = bytes.span
        var events: [(String, Revision?)] = []
        _ = try Submit.head(range, span)
        var offset = Submit.items(range).lowerBound
        while offset < range.upperBound {
            let (item, next) = try Submit.item(at: offset, end: range.upperBound, span)
            events.append(
                (String(decoding: span.copy(item.record.uniqueID), as: UTF8.self), item.expected))
            offset = next
        }
        return events
    }

    @Test func `events of a submit come out in their order with what they expect`() throws {
        let events: [(String, Revision?)] = [
            ("a", nil), ("b", .zero), ("c", Revision(7)), ("a", Revision(.max)),
        ]
        let bytes = payload(events)
        let read = try read(0..<bytes.count, bytes)
        #expect(read.map(\.0) == events.map(\.0))
        #expect(read.map(\.1) == events.map(\.1))
    }

    @Test func `a submit cut anywhere but behind an event is a defect`() throws {
        let bytes = payload([("a", nil), ("b", nil)])
        let boundaries = [16, 24 + Self.record("a").count]
        for count in 0..<bytes.count where !boundaries.contains(count) {
            #expect(throws: (any Error).self, "\(count) bytes") {
                _ = try read(0..<count, bytes)
            }
        }
    }

    @Test func `an event without unique_id, with unknown flags or of another resource is refused`()
    {
        var administrative: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "a", subject: "s", details: [], application: "", writtenBy: "",
            to: &administrative)
        for record in [Self.record(""), administrative] {
            var bytes = payload([])
            Submit.appendItem(expected: nil, to: &bytes)
            bytes += record
            #expect(throws: ByteDefect.self) { _ = try read(0..<bytes.count, bytes) }
        }
        var bytes = payload([("a", nil)])
        bytes[16] = 2
        #expect(throws: ByteDefect.self) { _ = try read(0..<bytes.count, bytes) }
    }

    // MARK: Receipts

    private func receipts() -> [Receipt] {
        [Receipt.Verdict.appended, .duplicate, .conflict, .tokenRefused].enumerated().map {
            var receipt = Receipt(verdict: $1, revision: Revision(UInt32($0)))
            receipt.sequence = Sequence(UInt64($0) + 10)
            receipt.recordedAt = Timestamp(microseconds: Int64($0) - 2)
            receipt.salt = Identifier(high: UInt64($0), low: 7)
            receipt.leafHash = Digest([UInt8](repeating: UInt8($0) + 100, count: 32))
            return receipt
        }
    }

    @Test func `receipts come out in their order`() throws {
        let receipts = receipts()
        let payload = Sample.written { payload in
            Receipts.begin(batch: 3, outcome: .decided, leader: NodeID(2), in: &payload)
            for receipt in receipts { Receipts.append(receipt, to: &payload) }
        }
        let head = try Receipts.Head(0..<payload.count, payload.span)
        #expect(head.batch == 3 && head.outcome == .decided && head.leader == NodeID(2))
        #expect(head.count == receipts.count)
        for (ordinal, receipt) in receipts.enumerated() {
            let read = try head.receipt(ordinal, payload.span)
            #expect(read == receipt)
        }
        #expect(throws: ByteDefect.self) { _ = try head.receipt(receipts.count, payload.span) }
        for count in 0..<payload.count where count < 16 || (count - 16) % 72 != 0 {
            #expect(throws: ByteDefect.self, "\(count) bytes") {
                _ = try Receipts.Head(0..<count, payload.span)
            }
        }
    }

    @Test func `unknown verdicts and outcomes are defects`() throws {
        var payload = Sample.written { payload in
            Receipts.begin(batch: 3, outcome: .none, leader: nil, in: &payload)
            Receipts.append(Receipt(verdict: .appended, revision: .zero), to: &payload)
        }
        let head = try Receipts.Head(0..<payload.count, payload.span)
        #expect(head.leader == nil && head.outcome == .none)
        payload[16] = 5
        #expect(throws: ByteDefect.self) { _ = try head.receipt(0, payload.span) }
        for (offset, value) in [(8, UInt8(5)), (9, 1)] {
            var changed = payload
            changed[offset] = value
            #expect(throws: ByteDefect.self) {
                _ = try Receipts.Head(0..<changed.count, changed.span)
            }
        }
    }
}
