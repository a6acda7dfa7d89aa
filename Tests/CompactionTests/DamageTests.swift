import Bytes
import Records
import SegmentLog
import Simulation
import Testing

@testable import Compaction

@Suite struct DamageTests {
    static let rules = CompactionRules()
    static let superseded: [UInt64] = [0b101]

    @Test func `no single flipped bit of the input gets into an output`() throws {
        let segment = CompactorTests.segment
        for byte in segment.bytes.indices {
            var damaged = segment
            damaged.bytes[byte] ^= 1 << UInt8(byte % 8)
            #expect(throws: ReadFailure.self, "byte \(byte)") {
                try damaged.compacted(Self.rules, superseded: Self.superseded)
            }
        }
    }

    @Test func `a segment of any shorter or greater length is refused`() throws {
        let segment = CompactorTests.segment
        for byteCount in 0..<segment.bytes.count {
            var short = segment
            short.bytes.removeLast(segment.bytes.count - byteCount)
            #expect(throws: ReadFailure.self, "\(byteCount) bytes") {
                try short.compacted(Self.rules, superseded: Self.superseded)
            }
        }
        var long = segment
        long.bytes.append(0)
        #expect(
            throws: ReadFailure.corrupt(
                file: segment.descriptor.file, offset: segment.bytes.count,
                defect: .bytesAfterSeal)
        ) { try long.compacted(Self.rules, superseded: Self.superseded) }
    }

    @Test func `a sound segment in another one's place is refused`() throws {
        let first = CompactorTests.segment
        let second = TestSegment([.events([.init("z")])], after: first)
        let other = TestSegment([.events([.init("y")])], after: first)
        for (bytes, descriptor) in [
            (first.bytes, second.descriptor), (other.bytes, second.descriptor),
        ] {
            #expect(throws: ReadFailure.self) {
                try TestSegment(bytes: bytes, descriptor: descriptor).compacted(
                    Self.rules, superseded: Self.superseded, after: first)
            }
        }
    }

    @Test func `an index that erases an administrative event stops the compaction`() throws {
        let command = DirectoryCommand(
            request: Identifier(high: 1, low: 2), author: TokenID(1),
            change: .revokeToken(TokenID(3)))
        let segment = TestSegment([.administration(command)])
        let rules = CompactionRules(
            .erasures, erased: [.init(mark: .zero, sequences: [Sequence(0)])])
        #expect(throws: ReadFailure.self) { try segment.compacted(rules) }
    }
}

@Suite struct SegmentCompactionTests {
    private func disk(_ segments: [TestSegment]) throws -> SimulatedDisk {
        let disk = SimulatedDisk()
        for segment in segments {
            try disk.create(segment.descriptor.file, byteCount: 0)
            try disk.write([segment.bytes], to: segment.descriptor.file, at: 0)
        }
        return disk
    }

    @Test func `the file of the output is what the function makes`() throws {
        let first = CompactorTests.segment
        var contents: [TestSegment.Content] = []
        for number in 0..<40 {
            contents.append(
                .events((0..<40).map { .init("id-\(number)-\($0)", "\"\(number * 7)\"") }))
        }
        // Longer than a piece, so that entries are cut by its end.
        contents.append(
            .events((0..<20).map { .init("l-\($0)", String(repeating: "7", count: 60_000)) }))
        let second = TestSegment(contents, after: first)
        #expect(second.bytes.count > SegmentCompaction<SimulatedDisk>.pieceBytes)
        let bits = [UInt64](repeating: 0x5555_5555_5555_5555, count: 20)
        let (expected, tally) = try second.compacted(
            CompactionRules(), superseded: bits, after: first)
        let disk = try disk([first, second])
        // What a crash left of an earlier try.
        try disk.create(expected.descriptor.file, byteCount: 9)
        let compaction = SegmentCompaction(
            disk: disk, input: second.descriptor, after: first.descriptor,
            rules: CompactionRules(), superseded: SupersededBits(words: bits))
        #expect(try compaction.plan() == tally)
        let output = try compaction.run()
        #expect(output.descriptor == expected.descriptor)
        #expect(output.tally == tally)
        let written = disk.contents(of: output.descriptor.file)
        #expect(written == expected.bytes)
        #expect(output.written?.digests.byteCount == expected.bytes.count)
        #expect(output.written?.catalogue.end == expected.bytes.count)
        let untouched = disk.contents(of: second.descriptor.file)
        #expect(untouched == second.bytes)
    }

    @Test func `nothing is written where nothing changes`() throws {
        let segment = CompactorTests.segment
        let disk = try disk([segment])
        let output = try SegmentCompaction(
            disk: disk, input: segment.descriptor, after: nil, rules: CompactionRules(),
            superseded: SupersededBits(words: [])
        ).run()
        #expect(output.descriptor == segment.descriptor)
        #expect(output.written == nil)
        #expect(try disk.list() == [segment.descriptor.file])
    }

    @Test func `a file that is shorter than its descriptor says is a defect`() throws {
        let segment = CompactorTests.segment
        let disk = try disk([segment])
        try disk.resize(segment.descriptor.file, byteCount: 200)
        let compaction = SegmentCompaction(
            disk: disk, input: segment.descriptor, after: nil, rules: CompactionRules(),
            superseded: SupersededBits(words: [1]))
        #expect(throws: ReadFailure.self) { try compaction.run() }
        #expect(try disk.list() == [segment.descriptor.file])
    }
}
