import Bytes
import Crypto
import EventIndex
package import PeerWire
package import Records
package import SegmentLog

/// Reading that was decided on: which records of which entries, for whom.
///
/// A value, so that a reader thread can run it while the node goes on; what it reads is committed
/// and is not changed any more.
package struct ReadJob: Sendable {
    /// Bytes of rows after which any answer ends, the history of one event too; what one more entry
    /// can add still fits a frame.
    static let rowBytes = 12 * 1_024 * 1_024
    /// Bytes of entries after which a page ends.
    static let entryBytes = 2 * 1_024 * 1_024
    /// Rows that are held against the index of revisions at once, on the node's loop. A page ends
    /// there.
    static let settledRows = 512
    /// Segments of the archive that a page may pass by.
    static let passedSegments = 32

    package enum Records: Equatable, Sendable {
        /// Offset nil: it is looked for in the entry.
        case one(offset: Int?, sequence: Sequence)
        case sequences(Range<Sequence>)

        var first: Sequence {
            switch self {
            case .one(_, let sequence): sequence
            case .sequences(let range): range.lowerBound
            }
        }
    }

    package enum Location: Sendable {
        /// The entry, where it was still in memory.
        case held(Place, Entry?)
        /// A segment of the archive, whose entries are looked up when the job runs; counts those
        /// of the manifest.
        case archived(Int, Manifest)
    }

    package struct Piece: Sendable {
        package let location: Location
        package let records: Records
    }

    package let client: ClientID
    package let head: RowsHead
    let filter: EventFilter
    let byteLimit: Int
    /// Events that were erased, in ascending order.
    let hidden: [Sequence]
    /// Whether events that a compaction took away have rows that say so; else they have none.
    let showsCompacted: Bool
    package private(set) var pieces: [Piece]
    /// How often it was begun anew.
    private(set) var retries = 0

    /// What became of a job that was run.
    package enum Ending: Sendable {
        /// The answer's frame is there.
        case answered
        case failed(FailedRead)
        /// The rows are there; the node looks which of them are the newest of their unique_ids.
        case unsettled(UnsettledRows)
    }

    /// Reads, filters and writes the rows, and appends the answer's frame to `output`; nothing when
    /// an entry cannot be read, or the rows are to be settled.
    package func run(
        _ source: any EntrySource, leaf: inout Leaf, into output: inout [UInt8]
    ) -> Ending {
        var head = head
        var rows = Rows()
        var room = Self.entryBytes
        pieces: for piece in pieces {
            guard hasRoom(rows) else {
                head.next = piece.records.first
                break
            }
            do {
                switch piece.location {
                case .held(let place, let entry):
                    let entry = try entry ?? source.entry(at: place)
                    if let stop = try append(piece.records, of: entry, leaf: &leaf, to: &rows) {
                        head.next = stop
                        break pieces
                    }
                case .archived(let place, let manifest):
                    guard try mayMatch(piece.records, of: place, in: manifest, source) else {
                        continue
                    }
                    let places = try source.places(of: place, in: manifest)
                    let stop = try append(
                        piece.records, of: places, in: manifest, source, room: &room, leaf: &leaf,
                        to: &rows)
                    if let stop {
                        head.next = stop
                        break pieces
                    }
                }
            } catch {
                return .failed(failed(at: piece, "\(error)"))
            }
        }
        if let before = filter.newestBefore {
            return .unsettled(
                UnsettledRows(client: client, head: head, before: before, rows: rows))
        }
        Frame.append(.rows, to: &output) { payload in
            head.append(to: &payload)
            payload.append(contentsOf: rows.bytes)
        }
        return .answered
    }

    /// Rows as they are written, and whose they are where that matters.
    struct Rows: Sendable {
        struct Named: Sendable {
            /// Of the rows' bytes.
            let range: Range<Int>
            let uniqueID: [UInt8]
            let sequence: Sequence
        }

        var bytes: [UInt8] = []
        var named: [Named] = []
    }

    private func hasRoom(_ rows: Rows) -> Bool {
        rows.bytes.count < min(byteLimit, Self.rowBytes) && rows.named.count < Self.settledRows
    }

    private func failed(at piece: Piece, _ reason: String) -> FailedRead {
        switch piece.location {
        case .held(let place, _):
            FailedRead(
                job: self, index: place.header.index, generation: place.generation, reason: reason)
        case .archived(let place, let manifest):
            FailedRead(
                job: self, index: manifest.segments[place].firstIndex,
                generation: manifest.segments[place].generation, reason: reason)
        }
    }

    /// Appends the answer that what it reads is damaged.
    func appendDamaged(_ reason: String, to output: inout [UInt8]) {
        var head = head
        head.outcome = .damaged
        Frame.append(.rows, to: &output) { payload in
            head.append(to: &payload)
            payload.append(contentsOf: reason.utf8)
        }
    }

    /// The same, of the files as they are named now.
    func refreshed(_ catalogue: Catalogue) -> ReadJob {
        var job = self
        let archive = catalogue.archive
        job.retries += 1
        job.pieces = pieces.map { piece in
            switch piece.location {
            case .archived(let place, _):
                return Piece(location: .archived(place, archive), records: piece.records)
            case .held(let place, _):
                guard let place = archive.place(holding: place.header.index) else { return piece }
                var records = piece.records
                if case .one(_, let sequence) = records {
                    records = .one(offset: nil, sequence: sequence)
                }
                return Piece(location: .archived(place, archive), records: records)
            }
        }
        return job
    }

    /// Whether rows of a segment may be passed by for its summary. Not where erased events are
    /// shown: those that are hidden and not yet gone are in no summary.
    static func passesSegments(_ filter: EventFilter) -> Bool {
        !filter.acceptsErased(isNamed: false)
    }

    /// False when surely none of these records of a segment of the archive is wanted.
    private func mayMatch(
        _ records: Records, of place: Int, in manifest: Manifest, _ source: any EntrySource
    ) throws(ReplicaFailure) -> Bool {
        guard case .sequences = records, !showsCompacted, Self.passesSegments(filter) else {
            return true
        }
        return try source.summary(of: place, in: manifest)?.mayMatch(filter) ?? true
    }

    /// Appends the records of a segment of the archive; the sequence to go on with when that was
    /// not all. `room`: bytes of entries that a page may still read.
    private func append(
        _ records: Records, of places: SegmentCatalogue, in manifest: Manifest,
        _ source: any EntrySource, room: inout Int, leaf: inout Leaf, to rows: inout Rows
    ) throws(ReplicaFailure) -> Sequence? {
        guard case .sequences(let range) = records else {
            let entry = try entry(holding: records.first, places, manifest, source)
            return try append(
                .one(offset: nil, sequence: records.first), of: entry, leaf: &leaf, to: &rows)
        }
        var next = range.lowerBound
        while next < range.upperBound {
            guard hasRoom(rows), room > 0 else { return next }
            let entry = try entry(holding: next, places, manifest, source)
            let end = min(entry.header.nextSequence, range.upperBound)
            let stop = try append(.sequences(next..<end), of: entry, leaf: &leaf, to: &rows)
            if let stop { return stop }
            room -= entry.header.byteCount
            next = end
        }
        return nil
    }

    private func entry(
        holding sequence: Sequence, _ places: SegmentCatalogue, _ manifest: Manifest,
        _ source: any EntrySource
    ) throws(ReplicaFailure) -> Entry {
        let index = places.index(holding: sequence)
        return try source.entry(at: places.place(of: index, term: manifest.term(at: index)))
    }

    /// Appends records of one entry; the sequence to go on with when that was not all.
    private func append(
        _ records: Records, of entry: Entry, leaf: inout Leaf, to rows: inout Rows
    ) throws(ReplicaFailure) -> Sequence? {
        switch records {
        case .one(let offset?, let sequence):
            let stored = try head(entry, at: offset)
            try append(stored, of: entry, sequence, isNamed: true, leaf: &leaf, to: &rows)
            return nil
        case .one(nil, let sequence):
            let range = sequence..<sequence.advanced(by: 1)
            return try append(range, of: entry, isNamed: true, leaf: &leaf, to: &rows)
        case .sequences(let range):
            return try append(range, of: entry, isNamed: false, leaf: &leaf, to: &rows)
        }
    }

    private func append(
        _ range: Range<Sequence>, of entry: Entry, isNamed: Bool, leaf: inout Leaf,
        to rows: inout Rows
    ) throws(ReplicaFailure) -> Sequence? {
        var offset = entry.header.bodyRange.lowerBound
        var sequence = entry.header.firstSequence
        while sequence < range.upperBound {
            guard rows.named.count < Self.settledRows else { return sequence }
            let stored = try head(entry, at: offset)
            if sequence >= range.lowerBound {
                try append(stored, of: entry, sequence, isNamed: isNamed, leaf: &leaf, to: &rows)
            }
            offset = stored.range.upperBound
            sequence = sequence.advanced(by: 1)
        }
        return nil
    }

    /// Appends the row of one record or stub, when it is wanted.
    private func append(
        _ stored: StoredHead, of entry: Entry, _ sequence: Sequence, isNamed: Bool,
        leaf: inout Leaf, to rows: inout Rows
    ) throws(ReplicaFailure) {
        let ordinal = Int(sequence.value - entry.header.firstSequence.value)
        let recordedAt = entry.header.timestamp.advanced(byMicroseconds: ordinal)
        let bytes = entry.bytes.span
        do {
            switch stored.resource {
            case .auditEvent, .administration:
                let record = try RecordView(
                    decoding: bytes, at: stored.range.lowerBound, end: stored.range.upperBound)
                if isHidden(sequence) {
                    guard filter.acceptsErased(isNamed: isNamed) else { return }
                    let hash = leaf.hash(
                        of: record, in: bytes, sequence: sequence, recordedAt: recordedAt)
                    EventRow.appendErased(
                        sequence: sequence, recordedAt: recordedAt, leafHash: hash, to: &rows.bytes)
                } else if filter.accepts(record, in: bytes) {
                    let start = rows.bytes.count
                    EventRow.append(
                        record, in: bytes, sequence: sequence, recordedAt: recordedAt, leaf: &leaf,
                        to: &rows.bytes)
                    guard filter.newestBefore != nil else { return }
                    rows.named.append(
                        .init(
                            range: start..<rows.bytes.count, uniqueID: bytes.copy(record.uniqueID),
                            sequence: sequence))
                }
            case .stub, .erased:
                let stub = try RecordStub(decoding: bytes, in: stored.range)
                if stored.resource == .erased || isHidden(sequence) {
                    guard filter.acceptsErased(isNamed: isNamed) else { return }
                    EventRow.appendErased(
                        sequence: sequence, recordedAt: recordedAt,
                        leafHash: leaf.hash(entry: stub.leafEntry), to: &rows.bytes)
                } else if showsCompacted {
                    EventRow.appendCompacted(stub, leaf: &leaf, to: &rows.bytes)
                }
            }
        } catch {
            throw .storage("entry \(entry.header.index): \(error)")
        }
    }

    private func isHidden(_ sequence: Sequence) -> Bool {
        var low = 0
        var high = hidden.count
        while low < high {
            let middle = (low + high) / 2
            if hidden[middle] < sequence { low = middle + 1 } else { high = middle }
        }
        return low < hidden.count && hidden[low] == sequence
    }

    private func head(
        _ entry: Entry, at offset: Int
    ) throws(ReplicaFailure) -> StoredHead {
        do {
            return try StoredHead(
                decoding: entry.bytes.span, at: offset, end: entry.header.bodyRange.upperBound)
        } catch {
            throw .storage("entry \(entry.header.index): \(error)")
        }
    }
}

/// Rows of which only those are wanted that are the newest of their unique_ids below a sequence.
package struct UnsettledRows: Sendable {
    let client: ClientID
    let head: RowsHead
    let before: Sequence
    let rows: ReadJob.Rows
}

/// A read that met an entry which cannot be read.
package struct FailedRead: Sendable {
    package let job: ReadJob
    /// An entry of the segment.
    let index: LogIndex
    let generation: UInt32
    let reason: String
}
