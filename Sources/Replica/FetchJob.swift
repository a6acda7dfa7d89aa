import Bytes
import Crypto
package import PeerWire
package import Records
package import SegmentLog

/// Answering what a peer or a gateway asks of this node's files: a value that a reader thread runs.
package struct FetchJob: Sendable {
    package let destination: Destination
    private let fetch: Fetch
    private let manifest: Manifest
    /// Where the entry is that was asked for, while that is held.
    private let place: Place?
    private let lastIndex: LogIndex
    private let committed: LogIndex
    private let term: Term

    /// `committed`: the last entry of which this node knows it. `term`: what it promised durably.
    package init(
        destination: Destination, fetch: Fetch, catalogue: Catalogue, committed: LogIndex,
        term: Term
    ) {
        self.destination = destination
        self.fetch = fetch
        manifest = catalogue.archive
        place =
            switch fetch.item {
            case .entry(let index, _), .committedEntry(let index): catalogue.place(of: index)
            case .manifest, .stateTable, .chunkDigests, .chunk: nil
            }
        lastIndex = catalogue.lastIndex
        self.committed = committed
        self.term = term
    }

    /// Reads what was asked for and appends the answer's frame to `output`.
    package func run(_ source: any EntrySource, into output: inout [UInt8]) {
        let answer = answer(source)
        Frame.append(.fetched, to: &output) { answer.append(to: &$0) }
    }

    private func answer(_ source: any EntrySource) -> Fetched {
        do {
            guard let bytes = try read(source) else {
                return .absent(fetch, term: term)
            }
            return Fetched(id: fetch.id, outcome: .found, bytes: bytes)
        } catch {
            return Fetched(id: fetch.id, outcome: .damaged)
        }
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
            guard let place = try place(of: index, source), place.header.checksum == checksum
            else { return nil }
            return try source.entry(at: place).bytes
        case .committedEntry(let index):
            guard let place = try place(of: index, source) else { return nil }
            guard index <= committed else {
                throw .storage("entry \(index) is not known to be committed")
            }
            return try source.entry(at: place).bytes
        }
    }

    /// nil when the log does not reach so far.
    private func place(
        of index: LogIndex, _ source: any EntrySource
    ) throws(ReplicaFailure) -> Place? {
        guard index > .zero, index <= lastIndex else { return nil }
        if let place { return place }
        guard let number = manifest.place(holding: index) else {
            throw .storage("the place of entry \(index) is not held")
        }
        // A compaction leaves the entries, with other checksums.
        guard manifest.segments[number].generation == 0 else {
            throw .storage("entry \(index) was compacted")
        }
        return try source.places(of: number, in: manifest)
            .place(of: index, term: manifest.term(at: index))
    }

    private func place(of name: SegmentName) -> Int? {
        guard let place = manifest.place(holding: name.firstIndex),
            manifest.segments[place].firstIndex == name.firstIndex,
            manifest.segments[place].generation == name.generation
        else { return nil }
        return place
    }
}

extension Fetched {
    /// This node does not have it; `term` is what it promised durably.
    static func absent(_ fetch: Fetch, term: Term) -> Fetched {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: term.value)
        return Fetched(id: fetch.id, outcome: .absent, bytes: bytes)
    }
}
