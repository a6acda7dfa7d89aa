import Bytes
import Records

// The retention's part of the state table; docs/reference/record-format.md has the fields.

extension Retention {
    func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: version)
        bytes.append(littleEndian: sealCount)
        bytes.append(littleEndian: lastSeal.value)
        bytes.append(littleEndian: sealedSequence.value)
        bytes.append(littleEndian: compactedThrough.value)
        bytes.append(littleEndian: UInt32(holds.count))
        for hold in holds { hold.append(to: &bytes) }
        bytes.append(littleEndian: UInt32(erased.count))
        for one in erased { one.append(to: &bytes) }
        bytes.append(littleEndian: UInt32(naming.count))
        for named in naming {
            named.mark.append(to: &bytes)
            bytes.append(littleEndian: named.index.value)
        }
        bytes.append(run == nil ? 0 : 1)
        run?.append(to: &bytes)
        bytes.append(open == nil ? 0 : 1)
        open?.append(to: &bytes)
        bytes.append(lastResult == nil ? 0 : 1)
        lastResult?.append(to: &bytes)
    }

    init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        self.init()
        version = try cursor.integer(bytes)
        sealCount = try cursor.integer(bytes)
        lastSeal = LogIndex(try cursor.integer(bytes))
        sealedSequence = Sequence(try cursor.integer(bytes))
        compactedThrough = LogIndex(try cursor.integer(bytes))
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let hold = try Hold(&cursor, bytes)
            guard
                holds.last.map({ $0.uniqueID.lexicographicallyPrecedes(hold.uniqueID) }) ?? true
            else { throw ByteDefect(offset: cursor.offset) }
            holds.append(hold)
        }
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            erased.append(try Erased(&cursor, bytes))
        }
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            let mark = try Digest(&cursor, bytes)
            naming.append(Naming(mark: mark, index: LogIndex(try cursor.integer(bytes))))
        }
        if try cursor.flag(bytes) { run = try CompactionRun(&cursor, bytes) }
        if try cursor.flag(bytes) { open = try OpenCompaction(&cursor, bytes) }
        if try cursor.flag(bytes) { lastResult = try RunResult(&cursor, bytes) }
        derive()
    }
}

extension Retention {
    /// Makes it that of a log which ends with `seal`, and in which no compaction is under way.
    mutating func end(with seal: EntryHeader, segmentCount: UInt64) {
        run = nil
        open = nil
        sealCount = segmentCount
        lastSeal = seal.index
        sealedSequence = seal.nextSequence
        compactedThrough = .zero
        naming.removeAll { $0.index > seal.index }
        erased = erased.map { one in
            var kept = Erased(
                mark: one.mark, index: min(one.index, seal.index), author: one.author,
                erasedAt: one.erasedAt,
                sequences: one.sequences.filter { $0 < seal.nextSequence })
            kept.removedBy = one.removedBy.map { min($0, seal.index) }
            return kept
        }
        derive()
    }
}

extension Hold {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        uniqueID = bytes.copy(try cursor.counted(bytes))
        mark = try Digest(&cursor, bytes)
        reason = try cursor.text(bytes)
        author = TokenID(try cursor.integer(bytes))
        since = Timestamp(microseconds: try cursor.integer(bytes))
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(counted: uniqueID)
        mark.append(to: &bytes)
        bytes.append(counted: reason)
        bytes.append(littleEndian: author.value)
        bytes.append(littleEndian: since.microseconds)
    }
}

extension Erased {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        mark = try Digest(&cursor, bytes)
        index = LogIndex(try cursor.integer(bytes))
        author = TokenID(try cursor.integer(bytes))
        erasedAt = Timestamp(microseconds: try cursor.integer(bytes))
        let removed = LogIndex(try cursor.integer(bytes))
        removedBy = removed == .zero ? nil : removed
        var sequences: [Sequence] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            sequences.append(Sequence(try cursor.integer(bytes)))
        }
        self.sequences = sequences
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        mark.append(to: &bytes)
        bytes.append(littleEndian: index.value)
        bytes.append(littleEndian: author.value)
        bytes.append(littleEndian: erasedAt.microseconds)
        bytes.append(littleEndian: removedBy?.value ?? 0)
        bytes.append(littleEndian: UInt32(sequences.count))
        for sequence in sequences { bytes.append(littleEndian: sequence.value) }
    }
}

