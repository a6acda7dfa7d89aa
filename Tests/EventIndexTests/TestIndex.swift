import Bytes
import Records
import SegmentLog
import Simulation
import Testing

@testable import EventIndex

let testSeed = RevisionKey.Seed(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)

func testKey(_ uniqueID: String, seed: RevisionKey.Seed = testSeed) -> RevisionKey {
    let bytes = Array(uniqueID.utf8)
    return RevisionKey(bytes.span, 0..<bytes.count, seed: seed)
}

func testDigest(_ random: inout RandomSource) -> Digest {
    var bytes: [UInt8] = []
    for _ in 0..<4 { bytes.append(littleEndian: random.next()) }
    return Digest(bytes)
}

/// Writes rows as the table of one segment.
@discardableResult
func writeTable(
    _ rows: [RevisionRow], _ sequences: Range<UInt64>, on disk: SimulatedDisk,
    seed: RevisionKey.Seed = testSeed
) throws -> IndexTable {
    var gathered = SegmentRows(seed: seed)
    for row in rows { gathered.append(row) }
    return try gathered.write(
        sequences: Sequence(sequences.lowerBound)..<Sequence(sequences.upperBound), disk: disk)
}

/// Events with revisions of few ids, and what any index of them must answer.
struct Model {
    private(set) var rows: [RevisionRow] = []
    private(set) var byKey: [RevisionKey: [RevisionRow]] = [:]
    private var random: RandomSource
    private let idCount: Int

    init(seed: UInt64, idCount: Int) {
        random = RandomSource(seed: seed)
        self.idCount = idCount
    }

    /// `count` further events, one in eight of which is administrative and has no row.
    mutating func append(_ count: Int, from first: UInt64) -> [RevisionRow] {
        var added: [RevisionRow] = []
        for sequence in first..<(first + UInt64(count)) where random.below(8) > 0 {
            // Few of the ids have many of the revisions.
            let number = random.below(2) == 0 ? random.below(idCount) : random.below(3)
            let key = testKey("id-\(number)")
            let row = RevisionRow(
                key: key, sequence: Sequence(sequence),
                revision: (byKey[key]?.last?.revision ?? .zero).next,
                digest: testDigest(&random))
            byKey[key, default: []].append(row)
            added.append(row)
        }
        rows += added
        return added
    }

    mutating func remove(_ key: RevisionKey) {
        byKey[key] = nil
        rows.removeAll { $0.key == key }
    }

    func check(_ tables: IndexTables, on disk: SimulatedDisk) throws {
        for number in 0..<(idCount + 20) {
            let key = testKey("id-\(number)")
            let expected = byKey[key] ?? []
            let newest = try tables.newest(of: key, disk: disk)
            try #require(newest == expected.last, "id-\(number)")
            let rows = try tables.rows(of: key, disk: disk)
            try #require(rows == expected.reversed(), "id-\(number)")
        }
    }
}

/// Runs merges until none is due, in small steps, and removes their inputs.
func mergeAll(_ tables: inout IndexTables, on disk: SimulatedDisk) throws {
    while let inputs = tables.nextMerge() {
        var merge = try TableMerge(joining: inputs, disk: disk)
        try finish(&merge, &tables, on: disk)
    }
}

func finish(
    _ merge: inout TableMerge, _ tables: inout IndexTables, on disk: SimulatedDisk
) throws {
    var table: IndexTable?
    while table == nil { table = try merge.step(byteBudget: 1_000, disk: disk) }
    try IndexTables.remove(tables.adopt(try #require(table)), disk: disk)
}

/// What `operation` throws; nil when it does not.
func failure<Value>(_ operation: () throws(IndexFailure) -> Value) -> IndexFailure? {
    do throws(IndexFailure) {
        _ = try operation()
        return nil
    } catch { return error }
}
