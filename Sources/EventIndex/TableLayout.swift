import Bytes
import Records

// The bytes of an index table; docs/reference/segment-format.md has the tables.

/// One row of a table: key (16), sequence (8), revision (4), content digest (32).
enum RowLayout {
    static let byteCount = 60
    static let sequenceOffset = 16
    static let revisionOffset = 24
    static let digestOffset = 28

    /// What rows are ordered by.
    static func order(_ bytes: Span<UInt8>, at offset: Int) -> (RevisionKey, Sequence) {
        (key(bytes, at: offset), sequence(bytes, at: offset))
    }

    static func precedes(
        _ key: RevisionKey, _ sequence: Sequence, _ otherKey: RevisionKey,
        _ otherSequence: Sequence
    ) -> Bool {
        if key.high != otherKey.high { return key.high < otherKey.high }
        if key.low != otherKey.low { return key.low < otherKey.low }
        return sequence.value < otherSequence.value
    }

    static func append(_ row: RevisionRow, to output: inout [UInt8]) {
        output.append(littleEndian: row.key.high)
        output.append(littleEndian: row.key.low)
        output.append(littleEndian: row.sequence.value)
        output.append(littleEndian: row.revision.value)
        row.digest.append(to: &output)
    }

    static func row(_ bytes: Span<UInt8>, at offset: Int) -> RevisionRow {
        RevisionRow(
            key: key(bytes, at: offset), sequence: sequence(bytes, at: offset),
            revision: Revision(bytes.littleEndian(at: offset + revisionOffset)),
            digest: Digest(bytes, at: offset + digestOffset))
    }

    static func key(_ bytes: Span<UInt8>, at offset: Int) -> RevisionKey {
        RevisionKey(high: bytes.littleEndian(at: offset), low: bytes.littleEndian(at: offset + 8))
    }

    static func sequence(_ bytes: Span<UInt8>, at offset: Int) -> Sequence {
        Sequence(bytes.littleEndian(at: offset + sequenceOffset))
    }
}

/// 68 rows, then row count, block number, the table's tag and the checksum of all of it.
enum BlockLayout {
    static let byteCount = 4_096
    static let rows = 68
    static let countOffset = 4_080
    static let numberOffset = 4_084
    static let tagOffset = 4_088
    static let checksumOffset = 4_092

    /// Rows in the block at `offset`; nil when it is not block `number` of the table with `tag`.
    static func verify(
        _ bytes: Span<UInt8>, at offset: Int, number: Int, tag: UInt32
    ) -> Int? {
        let rows = Int(bytes.littleEndian(UInt32.self, at: offset + countOffset))
        guard (1...Self.rows).contains(rows),
            bytes.littleEndian(UInt32.self, at: offset + numberOffset) == UInt32(number),
            bytes.littleEndian(UInt32.self, at: offset + tagOffset) == tag,
            bytes.littleEndian(UInt32.self, at: offset + checksumOffset)
                == CRC32C.checksum(bytes.extracting(offset..<(offset + checksumOffset)))
        else { return nil }
        return rows
    }
}

/// A blocked Bloom filter (Putze, Sanders, Singler, WEA 2007): each key sets 7 bits of one line of
/// 64 bytes.
///
/// The line comes from the key's upper word by multiplication, so that it never falls while keys
/// rise and a writer needs to hold one line alone; the bits come from the lower word.
enum FilterLayout {
    static let lineByteCount = 64
    /// 16 bits a key.
    static let keysPerLine = 32
    static let probes = 7

    static func lineCount(rows: Int) -> Int { max(1, (rows + keysPerLine - 1) / keysPerLine) }

    static func line(of key: RevisionKey, count: Int) -> Int {
        Int(key.high.multipliedFullWidth(by: UInt64(count)).high)
    }

    static func contains(_ filter: Span<UInt8>, _ key: RevisionKey, lineCount: Int) -> Bool {
        let start = line(of: key, count: lineCount) * lineByteCount
        var bits = key.low
        for _ in 0..<probes {
            let word = filter.littleEndian(UInt64.self, at: start + Int(bits >> 6 & 7) * 8)
            guard word >> (bits & 63) & 1 == 1 else { return false }
            bits >>= 9
        }
        return true
    }

    /// Sets the bits of `key` in the line that begins at `start`.
    static func insert(_ key: RevisionKey, lineAt start: Int, in filter: inout [UInt8]) {
        var bits = key.low
        for _ in 0..<probes {
            filter[start + Int(bits >> 3 & 63)] |= 1 << UInt8(bits & 7)
            bits >>= 9
        }
    }
}

/// What a table says about itself, in its first 4,096 bytes.
struct TableHeader: Equatable, Sendable {
    static let byteCount = 4_096
    /// "DAYBKIDX"
    private static let magic: UInt64 = 0x5844_494b_4259_4144
    private static let format: UInt32 = 1
    private static let checksumOffset = 4_092
    /// Beyond these no table is written, and arithmetic is safe.
    private static let countBound: UInt64 = 1 << 40

    let sequences: Range<Sequence>
    /// How many merges lie between this table and those of single segments.
    let level: UInt32
    /// How often rows were taken out of the table of this range.
    let rewrite: UInt32
    let seed: RevisionKey.Seed
    let lineCount: Int
    let blocksOffset: Int
    var rowCount = 0
    var blockCount = 0
    var filterChecksum: UInt32 = 0
    var fencesChecksum: UInt32 = 0

