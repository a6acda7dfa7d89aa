package import Bytes
import Records

// What commands of retention and entries of compactions mean. Those that are void where they stand
// in the log change nothing.

extension Ledger {
    /// The mark of a unique_id, which stays of it when it is erased.
    package func mark(of uniqueID: [UInt8]) -> Digest {
        mark(of: uniqueID.span, 0..<uniqueID.count)
    }

    /// Whether the unique_id in `range` of `bytes` was erased.
    package func isClosed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        retention.hasClosed && retention.isClosed(mark(of: bytes, range))
    }

    package func isClosed(_ uniqueID: [UInt8]) -> Bool {
        isClosed(uniqueID.span, 0..<uniqueID.count)
    }

    /// What is left of the unique_id, when it was erased.
    package func erased(_ uniqueID: [UInt8]) -> Erased? {
        retention.hasClosed ? retention.erased(mark(of: uniqueID)) : nil
    }

    private func mark(of bytes: Span<UInt8>, _ range: Range<Int>) -> Digest {
        guard let marks else { preconditionFailure("a mark without a genesis") }
        return marks.mark(of: bytes, in: range)
    }

    /// All events of the unique_id in `range` of `bytes` that are applied, in ascending order.
    private func sequences(
        of bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(Defect) -> [Sequence] {
        var sequences: [Sequence] = []
        do throws(IndexDamage) {
            try index.visit(index.key(bytes, range), withOverlay: false) { found in
                sequences.append(found.sequence)
                return true
            }
        } catch {
            throw .index(error)
        }
        return sequences.reversed()
    }

    mutating func applyRetention(_ command: DirectoryCommand, at header: EntryHeader) {
        switch command.change {
        case .compact(let order):
            let running = retention.run?.index
            if running == nil { retention.begin(order, at: header) }
            answers.remember(
                command.request, .compacting(running ?? header.index), at: header.index)
        case .addHold(let id, let reason):
            retention.addHold(id, reason: reason, author: command.author, at: header)
            answers.remember(command.request, .held, at: header.index)
        case .removeHold(let id):
            retention.removeHold(id, at: header)
            answers.remember(command.request, .released, at: header.index)
        case .createToken, .revokeToken, .erase, .directory:
            preconditionFailure("no command of retention: \(command.change)")
        }
    }

    mutating func applyErasure(_ entry: Entry) throws(Defect) {
        let header = entry.header
        let record = try view(entry, at: header.bodyRange.lowerBound)
        guard header.recordCount == 1,
            case .erase(let erasure)? = payload(of: entry, from: record.range.upperBound)
        else { throw .malformed(header.index, offset: record.range.upperBound) }
        let id = erasure.uniqueID
        let sequences = try sequences(of: id.span, 0..<id.count)
        // A hold that is open names few; an erasure is rare.
        let marks = (retention.open?.held ?? []).filter { mark(of: $0) == erasure.closedMark }
        retention.erase(erasure, sequences: sequences, at: header) { marks.contains($0) }
        eraseMail(about: id, at: header.timestamp)
        answers.remember(
            erasure.request, .erased(UInt64(sequences.count)), at: header.index)
    }

    mutating func applyCompaction(_ entry: Entry) throws(Defect) {
        let header = entry.header
        let payload = payload(of: entry, from: header.bodyRange.lowerBound)
        switch payload {
        case .compact(let compaction): retention.open(compaction, at: header)
        case .compactDone(let index, let outputs): retention.done(index, outputs: outputs)
        case .compactAbandoned(let index, let reason):
            retention.abandon(index, reason, at: header)
        case .collect(let index): retention.collect(index, at: header)
        default: throw .malformed(header.index, offset: header.bodyRange.lowerBound)
        }
    }

    private func payload(of entry: Entry, from offset: Int) -> ControlPayload? {
        var cursor = ByteCursor(offset..<entry.header.bodyRange.upperBound)
        return try? ControlPayload(entry.header.kind, &cursor, entry.bytes.span)
    }
}
