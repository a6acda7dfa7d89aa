import Crypto
import PeerWire
package import Records
import SegmentLog

/// Answering what a peer asks of this node's files: a value that a reader thread runs.
package struct FetchJob: Sendable {
    package let peer: NodeID
    let fetch: Fetch
    let manifest: Manifest
    /// Where the entry is that was asked for, while that is held.
    let place: Place?

    /// Reads what was asked for and appends the answer's frame to `output`.
    package func run(_ source: any EntrySource, into output: inout [UInt8]) {
        let answer: Fetched
        do {
            let bytes = try read(source)
            answer = Fetched(
                id: fetch.id, outcome: bytes == nil ? .absent : .found, bytes: bytes ?? [])
        } catch {
            answer = Fetched(id: fetch.id, outcome: .damaged)
        }
        Frame.append(.fetched, to: &output) { answer.append(to: &$0) }
    }

    /// nil when this node does not have it.
    private func read(_ source: any EntrySource) throws(ReplicaFailure) -> [UInt8]? {
        switch fetch.item {
        case .manifest: return manifest.encoded(SHA256())
        case .stateTable(let seal):
            return try source.contents(of: FileName.state(seal), range: nil)
        case .chunkDigests(let name):
            guard let place = place(of: name) else { return nil }
            var bytes: [UInt8] = []
            try source.digests(of: place, in: manifest).append(to: &bytes)
            return bytes
        case .chunk(let name, let number):
            guard let place = place(of: name) else { return nil }
            let segment = manifest.segments[place]
            guard Int(number) < ChunkDigests.chunkCount(of: segment.byteCount) else { return nil }
            return try source.contents(
                of: segment.file,
                range: ChunkDigests.range(of: Int(number), byteCount: segment.byteCount))
        case .entry(let index, let checksum):
            guard index > .zero, index <= max(manifest.lastIndex, place?.header.index ?? .zero)
            else { return nil }
            let entry =
                if let place {
                    try source.entry(at: place)
                } else {
                    try source.archivedEntry(at: index, in: manifest)
                }
            return entry.header.checksum == checksum ? entry.bytes : nil
        }
    }

    private func place(of name: SegmentName) -> Int? {
        guard let place = manifest.place(holding: name.firstIndex),
            manifest.segments[place].firstIndex == name.firstIndex,
            manifest.segments[place].generation == name.generation
        else { return nil }
        return place
    }
}
