import Bytes
import Crypto
import Records
package import SegmentLog

// Invariants:
// - the output has the input's entries: same kind, term, index, first sequence, count and time
// - each record of the input has a record or a stub in the output, with the same leaf entry
// - the output follows from the input's bytes, the rules and the superseded bits alone
// - what the output's checksums do not say any more (the chain into the next segment) its header says

/// Makes the next generation of one archived segment out of its bytes, which come in pieces.
///
/// As a plan it only counts. When nothing changes, what `run` makes has no use: the output of such a
/// compaction is its input, in the generation that it has.
package struct Compactor {
    package enum Mode: Sendable {
        case plan
        case run
    }

    private let input: SegmentDescriptor
    /// The SEAL in front of the input.
    private let before: EntryHeader?
    private let rules: CompactionRules
    private let superseded: SupersededBits
    private let mode: Mode
    private var stubs: StubEncoder

    /// Bytes of the input that are read.
    private var offset = 0
    /// The entry before the next, as it is in the input.
    private var previous: EntryHeader?
    private var isSealed = false
    /// The checksum of the entry before the next, as it is in the output.
    private var previousChecksum: UInt32
    private var nextErased: Int
    private var hasher = ChunkHasher()
    private var tally = SegmentTally()
    /// Where the entries of the output are, as far as it is made; of no use in a plan.
    package private(set) var catalogue: SegmentCatalogue

    /// What is made and not yet taken away, from `outputOffset` of the file on.
    package private(set) var output: [UInt8] = []
    package private(set) var outputOffset = 0

    /// `before` is the segment in front of the input; nil in front of the first.
    package init(
        _ input: SegmentDescriptor, after before: SegmentDescriptor?, rules: CompactionRules,
        superseded: SupersededBits, mode: Mode
    ) {
        precondition(
            rules.generation > input.generation,
            "generation \(rules.generation) of \(input.file)")
        self.input = input
        self.before = before?.seal
        self.rules = rules
        self.superseded = superseded
        self.mode = mode
        stubs = StubEncoder(hash: SHA256())
        previous = before?.seal
        previousChecksum = before?.seal.checksum ?? 0
        nextErased = rules.erased.firstPlace(from: input.firstSequence)
        catalogue = SegmentCatalogue(
            header: SegmentHeader(
                clusterID: input.clusterID, after: self.before,
                compaction: CompactedHeader(
                    generation: rules.generation, cut: rules.cut, compaction: rules.compaction,
                    sealChecksum: input.seal.checksum)))
    }

    /// The header of the output.
    private var header: SegmentHeader { catalogue.header }

    /// Reads the whole entries at the beginning of `bytes`, which continue what was read before.
    /// Returns how many bytes that were; the caller brings the rest again, with more behind it.
    package mutating func take(_ bytes: Span<UInt8>) throws(ReadFailure) -> Int {
        var read = 0
        let hashed = output.count
        if offset == 0 { read = try takeHeader(bytes) }
        while !isSealed, bytes.count - read >= EntryHeader.encodedSize {
            let byteCount = Int(bytes.littleEndian(UInt32.self, at: read + 4))
            if byteCount <= Limits.entryBytes, byteCount > bytes.count - read { break }
            try takeEntry(bytes, at: read)
            guard let previous else { break }
            read += previous.byteCount
        }
        if isSealed, read < bytes.count { throw corrupt(at: read, .bytesAfterSeal) }
        offset += read
        tally.inputBytes += read
        var hasher = hasher
        hasher.update(output.span, in: hashed..<output.count)
        self.hasher = hasher
        return read
    }

    /// Whether anything of what was taken so far changes.
    var changes: Bool { tally.changes }

    /// Gives up what is in `output`, which the caller has written.
    package mutating func drain() {
        outputOffset += output.count
        output.removeAll(keepingCapacity: true)
    }

    /// Ends it, after all bytes were taken.
    package func finish() throws(ReadFailure) -> SegmentTally {
        guard isSealed else { throw corrupt(at: 0, .unsealed) }
        return tally
    }

    /// The digests of what was made, after `finish`.
    package mutating func digests() -> ChunkDigests { hasher.finish() }

    /// What the manifest says of the output, with these digests.
    package func descriptor(_ digests: ChunkDigests) -> SegmentDescriptor {
        SegmentDescriptor(
            header: header, seal: input.seal, byteCount: digests.byteCount,
            digest: digests.root(SHA256()), stateTable: input.stateTable)
    }

    // MARK: - Entries

    private mutating func takeHeader(_ bytes: Span<UInt8>) throws(ReadFailure) -> Int {
        let expected = SegmentHeader(
            clusterID: input.clusterID, after: before, compaction: input.compaction)
        let found: SegmentHeader
        do {
            found = try SegmentHeader(verifying: bytes)
        } catch { throw corrupt(at: 0, .header(error)) }
        guard found == expected else {
            throw corrupt(at: 0, .header(.mismatch(found: found, expected: expected)))
        }
        tally.outputBytes = SegmentHeader.compactedSize
        if mode == .run { output.append(contentsOf: header.encoded) }
        return expected.byteCount
    }

    private mutating func takeEntry(_ bytes: Span<UInt8>, at start: Int) throws(ReadFailure) {
        let entry: EntryHeader
        do {
            entry = try EntryHeader(verifying: bytes, at: start)
        } catch { throw corrupt(at: start, .entry(error)) }
        guard entry.follows(previous) else {
            throw corrupt(
                at: start,
                .discontinuity(found: entry.position, after: previous?.position ?? .zero))
        }
        let outputStart = output.count
        let bodyByteCount: Int
        do {
            bodyByteCount = try takeBody(of: entry, bytes, at: start)
        } catch { throw corrupt(at: start, .entry(error)) }
        seal(entry, bodyByteCount: bodyByteCount, at: outputStart)
        previous = entry
        if entry.kind == .seal {
            guard entry.index == input.lastIndex, input.generation > 0 || entry == input.seal
            else {
                throw corrupt(
                    at: start,
                    .mismatch(found: entry.position, expected: input.seal.position))
            }
            isSealed = true
        }
    }

    /// Makes the entry that begins at `start` of the output whole: padding, lengths, checksums.
    private mutating func seal(_ entry: EntryHeader, bodyByteCount: Int, at start: Int) {
        let byteCount = EntryHeader.paddedSize(bodyByteCount: bodyByteCount)
        tally.outputBytes += byteCount
        guard mode == .run else { return }
        while output.count - start < byteCount { output.append(0) }
        var sealed = entry
        sealed.byteCount = byteCount
        sealed.bodyByteCount = bodyByteCount
        sealed.previousChecksum = previousChecksum
        sealed.seal(into: &output, at: start)
        previousChecksum = sealed.checksum
        catalogue.append(sealed)
    }

    /// Copies the entry's header and body, with stubs for what goes; returns the new body's bytes.
    private mutating func takeBody(
        of entry: EntryHeader, _ bytes: Span<UInt8>, at start: Int
    ) throws(EntryDefect) -> Int {
        let bodyStart = start + EntryHeader.encodedSize
        let body = bodyStart..<(bodyStart + entry.bodyByteCount)
        var bodyByteCount = entry.bodyByteCount
        var copied = start
        var place = body.lowerBound
        for ordinal in 0..<entry.recordCount {
            let stored = try StoredHead(decoding: bytes, at: place, end: body.upperBound)
            let sequence = entry.firstSequence.advanced(by: ordinal)
            let recordedAt = entry.timestamp.advanced(byMicroseconds: ordinal)
            let fate = try self.fate(of: stored, bytes, sequence, recordedAt)
            place = stored.range.upperBound
            guard let fate else { continue }
            copy(bytes, copied..<stored.range.lowerBound)
            bodyByteCount += replace(stored, fate, bytes, sequence, recordedAt)
            copied = place
        }
        if let payload = redacted(entry, bytes, place..<body.upperBound) {
            copy(bytes, copied..<place)
            if mode == .run { output.append(contentsOf: payload) }
            bodyByteCount += payload.count - (body.upperBound - place)
            copied = body.upperBound
            tally.redacted += 1
        }
        copy(bytes, copied..<body.upperBound)
        return bodyByteCount
    }

    private mutating func copy(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        if mode == .run { output.append(bytes.extracting(range)) }
    }

    private func corrupt(at place: Int, _ defect: LogDefect) -> ReadFailure {
        .corrupt(file: input.file, offset: offset + place, defect: defect)
    }
}

