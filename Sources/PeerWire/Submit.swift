package import Bytes
package import Records

/// Events on their way to the leader: `batch` (8), the oldest batch that the sender still waits for
/// (8), then for each event whether a revision is expected (1), zero (3), the expected revision (4),
/// and the stored record with its revision and salt zero.
package enum Submit {
    package static let headByteCount = 16
    package static let itemHeaderByteCount = 8

    package struct Item: Sendable {
        package let expected: Revision?
        package let record: RecordView
    }

    /// Begins the payload, of a batch that is the oldest itself.
    package static func begin(batch: UInt64, in payload: inout [UInt8]) {
        payload.append(littleEndian: batch)
        payload.append(littleEndian: batch)
    }

    /// Says which batch is the oldest by now, in the payload at `offset` of `bytes`.
    package static func setOldest(_ oldest: UInt64, at offset: Int, in bytes: inout [UInt8]) {
        bytes.put(littleEndian: oldest, at: offset + 8)
    }

    /// Appends what stands in front of the stored record, which the caller appends next.
    package static func appendItem(expected: Revision?, to payload: inout [UInt8]) {
        payload.append(littleEndian: UInt32(expected == nil ? 0 : 1))
        payload.append(littleEndian: expected?.value ?? 0)
    }

    package static func head(
        _ payload: Range<Int>, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> (batch: UInt64, oldest: UInt64) {
        var cursor = ByteCursor(payload)
        let batch = try cursor.integer(bytes, as: UInt64.self)
        return (batch, try cursor.integer(bytes))
    }

    /// The places of the first item and of the end.
    package static func items(_ payload: Range<Int>) -> Range<Int> {
        min(payload.lowerBound + headByteCount, payload.upperBound)..<payload.upperBound
    }

    /// The item at `offset`, and where the next one begins.
    package static func item(
        at offset: Int, end: Int, _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> (item: Item, next: Int) {
        var cursor = ByteCursor(offset..<end)
        let flags = try cursor.integer(bytes, as: UInt32.self)
        let expected = Revision(try cursor.integer(bytes))
        guard flags <= 1 else { throw ByteDefect(offset: offset) }
        let record: RecordView
        do {
            record = try RecordView(decoding: bytes, at: cursor.offset, end: end)
        } catch {
            throw ByteDefect(offset: cursor.offset)
        }
        guard record.resource == .auditEvent, !record.uniqueID.isEmpty else {
            throw ByteDefect(offset: cursor.offset)
        }
        return (
            Item(expected: flags == 1 ? expected : nil, record: record), record.range.upperBound
        )
    }
}

/// What became of one event of a submit.
package struct Receipt: Equatable, Sendable {
    package enum Verdict: UInt8, Sendable {
        case appended = 0
        case duplicate = 1
        /// `revision` is the current one.
        case conflict = 2
        /// The token that it came with is revoked or unknown.
        case tokenRefused = 3
        /// The unique_id was erased and is closed: nothing is appended, and nothing is told.
        case erased = 4
    }

    static let encodedSize = 4 + 4 + 8 + 8 + 16 + 32

    package var verdict: Verdict
    package var revision: Revision
    package var sequence: Sequence
    package var recordedAt: Timestamp
    package var salt: Identifier
    package var leafHash: Digest

    package init(verdict: Verdict, revision: Revision) {
        self.verdict = verdict
        self.revision = revision
        sequence = .zero
        recordedAt = .absent
        salt = Identifier(high: 0, low: 0)
        leafHash = .zero
    }

    package init(at offset: Int, _ bytes: Span<UInt8>) throws(ByteDefect) {
        guard offset + Self.encodedSize <= bytes.count,
            let verdict = Verdict(rawValue: bytes[offset])
        else { throw ByteDefect(offset: offset) }
        self.verdict = verdict
        revision = Revision(bytes.littleEndian(at: offset + 4))
        sequence = Sequence(bytes.littleEndian(at: offset + 8))
        recordedAt = Timestamp(microseconds: bytes.littleEndian(at: offset + 16))
        salt = Identifier(bytes, at: offset + 24)
        leafHash = Digest(bytes, at: offset + 40)
    }
}

/// The answer to a submit: `batch` (8), outcome (1), zero (3), leader's id or 0 (4), and for
/// `decided` one receipt of 72 bytes for each event, in the order of the submit.
package enum Receipts {
    package enum Outcome: UInt8, Sendable {
        case decided = 0
        /// Nothing of the batch was or will be appended by this node.
        case none = 1
        /// The node led, proposed, and does not know what became of it.
        case unknown = 2
        /// Nothing was appended, and nothing will be until the cluster's disks have more room.
        case full = 3
        /// Nothing was appended: more is under way than the node takes.
        case overloaded = 4
    }

    package static func begin(
        batch: UInt64, outcome: Outcome, leader: NodeID?, in payload: inout [UInt8]
    ) {
        payload.append(littleEndian: batch)
        payload.append(littleEndian: UInt32(outcome.rawValue))
        payload.append(littleEndian: leader?.value ?? 0)
    }

    package static func append(_ receipt: Receipt, to payload: inout [UInt8]) {
        payload.append(littleEndian: UInt32(receipt.verdict.rawValue))
        payload.append(littleEndian: receipt.revision.value)
        payload.append(littleEndian: receipt.sequence.value)
        payload.append(littleEndian: receipt.recordedAt.microseconds)
        receipt.salt.append(to: &payload)
        receipt.leafHash.append(to: &payload)
    }

    package struct Head: Equatable, Sendable {
        package let batch: UInt64
        package let outcome: Outcome
        package let leader: NodeID?
        package let count: Int
        /// Offset of the first receipt.
        package let receipts: Int

        package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
            var cursor = ByteCursor(payload)
            batch = try cursor.integer(bytes)
            let code = try cursor.integer(bytes, as: UInt32.self)
            guard let outcome = Outcome(rawValue: UInt8(truncatingIfNeeded: code)), code < 256
            else { throw ByteDefect(offset: cursor.offset) }
            self.outcome = outcome
            let id = try cursor.integer(bytes, as: UInt32.self)
            leader = id == 0 ? nil : NodeID(id)
            guard cursor.remaining % Receipt.encodedSize == 0 else {
                throw ByteDefect(offset: cursor.offset)
            }
            count = cursor.remaining / Receipt.encodedSize
            receipts = cursor.offset
        }

        /// The receipt of event `ordinal`.
        package func receipt(
            _ ordinal: Int, _ bytes: Span<UInt8>
        ) throws(ByteDefect) -> Receipt {
            try Receipt(at: receipts + ordinal * Receipt.encodedSize, bytes)
        }
    }
}
