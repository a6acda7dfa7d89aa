package import Bytes
package import Records

/// How far a node is with the compaction that is open, from it to the leader. It is sent again and
/// again until the compaction is over: a new leader knows nothing of what the last one heard.
package struct CompactionReport: Equatable, Sendable {
    package enum Stage: Equatable, Sendable {
        /// The files are there, one for each input, with these digests.
        case made([Digest])
        /// The command's time and this node's clock disagree: it takes no part in the decision.
        case withheld
        /// An input of its own is damaged or missing.
        case failed
        /// Its manifest names the outputs, durably.
        case swapped
    }

    /// The COMPACT entry.
    package let compaction: LogIndex
    package let stage: Stage

    package init(compaction: LogIndex, stage: Stage) {
        self.compaction = compaction
        self.stage = stage
    }

    package init(_ payload: Range<Int>, _ bytes: Span<UInt8>) throws(ByteDefect) {
        var cursor = ByteCursor(payload)
        compaction = LogIndex(try cursor.integer(bytes))
        switch try cursor.integer(bytes, as: UInt8.self) {
        case 1:
            let count = try cursor.integer(bytes, as: UInt32.self)
            guard Int(count) * Digest.byteCount == cursor.remaining else {
                throw ByteDefect(offset: cursor.offset - 4)
            }
            var outputs: [Digest] = []
            for _ in 0..<count { outputs.append(try Digest(&cursor, bytes)) }
            stage = .made(outputs)
        case 2: stage = .withheld
        case 3: stage = .failed
        case 4: stage = .swapped
        default: throw ByteDefect(offset: cursor.offset - 1)
        }
        try cursor.finish()
    }

    package func append(to payload: inout [UInt8]) {
        payload.append(littleEndian: compaction.value)
        switch stage {
        case .made(let outputs):
            payload.append(1)
            payload.append(littleEndian: UInt32(outputs.count))
            for output in outputs { output.append(to: &payload) }
        case .withheld: payload.append(2)
        case .failed: payload.append(3)
        case .swapped: payload.append(4)
        }
    }
}
