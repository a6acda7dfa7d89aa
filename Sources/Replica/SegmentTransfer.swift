import Bytes
import Crypto
import Maintenance
import PeerWire
import Records
import SegmentLog

// Invariants:
// - nothing is written to the file but chunks whose digest was checked against the manifest's
// - a transfer is over when a survey of the whole file found every chunk good

/// Brings one file of the archive to what the manifest says of it, chunk by chunk, from whichever
/// peer has it. What is good on the disk already stays: so it goes on where an earlier life ended.
struct SegmentTransfer {
    let segment: SegmentDescriptor
    /// The file that is written: the segment's own, or one beside it.
    let file: String
    let peers: [NodeID]
    private var digests: ChunkDigests?
    /// Chunks that were asked for and are not yet on the disk.
    private var outstanding = 0
    private(set) var isDone = false
    /// Chunks that were bad or missing when they were looked at last.
    private(set) var badCount = 0

    init(_ segment: SegmentDescriptor, file: String, peers: [NodeID]) {
        self.segment = segment
        self.file = file
        self.peers = peers
    }

    var name: SegmentName {
        SegmentName(firstIndex: segment.firstIndex, generation: segment.generation)
    }

    func begin(_ fetcher: inout Fetcher) { fetcher.want(.chunkDigests(name), from: peers) }

    /// An answer about this segment. False when it is not what the manifest says.
    mutating func take(
        _ item: FetchItem, _ bytes: [UInt8], _ hash: SHA256,
        _ maintenance: inout [MaintenanceTask]
    ) -> Bool {
        switch item {
        case .chunkDigests:
            guard digests == nil else { return true }
            var cursor = ByteCursor(0..<bytes.count)
            guard let found = try? ChunkDigests(&cursor, bytes.span), cursor.remaining == 0,
                found.root(hash) == segment.digest
            else { return false }
            digests = found
            maintenance.append(.survey(file: file, found, isResumed: file != segment.file))
            return true
        case .chunk(_, let number):
            guard let digests, Int(number) < digests.chunks.count else { return false }
            let range = digests.range(of: Int(number))
            guard bytes.count == range.count,
                ChunkDigests.digest(bytes.span, in: 0..<bytes.count, hash)
                    == digests.chunks[Int(number)]
            else { return false }
            maintenance.append(.store(file: file, offset: range.lowerBound, bytes))
            return true
        default: return false
        }
    }

    /// The file was looked at: asks for the chunks that are not good.
    mutating func surveyed(bad: [Int], _ fetcher: inout Fetcher) {
        badCount = bad.count
        outstanding = bad.count
        isDone = bad.isEmpty
        for number in bad { fetcher.want(.chunk(name, number: UInt32(number)), from: peers) }
    }

    /// A chunk is on the disk; behind the last one the file is looked at once more.
    mutating func stored(_ maintenance: inout [MaintenanceTask]) {
        outstanding -= 1
        guard outstanding == 0, let digests else { return }
        maintenance.append(.survey(file: file, digests, isResumed: false))
    }
}
