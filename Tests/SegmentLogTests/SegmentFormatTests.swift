import Bytes
import Records
import SegmentLog
import Simulation
import Testing

struct SegmentFormatTests {
    /// A segment of three entries, as docs/reference/segment-format.md walks through it.
    private func exampleLog() throws -> TestLog {
        var log = try TestLog()
        let genesis = Entry(
            kind: .genesis, term: .zero, after: nil,
            timestamp: Timestamp(microseconds: 1_700_000_000_000_000), body: Array("who".utf8))
        let events = Entry(
            kind: .events, term: Term(2), after: genesis.header, recordCount: 1,
            timestamp: Timestamp(microseconds: 1_700_000_000_000_001),
            body: Array("eight by".utf8))
        let seal = Entry(
            kind: .seal, term: Term(2), after: events.header,
            timestamp: Timestamp(microseconds: 1_700_000_000_000_003))
        var tasks = [LogTask.storeVote(DurableVote(term: Term(2), votedFor: NodeID(3)))]
        for entry in [genesis, events, seal] {
            tasks.append(.append(entry.bytes, at: log.catalogue.append(entry.header)))
        }
        try log.perform(tasks)
        return log
    }

    @Test func `format 1 of a segment is these bytes`() throws {
        let log = try exampleLog()
        let bytes = try #require(log.disk.contents(of: "00000000000000000001.segment"))
        let lines = stride(from: 0, to: bytes.count, by: 16).map { begin in
            Hex.encode(Array(bytes[begin..<min(begin + 16, bytes.count)]))
        }
        #expect(
            lines == [
                "444159424b5345470100000000000000",
                "08070605040302011817161514131211",
                "01000000000000000000000000000000",
                "0000000000000000000000007409a75a",
                "01010000400000000000000000000000",
                "01000000000000000000000000000000",
                "000000000000000000401e18240a0600",
                "030000007725218f77686f0000000000",
                "01020000400000000200000000000000",
                "02000000000000000000000000000000",
                "010000007725218f01401e18240a0600",
                "0800000093f4169c6569676874206279",
                "01040000380000000200000000000000",
                "03000000000000000100000000000000",
                "0000000093f4169c03401e18240a0600",
                "00000000a35f2b36",
            ])
    }

    @Test func `format 1 of vote and identity is these bytes`() throws {
        let log = try exampleLog()
        let vote = try #require(log.disk.contents(of: "vote"))
        #expect(vote.count == 8_192)
        #expect(
            Hex.encode(Array(vote[..<64]))
                == "444159424b564f54010000000000000002000000000000000200000000000000"
                + "010000000300000000000000000000000000000000000000000000005f76160f")
        #expect(vote[4_096..<4_160] == vote[..<64])
        let identity = try #require(log.disk.contents(of: "identity"))
        #expect(
            Hex.encode(identity)
                == "444159424b49444e010000000300000008070605040302011817161514131211"
                + "150000000000000016000000000000000000000000000000000000006a412c4f")
    }

    @Test func `a segment header says again what it was made of`() throws {
        let previous = Entry(
            kind: .seal, term: Term(7), after: nil, timestamp: Timestamp(microseconds: 5))
        let header = SegmentHeader(clusterID: testCluster, after: previous.header)
        #expect(try SegmentHeader(verifying: header.encoded.span) == header)
        #expect(header.firstIndex == LogIndex(2))
        #expect(header.previousTerm == Term(7))
        #expect(header.previousChecksum == previous.header.checksum)
    }

    @Test func `every flipped bit of a segment header is found`() {
        let encoded = SegmentHeader(clusterID: testCluster, after: nil).encoded
        for bit in 0..<(encoded.count * 8) {
            var bytes = encoded
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            let header = try? SegmentHeader(verifying: bytes.span)
            #expect(header == nil, "bit \(bit)")
        }
    }

    @Test func `a segment header that is short, empty or of a later format is refused`() {
        var bytes = SegmentHeader(clusterID: testCluster, after: nil).encoded
        #expect(throws: SegmentHeaderDefect.truncated(have: 63)) {
            try SegmentHeader(verifying: Array(bytes[..<63]).span)
        }
        #expect(throws: SegmentHeaderDefect.zeroed) {
            try SegmentHeader(verifying: [UInt8](repeating: 0, count: 64).span)
        }
        bytes.put(littleEndian: UInt32(3), at: 8)
        bytes.put(
            littleEndian: CRC32C.checksum(Array(bytes[..<60]).span), at: 60)
        #expect(throws: SegmentHeaderDefect.format(3)) {
            try SegmentHeader(verifying: bytes.span)
        }
    }
}