// MARK: - Records

extension Compactor {
    /// What becomes of a record or stub that does not stay as it is.
    private enum Fate {
        case compacted(RecordView)
        /// nil where a compaction was there before.
        case erased(RecordView?, mark: Digest)
    }

    /// nil for what stays. Called in the order of sequences.
    private mutating func fate(
        of stored: StoredHead, _ bytes: Span<UInt8>, _ sequence: Sequence, _ recordedAt: Timestamp
    ) throws(EntryDefect) -> Fate? {
        if nextErased < rules.erased.events.count,
            rules.erased.events[nextErased].sequence == sequence
        {
            let mark = rules.erased.mark(rules.erased.events[nextErased].mark)
            nextErased += 1
            return try erasure(of: stored, bytes, mark)
        }
        guard stored.resource == .auditEvent else {
            if stored.resource == .administration { tally.kept += 1 } else { tally.stubs += 1 }
            return nil
        }
        let goes =
            sequence < rules.cut && recordedAt < rules.timeBound
            && (rules.policy == .newerThan
                || rules.policy == .latest && superseded.contains(sequence))
        if goes {
            let record = try view(stored, bytes)
            if !rules.held.contains(bytes, record.uniqueID) { return .compacted(record) }
        }
        tally.kept += 1
        return nil
    }

