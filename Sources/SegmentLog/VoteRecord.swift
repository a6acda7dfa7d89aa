import Bytes
import Records

/// Term and vote as the file `vote` holds them, twice, one copy in each 4 KiB.
///
/// Both copies are written at every store, one after the other, each durable before the next
/// step: so one copy is whole at any moment, and after a store one damaged copy loses nothing.
struct VoteRecord: Equatable {
    static let encodedSize = 64
    static let copyDistance = 4_096
    static let copies = 2
    static let fileSize = copies * copyDistance
    /// "DAYBKVOT"
    private static let magic: UInt64 = 0x544f_564b_4259_4144
    private static let format: UInt32 = 1

    /// How many stores there were; of two good copies the one with the higher counter is true.
    let counter: UInt64
    let vote: DurableVote

    init(counter: UInt64, vote: DurableVote) {
        self.counter = counter
        self.vote = vote
    }

    /// Reads one copy; nil when it is not whole.
    init?(_ bytes: Span<UInt8>, at offset: Int) {
        guard bytes.count >= offset + Self.encodedSize,
            bytes.littleEndian(UInt64.self, at: offset) == Self.magic,
            bytes.littleEndian(UInt32.self, at: offset + 8) == Self.format,
            bytes.littleEndian(UInt32.self, at: offset + 60)
                == CRC32C.checksum(bytes.extracting(offset..<(offset + 60)))
        else { return nil }
        let hasVoted = bytes[offset + 32] != 0
        counter = bytes.littleEndian(at: offset + 16)
        vote = DurableVote(
            term: Term(bytes.littleEndian(at: offset + 24)),
            votedFor: hasVoted ? NodeID(bytes.littleEndian(at: offset + 36)) : nil)
    }

    var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.encodedSize)
        bytes.put(littleEndian: Self.magic, at: 0)
        bytes.put(littleEndian: Self.format, at: 8)
        bytes.put(littleEndian: counter, at: 16)
        bytes.put(littleEndian: vote.term.value, at: 24)
        bytes[32] = vote.votedFor == nil ? 0 : 1
        bytes.put(littleEndian: vote.votedFor?.value ?? 0, at: 36)
        bytes.put(littleEndian: CRC32C.checksum(bytes.span.extracting(0..<60)), at: 60)
        return bytes
    }

    /// The newest whole copy in the file's bytes, and which it is; nil when none is whole.
    static func newest(in file: Span<UInt8>) -> (record: VoteRecord, copy: Int)? {
        var newest: (record: VoteRecord, copy: Int)?
        for copy in 0..<copies {
            guard let record = VoteRecord(file, at: copy * copyDistance) else { continue }
            if let known = newest, known.record.counter >= record.counter { continue }
            newest = (record, copy)
        }
        return newest
    }

    /// Writes both copies, `first` before the other. Durable on return.
    func store(on disk: some Disk, first: Int = 0) throws(DiskError) {
        for copy in [first, 1 - first] {
            try disk.write([encoded], to: FileName.vote, at: copy * Self.copyDistance)
        }
    }
}