    /// The header of a table that will have at most `rowCapacity` rows.
    init(
        sequences: Range<Sequence>, level: UInt32, rewrite: UInt32, seed: RevisionKey.Seed,
        rowCapacity: Int
    ) {
        precondition(!sequences.isEmpty, "a table of no sequences at \(sequences.lowerBound)")
        self.sequences = sequences
        self.level = level
        self.rewrite = rewrite
        self.seed = seed
        lineCount = FilterLayout.lineCount(rows: rowCapacity)
        let blocks = (rowCapacity + BlockLayout.rows - 1) / BlockLayout.rows
        let end = Self.byteCount + lineCount * FilterLayout.lineByteCount + blocks * 8
        blocksOffset =
            (end + BlockLayout.byteCount - 1) / BlockLayout.byteCount
            * BlockLayout.byteCount
    }

    /// Reads a header; nil when it is damaged or says what no table can be.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Self.byteCount,
            bytes.littleEndian(UInt64.self, at: 0) == Self.magic,
            bytes.littleEndian(UInt32.self, at: 8) == Self.format,
            bytes.littleEndian(UInt32.self, at: Self.checksumOffset)
                == CRC32C.checksum(bytes.extracting(0..<Self.checksumOffset))
        else { return nil }
        let first = Sequence(bytes.littleEndian(at: 32))
        let next = Sequence(bytes.littleEndian(at: 40))
        let counts = [64, 72, 80, 88].map { bytes.littleEndian(UInt64.self, at: $0) }
        guard first < next, counts.allSatisfy({ $0 < Self.countBound }) else { return nil }
        level = bytes.littleEndian(at: 12)
        seed = RevisionKey.Seed(
            high: bytes.littleEndian(at: 16), low: bytes.littleEndian(at: 24))
        sequences = first..<next
        rewrite = bytes.littleEndian(at: 48)
        (rowCount, lineCount) = (Int(counts[0]), Int(counts[1]))
        (blocksOffset, blockCount) = (Int(counts[2]), Int(counts[3]))
        filterChecksum = bytes.littleEndian(at: 96)
        fencesChecksum = bytes.littleEndian(at: 100)
        guard lineCount > 0, blocksOffset % BlockLayout.byteCount == 0,
            fencesOffset + blockCount * 8 <= blocksOffset,
            rowCount <= blockCount * BlockLayout.rows
        else { return nil }
    }

    var filterByteCount: Int { lineCount * FilterLayout.lineByteCount }
    var fencesOffset: Int { Self.byteCount + filterByteCount }
    var fileByteCount: Int { blocksOffset + blockCount * BlockLayout.byteCount }

    /// Ties each block to its table: the checksum of what no other table of this directory has.
    var tag: UInt32 { CRC32C.checksum(identity.span) }

    private var identity: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: Self.magic)
        bytes.append(littleEndian: Self.format)
        bytes.append(littleEndian: level)
        bytes.append(littleEndian: seed.high)
        bytes.append(littleEndian: seed.low)
        bytes.append(littleEndian: sequences.lowerBound.value)
        bytes.append(littleEndian: sequences.upperBound.value)
        bytes.append(littleEndian: rewrite)
        return bytes
    }

    var encoded: [UInt8] {
        var bytes = identity
        bytes.append(contentsOf: [UInt8](repeating: 0, count: Self.byteCount - bytes.count))
        bytes.put(littleEndian: UInt64(rowCount), at: 64)
        bytes.put(littleEndian: UInt64(lineCount), at: 72)
        bytes.put(littleEndian: UInt64(blocksOffset), at: 80)
        bytes.put(littleEndian: UInt64(blockCount), at: 88)
        bytes.put(littleEndian: filterChecksum, at: 96)
        bytes.put(littleEndian: fencesChecksum, at: 100)
        bytes.put(
            littleEndian: CRC32C.checksum(bytes.span.extracting(0..<Self.checksumOffset)),
            at: Self.checksumOffset)
        return bytes
    }
}

/// The name of a table's file: `FIRST-NEXT.index`, and `FIRST-NEXT.REWRITE.index` from the first
/// rewrite on; sequences in 20 digits.
struct TableName: Equatable {
    static let suffix = ".index"
    /// Ends the name of a table that is being written.
    static let newSuffix = ".index.new"
    private static let digits = 20

    let sequences: Range<Sequence>
    let rewrite: UInt32

    init(_ sequences: Range<Sequence>, rewrite: UInt32) {
        self.sequences = sequences
        self.rewrite = rewrite
    }

    /// Reads a name; nil when it is not exactly as `text` makes it.
    init?(_ name: String) {
        guard name.hasSuffix(Self.suffix) else { return nil }
        let parts = name.dropLast(Self.suffix.utf8.count).split(
            separator: ".", omittingEmptySubsequences: false)
        let bounds = parts[0].split(separator: "-", omittingEmptySubsequences: false)
        guard bounds.count == 2, parts.count <= 2, let first = UInt64(bounds[0]),
            let next = UInt64(bounds[1]), first < next,
            let rewrite = parts.count == 2 ? UInt32(parts[1]) : 0
        else { return nil }
        self.init(Sequence(first)..<Sequence(next), rewrite: rewrite)
        guard text == name else { return nil }
    }

    var text: String {
        let bounds = Self.padded(sequences.lowerBound) + "-" + Self.padded(sequences.upperBound)
        return bounds + (rewrite == 0 ? "" : ".\(rewrite)") + Self.suffix
    }

    private static func padded(_ sequence: Sequence) -> String {
        let digits = String(sequence.value)
        return String(repeating: "0", count: Self.digits - digits.count) + digits
    }
}
