import PeerWire
import Records

/// Every acknowledged event is in the log, once, as it was sent and answered; nothing else is.
struct EventCheck {
    let history: History
    let log: LogAudit
    /// Sequences of each content, by its place in the history.
    private(set) var appearances: [[Int]]

    init(history: History, log: LogAudit) throws(Violation) {
        self.history = history
        self.log = log
        appearances = history.contents.map { _ in [] }
        try checkRows()
    }

    /// Nothing is invented or altered, and revisions are 1, 2, 3, … for each unique_id.
    private mutating func checkRows() throws(Violation) {
        var newest: [[UInt8]: UInt32] = [:]
        for (sequence, row) in log.rows.enumerated() where !row.isAdministration {
            guard let content = history.content(withDigest: row.digest) else {
                throw Violation("sequence \(sequence) holds an event that nobody sent")
            }
            guard history.contents[content].draft == row.draft else {
                throw Violation("sequence \(sequence) holds other bytes than were sent")
            }
            appearances[content].append(sequence)
            let expected = newest[row.uniqueID, default: 0] + 1
            guard row.revision.value == expected else {
                throw Violation(
                    "sequence \(sequence) has revision \(row.revision) instead of \(expected)")
            }
            newest[row.uniqueID] = expected
        }
    }

    func check() throws(Violation) {
        var mayBeThere = [Bool](repeating: false, count: history.contents.count)
        var mayRepeat = [Bool](repeating: false, count: history.contents.count)
        for operation in history.operations {
            guard case .append(let content, let expected) = operation.request else { continue }
            if expected != nil { mayRepeat[content] = true }
            switch operation.answer {
            case .receipt(let receipt):
                // A gateway that asks again by itself is told `duplicate` of its own first attempt.
                // Nor does one that is told of an erasure say what became of its first attempt.
                if receipt.verdict.isInLog || receipt.verdict == .erased {
                    mayBeThere[content] = true
                }
                try check(receipt, content: content, expected: expected)
            case .notAppended(isUnknown: false): break
            default: mayBeThere[content] = true
            }
        }
        for (content, sequences) in appearances.enumerated() {
            if sequences.count > 1, !mayRepeat[content] {
                throw Violation(
                    "the same content is at sequences \(sequences), and nobody asked for it")
            }
            if !sequences.isEmpty, !mayBeThere[content] {
                throw Violation(
                    "sequence \(sequences[0]) holds what was answered as not appended, by "
                        + "operations \(operations(of: content))")
            }
        }
    }

    private func operations(of content: Int) -> [Int] {
        history.operations.indices.filter { place in
            if case .append(content, _) = history.operations[place].request { true } else { false }
        }
    }

    private func check(
        _ receipt: Receipt, content: Int, expected: Revision?
    ) throws(Violation) {
        switch receipt.verdict {
        case .appended, .duplicate:
            try checkPlace(receipt, content: content)
            if receipt.verdict == .appended, let expected, receipt.revision != expected.next {
                throw Violation(
                    "revision \(receipt.revision) was appended where \(expected) was expected")
            }
        case .conflict:
            guard let expected, receipt.revision != expected else {
                throw Violation("a conflict with the revision that was expected")
            }
            let revisions = log.rows.last { row in
                row.uniqueID == history.contents[content].uniqueID && !row.isAdministration
            }
            guard receipt.revision <= revisions?.revision ?? .zero else {
                throw Violation("a conflict with revision \(receipt.revision), which is none")
            }
        case .tokenRefused: break
        case .erased:
            guard log.retention.erased[history.contents[content].uniqueID] != nil else {
                throw Violation("an event is answered as erased, and nobody erased it")
            }
        }
    }

    /// A retry's answer is the first one: sequence, revision, time, salt and leaf are the log's.
    private func checkPlace(_ receipt: Receipt, content: Int) throws(Violation) {
        let sequence = Int(clamping: receipt.sequence.value)
        guard appearances[content].contains(sequence) else {
            throw Violation(
                "\(receipt.verdict) at sequence \(receipt.sequence) was acknowledged, but the "
                    + "event is at \(appearances[content])")
        }
        let row = log.rows[sequence]
        guard row.revision == receipt.revision, row.salt == receipt.salt,
            row.leafHash == receipt.leafHash, row.recordedAt == receipt.recordedAt
        else {
            throw Violation("the receipt of sequence \(receipt.sequence) differs from the log")
        }
    }
}

extension Receipt.Verdict {
    fileprivate var isInLog: Bool { self == .appended || self == .duplicate }
}