    private mutating func erasure(
        of stored: StoredHead, _ bytes: Span<UInt8>, _ mark: Digest
    ) throws(EntryDefect) -> Fate? {
        switch stored.resource {
        case .auditEvent: return .erased(try view(stored, bytes), mark: mark)
        case .stub: return .erased(nil, mark: mark)
        case .erased:
            tally.stubs += 1
            return nil
        case .administration: throw .record(offset: stored.range.lowerBound)
        }
    }

    private func view(
        _ stored: StoredHead, _ bytes: Span<UInt8>
    ) throws(EntryDefect) -> RecordView {
        try RecordView(
            decoding: bytes, at: stored.range.lowerBound, end: stored.range.upperBound)
    }

    /// Puts a stub in the record's place; returns by how many bytes the body grows.
    private mutating func replace(
        _ stored: StoredHead, _ fate: Fate, _ bytes: Span<UInt8>, _ sequence: Sequence,
        _ recordedAt: Timestamp
    ) -> Int {
        let byteCount: Int
        switch fate {
        case .compacted(let record):
            tally.compacted += 1
            byteCount = StubEncoder.byteCount(compacting: record)
            if mode == .run {
                stubs.append(
                    compacting: record, in: bytes, sequence: sequence, recordedAt: recordedAt,
                    to: &output)
            }
        case .erased(let record, let mark):
            tally.erased += 1
            byteCount = StubEncoder.erasedByteCount
            if mode == .run, let record {
                stubs.append(
                    erasing: record, in: bytes, sequence: sequence, recordedAt: recordedAt,
                    closedMark: mark, to: &output)
            } else if mode == .run {
                stubs.append(
                    erasingStubAt: stored.range.lowerBound, in: bytes, closedMark: mark,
                    to: &output)
            }
        }
        return byteCount - stored.range.count
    }

    /// The payload in `range` without the erased unique_id that it names; nil when it names none.
    private func redacted(
        _ entry: EntryHeader, _ bytes: Span<UInt8>, _ range: Range<Int>
    ) -> [UInt8]? {
        var cursor = ByteCursor(range)
        switch entry.kind {
        case .erase:
            guard case .erase(let erasure)? = try? ControlPayload(.erase, &cursor, bytes),
                !erasure.uniqueID.isEmpty, rules.erased.covers(erasure.closedMark)
            else { return nil }
            var payload: [UInt8] = []
            ControlPayload.erase(erasure.redacted).append(to: &payload)
            return payload
        case .directory:
            guard let command = try? DirectoryCommand(&cursor, bytes), cursor.remaining == 0,
                let mark = command.namedMark, rules.erased.covers(mark)
            else { return nil }
            var payload: [UInt8] = []
            command.redacted.append(to: &payload)
            return payload
        default: return nil
        }
    }
}
