import Bytes
import Crypto
import Testing

@testable import Records

@Suite struct StubEncoderTests {
    private let sequence = Sequence(41)
    private let time = Timestamp(microseconds: 1_795_478_400_000_007)

    @Test func `stubs are written as they are read`() throws {
        let event = TestEvent(uniqueID: "Übung-2", notes: "{\"a\":1}")
        let prefix: [UInt8] = [1, 2, 3]
        let bytes = prefix + (try event.record(revision: Revision(7), salt: Array(16...31)))
        let record = try RecordView(decoding: bytes.span, at: 3, end: bytes.count)
        var leaf = Leaf(hash: SHA256())
        let leafEntry = leaf.entry(
            of: record, in: bytes.span, sequence: sequence, recordedAt: time)
        var encoder = StubEncoder(hash: SHA256())

        var compacted: [UInt8] = []
        encoder.append(
            compacting: record, in: bytes.span, sequence: sequence, recordedAt: time,
            to: &compacted)
        var expected: [UInt8] = []
        RecordStub.compacted(
            leafEntry: leafEntry, contentDigest: Digest(try event.digest), salt: Array(16...31),
            revision: Revision(7), uniqueID: Array("Übung-2".utf8)
        ).append(to: &expected)
        #expect(compacted == expected)
        #expect(compacted.count == StubEncoder.byteCount(compacting: record))

        let mark = Golden.digest(0x5C)
        var erased: [UInt8] = []
        encoder.append(
            erasing: record, in: bytes.span, sequence: sequence, recordedAt: time,
            closedMark: mark, to: &erased)
        expected = []
        RecordStub.erased(leafEntry: leafEntry, closedMark: mark).append(to: &expected)
        #expect(erased == expected)
        #expect(erased.count == StubEncoder.erasedByteCount)

        var both = compacted
        encoder.append(
            erasingStubAt: 0, in: compacted.span, closedMark: mark, to: &both)
        #expect(Array(both[compacted.count...]) == erased)
    }

    @Test func `the head of anything stored says where it ends`() throws {
        let record = try TestEvent().record()
        var bytes = record
        RecordStub.erased(
            leafEntry: [1] + [UInt8](repeating: 0, count: 48), closedMark: .zero
        ).append(to: &bytes)
        let first = try StoredHead(decoding: bytes.span, at: 0, end: bytes.count)
        #expect(first.resource == .auditEvent && first.range == 0..<record.count)
        let second = try StoredHead(
            decoding: bytes.span, at: record.count, end: bytes.count)
        #expect(second.resource == .erased && second.range.upperBound == bytes.count)
        #expect(throws: EntryDefect.self) {
            try StoredHead(decoding: bytes.span, at: record.count, end: bytes.count - 1)
        }
        bytes[4] = 9
        #expect(throws: EntryDefect.self) {
            try StoredHead(decoding: bytes.span, at: 0, end: bytes.count)
        }
    }

    @Test func `a mark depends on the cluster and the unique_id`() {
        let one = ClosedMark(genesis: Identifier(high: 1, low: 2))
        let other = ClosedMark(genesis: Identifier(high: 1, low: 3))
        let id = Array("CASE-a1".utf8)
        #expect(one.mark(of: id) == one.mark(of: id))
        #expect(one.mark(of: id) != other.mark(of: id))
        #expect(one.mark(of: id) != one.mark(of: Array("CASE-a2".utf8)))
    }
}
