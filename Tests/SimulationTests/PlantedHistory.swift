import Bytes
import Crypto
import Ledger
import PeerWire
import Records

@testable import Simulation

/// A history and a log that fit each other, to be spoilt one by one.
struct PlantedHistory {
    static let token = TokenID(1)

    var history = History()
    var log = LogAudit()

    /// `count` events, of two unique_ids in turn, posted one after another at one gateway.
    init(events count: Int = 6) {
        for note in 0..<count {
            let content = add(note: note, id: note % 2 == 0 ? "a" : "b")
            let operation = history.invoke(
                .append(content: content, expected: nil), gateway: 0, life: 1)
            append(content)
            history.complete(operation, .receipt(receipt(note)))
        }
    }

    mutating func add(note: Int, id: String) -> Int {
        history.add(
            EventDraft.content(
                uniqueID: Array(id.utf8), note: note, padding: 0, token: Self.token,
                hash: SHA256()))
    }

    /// Appends the content to the log.
    mutating func append(_ place: Int) {
        let content = history.contents[place]
        let before = log.rows.filter { $0.uniqueID == content.uniqueID }.count
        let number = UInt8(log.rows.count)
        log.rows.append(
            LogAudit.Row(
                uniqueID: content.uniqueID, revision: Revision(UInt32(before + 1)),
                digest: content.digest, salt: Identifier(high: UInt64(number), low: 1),
                leafHash: Digest([UInt8](repeating: number, count: 32)),
                recordedAt: Timestamp(microseconds: Int64(number)), draft: content.draft,
                isAdministration: false, entry: LogIndex(UInt64(log.rows.count + 1))))
    }

    /// Erases the unique_id: asked for, answered, and in the log behind everything.
    mutating func erase(_ id: String, isAnswered: Bool = true) {
        let command = DirectoryCommand(
            request: Identifier(high: 8, low: UInt64(log.commands.count)), author: Self.token,
            change: .erase(uniqueID: Array(id.utf8), reason: "r"))
        let operation = history.invoke(.command(command), gateway: 0, life: 1)
        log.commands.append(command)
        log.retention.begin(cluster: Identifier(high: 1, low: 1))
        log.retention.apply(command, at: header(index: UInt64(log.rows.count + 1)))
        if isAnswered { history.complete(operation, .command(.done(.erased(1)))) }
    }

    /// The compaction behind an erasure comes to its end.
    mutating func removeErased() {
        let compaction = Compaction(
            inputs: [.zero], cut: .zero, policy: CompactionPolicy.erasures.rawValue,
            policyVersion: 1, timeBound: Timestamp(microseconds: .max), generation: 1)
        let index = LogIndex(20)
        log.retention.apply(.compact(compaction), at: header(index: 20), rows: log.rows)
        log.retention.apply(
            .compactDone(compaction: index, outputs: [.zero]), at: header(index: 21),
            rows: log.rows)
        log.retention.apply(
            .collect(compaction: index), at: header(index: 22), rows: log.rows)
    }

    private func header(index: UInt64) -> EntryHeader {
        EntryHeader(
            kind: .erase, byteCount: 56, bodyByteCount: 0, term: Term(1), index: LogIndex(index),
            firstSequence: .zero, recordCount: 1, timestamp: Timestamp(microseconds: 0),
            previousChecksum: 0, checksum: 0)
    }

    /// The receipt of the row at `sequence`.
    func receipt(_ sequence: Int, _ verdict: Receipt.Verdict = .appended) -> Receipt {
        let row = log.rows[sequence]
        var receipt = Receipt(verdict: verdict, revision: row.revision)
        receipt.sequence = Sequence(UInt64(sequence))
        receipt.recordedAt = row.recordedAt
        receipt.salt = row.salt
        receipt.leafHash = row.leafHash
        return receipt
    }

    /// One more operation, begun and ended at the end of the history.
    mutating func ask(_ request: History.Request, _ answer: History.Answer) {
        let operation = history.invoke(request, gateway: 0, life: 1)
        history.complete(operation, answer)
    }

    /// A page that shows the log's rows in `range`, erased ones as such.
    func page(_ range: Range<Int>, end: Int) -> History.Answer {
        var head = RowsHead(id: 1, outcome: .found)
        head.next = Sequence(UInt64(range.upperBound))
        head.end = Sequence(UInt64(end))
        return .rows(
            head,
            range.map { place in
                History.Row(
                    sequence: Sequence(UInt64(place)), revision: log.rows[place].revision,
                    leafHash: Array(log.rows[place].leafHash.description.utf8))
            })
    }

    /// What the checks say; nil when all holds.
    var verdict: String? {
        do {
            try HistoryCheck.check(history, against: log)
            return nil
        } catch { return error.text }
    }
}
