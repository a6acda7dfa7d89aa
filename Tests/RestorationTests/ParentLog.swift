import Bytes
import Crypto
import Ledger
import Records
import Replica
import SegmentLog
import Simulation

let parentCluster = Identifier(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718)
let childCluster = Identifier(high: 21, low: 22)

/// The genesis of a cluster with one member.
func genesis(_ cluster: Identifier, token: UInt64, at time: Int64 = 1_000) -> Entry {
    let administrator = TokenRow(
        id: TokenID(token), kind: .administrator, application: "", name: "founder",
        permissions: ["*"], secretDigest: [UInt8](repeating: UInt8(token), count: 32),
        createdAt: Timestamp(microseconds: time))
    return Genesis(
        clusterID: cluster, members: [Member(id: NodeID(1), address: "a:1")],
        administrator: administrator
    ).entry(createdAt: Timestamp(microseconds: time))
}

/// The archive of a cluster, as a backup holds it.
struct ParentLog {
    let disk = SimulatedDisk()
    private(set) var manifest = Manifest(clusterID: parentCluster)
    private(set) var ledger = Ledger(seed: RevisionKey.Seed(1))
    private var last: EntryHeader?
    private var header = SegmentHeader(clusterID: parentCluster, after: nil)
    private var bytes: [UInt8] = []
    private let salts = KeyStream(key: [UInt8](repeating: 5, count: 32))
    private let hash = SHA256()

    init() throws { try take(genesis(parentCluster, token: 1)) }

    private mutating func take(_ entry: Entry) throws {
        try ledger.apply(entry)
        bytes += entry.bytes
        last = entry.header
    }

    private mutating func append(
        _ kind: EntryKind, records: Int = 0, _ body: [UInt8] = []
    ) throws {
        try take(
            Entry(
                kind: kind, term: Term(3), after: last, recordCount: records,
                timestamp: Timestamp(
                    microseconds: 2_000 + 100 * Int64(last?.index.value ?? 0)), body: body))
    }

    /// One entry with an event of each id, all of them new.
    mutating func append(events ids: [String]) throws {
        var body: [UInt8] = []
        for id in ids {
            let offset = body.count
            Self.appendRecord(id, hash, to: &body)
            RecordEncoder.decide(revision: Revision(1), salts: salts, at: offset, in: &body)
        }
        try append(.events, records: ids.count, body)
    }

    mutating func createToken(_ id: UInt64) throws {
        var body = Self.administration("token-created")
        let row = TokenRow(
            id: TokenID(id), kind: .application, application: "planox2", name: "n",
            permissions: ["*"], secretDigest: [UInt8](repeating: 9, count: 32),
            createdAt: Timestamp(microseconds: 1))
        DirectoryCommand(
            request: Identifier(high: 1, low: id), author: TokenID(1), change: .createToken(row)
        ).append(to: &body)
        try append(.directory, records: 1, body)
    }

    mutating func erase(_ id: String) throws {
        var body = Self.administration("event-erased")
        ControlPayload.erase(
            Erasure(
                request: Identifier(high: 2, low: 1), author: TokenID(1),
                closedMark: ClosedMark(genesis: parentCluster).mark(of: Array(id.utf8)),
                uniqueID: Array(id.utf8), reason: "asked for")
        ).append(to: &body)
        try append(.erase, records: 1, body)
    }

    /// Ends the segment and puts it into the archive.
    mutating func seal() throws {
        try append(.seal)
        guard let seal = last else { return }
        let file = header.encoded + bytes
        var hasher = ChunkHasher()
        hasher.update(file.span, in: 0..<file.count)
        let state = StateTableFile(
            seal: seal.index, bytes: StateTable.encode(ledger, clusterID: parentCluster))
        let descriptor = SegmentDescriptor(
            header: header, seal: seal, byteCount: file.count,
            digest: hasher.finish().root(hash),
            stateTable: StateTableFile.digest(of: state.bytes, hash))
        disk.replace(descriptor.file, with: file)
        try state.store(on: disk)
        let runs: [Manifest.TermRun] =
            manifest.segments.isEmpty
            ? [
                .init(firstIndex: LogIndex(1), term: .zero),
                .init(firstIndex: LogIndex(2), term: Term(3)),
            ]
            : [.init(firstIndex: header.firstIndex, term: Term(3))]
        manifest.append(descriptor, runs: runs)
        try manifest.store(on: disk, hash)
        header = SegmentHeader(clusterID: parentCluster, after: seal)
        bytes = []
    }

    private static func administration(_ action: String) -> [UInt8] {
        var body: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: action, subject: "s", details: Array("{}".utf8), application: "",
            writtenBy: "0000000000000001", to: &body)
        return body
    }

    private static func appendRecord(_ id: String, _ hash: SHA256, to body: inout [UInt8]) {
        var values: [UInt8] = []
        let append = { (text: String) in
            let start = values.count
            values.append(contentsOf: text.utf8)
            return start..<values.count
        }
        var parameters = EventParameters()
        parameters.uniqueID = append(id)
        parameters.scriptName = append("script")
        parameters.hostName = append("host")
        parameters.fileName = append("file")
        parameters.startTime = append("a time")
        parameters.startedAt = Timestamp(microseconds: 5)
        RecordEncoder.append(
            parameters, values: values, application: Array("planox2".utf8),
            writtenBy: Array("0000000000000001".utf8), hash: hash, to: &body)
    }
}