extension CompactionRun {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        index = LogIndex(try cursor.integer(bytes))
        startedAt = Timestamp(microseconds: try cursor.integer(bytes))
        policy = try cursor.policy(bytes)
        cut = Sequence(try cursor.integer(bytes))
        timeBound = Timestamp(microseconds: try cursor.integer(bytes))
        segmentCount = try cursor.integer(bytes)
        doneCount = try cursor.integer(bytes)
        needsSeal = try cursor.flag(bytes)
        guard doneCount < segmentCount else { throw ByteDefect(offset: cursor.offset) }
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: index.value)
        bytes.append(littleEndian: startedAt.microseconds)
        bytes.append(littleEndian: policy.rawValue)
        bytes.append(littleEndian: cut.value)
        bytes.append(littleEndian: timeBound.microseconds)
        bytes.append(littleEndian: segmentCount)
        bytes.append(littleEndian: doneCount)
        bytes.append(needsSeal ? 1 : 0)
    }
}

extension OpenCompaction {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        index = LogIndex(try cursor.integer(bytes))
        startedAt = Timestamp(microseconds: try cursor.integer(bytes))
        var payload = ByteCursor(try cursor.counted(bytes))
        guard
            case .compact(let compaction) = try ControlPayload(.compact, &payload, bytes)
        else { throw ByteDefect(offset: cursor.offset) }
        self.compaction = compaction
        follows = LogIndex(try cursor.integer(bytes))
        var held: [[UInt8]] = []
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            held.append(bytes.copy(try cursor.counted(bytes)))
        }
        self.held = held
        for _ in 0..<(try cursor.integer(bytes, as: UInt32.self)) {
            outputs.append(try Digest(&cursor, bytes))
        }
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: index.value)
        bytes.append(littleEndian: startedAt.microseconds)
        var payload: [UInt8] = []
        ControlPayload.compact(compaction).append(to: &payload)
        bytes.append(counted: payload)
        bytes.append(littleEndian: follows.value)
        bytes.append(littleEndian: UInt32(held.count))
        for uniqueID in held { bytes.append(counted: uniqueID) }
        bytes.append(littleEndian: UInt32(outputs.count))
        for output in outputs { output.append(to: &bytes) }
    }
}

extension RunResult {
    fileprivate init(_ cursor: inout ByteCursor, _ bytes: Span<UInt8>) throws(ByteDefect) {
        run = LogIndex(try cursor.integer(bytes))
        policy = try cursor.policy(bytes)
        startedAt = Timestamp(microseconds: try cursor.integer(bytes))
        endedAt = Timestamp(microseconds: try cursor.integer(bytes))
        segmentCount = try cursor.integer(bytes)
        guard let outcome = Outcome(rawValue: try cursor.integer(bytes)) else {
            throw ByteDefect(offset: cursor.offset)
        }
        self.outcome = outcome
    }

    fileprivate func append(to bytes: inout [UInt8]) {
        bytes.append(littleEndian: run.value)
        bytes.append(littleEndian: policy.rawValue)
        bytes.append(littleEndian: startedAt.microseconds)
        bytes.append(littleEndian: endedAt.microseconds)
        bytes.append(littleEndian: segmentCount)
        bytes.append(outcome.rawValue)
    }
}

extension ByteCursor {
    fileprivate mutating func policy(
        _ bytes: Span<UInt8>
    ) throws(ByteDefect) -> CompactionPolicy {
        guard let policy = CompactionPolicy(rawValue: try integer(bytes)) else {
            throw ByteDefect(offset: offset - 4)
        }
        return policy
    }
}
