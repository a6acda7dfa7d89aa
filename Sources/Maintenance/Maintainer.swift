import Crypto
import Records
package import SegmentLog

/// Does maintenance tasks on a node's files. Owned by one thread; the only writer of the manifest.
///
/// After an error nothing is known about the file that was written: the process ends, or opens
/// everything anew. Every task may be cut short anywhere and is asked for again after a restart.
package struct Maintainer<D: Disk> {
    private let disk: D
    private let hash = SHA256()
    package private(set) var manifest: Manifest

    /// Goes on from the manifest that recovery found.
    package init(disk: D, manifest: Manifest) {
        self.disk = disk
        self.manifest = manifest
    }

    package mutating func perform(
        _ task: MaintenanceTask
    ) throws(ReadFailure) -> MaintenanceReport {
        switch task {
        case .archive(let segment):
            try archive(segment)
            return .archived(manifest)
        case .storeState(let state):
            try onDisk { disk throws(DiskError) in try state.store(on: disk) }
            return .done
        }
    }

    /// The manifest comes last: until it is there the segment is tail, and all of this is done again.
    private mutating func archive(_ segment: SealedSegment) throws(ReadFailure) {
        let file = FileName.segment(segment.header.firstIndex)
        var walk = try SegmentWalk(
            disk, file: file, byteCount: segment.byteCount, expected: segment.header,
            hashing: true)
        var catalogue = SegmentCatalogue(header: segment.header)
        var seal: EntryHeader?
        while let step = try walk.next() {
            catalogue.append(step.header)
            seal = step.header
        }
        guard let seal, seal.index == segment.state.seal else {
            throw .corrupt(file: file, offset: segment.byteCount, defect: .unsealed)
        }
        let digests = walk.digests()
        let descriptor = SegmentDescriptor(
            header: segment.header, seal: seal, byteCount: segment.byteCount,
            digest: digests.root(hash),
            stateTable: StateTableFile.digest(of: segment.state.bytes, hash))
        let places = SegmentPlaces(digests: digests, catalogue: catalogue, summary: [])
        var next = manifest
        next.append(descriptor, runs: segment.runs)
        try onDisk { disk throws(DiskError) in
            try disk.replace(descriptor.places, with: places.encoded)
            try segment.state.store(on: disk)
            try next.store(on: disk, hash)
        }
        manifest = next
        try removeOldStates()
    }

    private func removeOldStates() throws(ReadFailure) {
        for segment in manifest.segments.dropLast(StateTableFile.keptCount).suffix(2) {
            try onDisk { disk throws(DiskError) in
                let name = FileName.state(segment.lastIndex)
                if try disk.byteCount(of: name) != nil { try disk.remove(name) }
            }
        }
    }

    private func onDisk(_ work: (D) throws(DiskError) -> Void) throws(ReadFailure) {
        do { try work(disk) } catch { throw .disk(error) }
    }
}
