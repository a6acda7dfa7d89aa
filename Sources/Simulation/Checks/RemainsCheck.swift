import Bytes
import Records

/// A node's files hold every event that was committed as it was, or what a recorded compaction or
/// erasure left of it, and nothing else.
struct RemainsCheck {
    /// The log as it was committed.
    let log: LogAudit

    func check(_ found: LogAudit, of node: NodeID) throws(Violation) {
        guard found.rows.count == log.rows.count else {
            throw Violation(
                "node \(node) has \(found.rows.count) events; \(log.rows.count) are committed")
        }
        guard log.retention.isSettled else {
            throw Violation("a compaction or an erasure does not end")
        }
        for (sequence, row) in found.rows.enumerated() {
            try check(row, at: sequence, of: node)
        }
    }

    private func check(
        _ row: LogAudit.Row, at sequence: Int, of node: NodeID
    ) throws(Violation) {
        let original = log.rows[sequence]
        let expected = log.retention.remains(of: original, at: sequence)
        guard row.remains == expected else {
            throw Violation(
                "sequence \(sequence) is \(row.remains) on node \(node) and not \(expected)")
        }
        guard row.leafHash == original.leafHash, row.recordedAt == original.recordedAt,
            row.entry == original.entry
        else { throw Violation("sequence \(sequence) has another leaf on node \(node)") }
        if case .erased = expected { return }
        guard row.uniqueID == original.uniqueID, row.revision == original.revision,
            row.digest == original.digest, row.salt == original.salt,
            row.remains == .compacted || row.draft == original.draft
        else { throw Violation("sequence \(sequence) is another event on node \(node)") }
    }
}

/// No file of a node holds a unique_id that was erased.
package enum SecretCheck {
    /// `isErased` judges what stands between `prefix` and the next `end` byte, both included.
    package static func check(
        _ bytes: [UInt8], prefix: [UInt8], end: UInt8, limit: Int,
        isErased: (ArraySlice<UInt8>) -> Bool
    ) -> Int? {
        guard bytes.count >= prefix.count else { return nil }
        var place = 0
        while place + prefix.count <= bytes.count {
            guard bytes[place] == prefix[0],
                bytes[place..<(place + prefix.count)].elementsEqual(prefix)
            else {
                place += 1
                continue
            }
            let behind = bytes[place..<min(bytes.count, place + limit)]
            if let last = behind.firstIndex(of: end), isErased(bytes[place...last]) {
                return place
            }
            place += prefix.count
        }
        return nil
    }
}
