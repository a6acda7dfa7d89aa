import Crypto
import Records

/// What a start learns of the archive: the manifest, which of its files are there, and the newest
/// state table. No segment is read.
struct Archive<D: Disk> {
    let manifest: Manifest
    /// Segments behind the archive, in order.
    let tailNames: [String]
    let missing: [SegmentDescriptor]
    let state: StateTableFile?
    private let disk: D
    private let hash = SHA256()

    init(disk: D, names: [String], clusterID: Identifier) throws(RecoveryFailure) {
        self.disk = disk
        let hash = hash
        let segments = try Self.segments(names)
        let stored = try recovering { () throws(DiskError) in
            try Manifest.load(from: disk, hash)
        }
        // Without a manifest everything is tail, which is right as long as nothing was compacted.
        if stored == nil, let compacted = segments.first(where: { $0.generation > 0 }) {
            throw .corrupt(
                file: FileName.manifest(0), offset: 0,
                defect: names.contains(FileName.manifest(0))
                    ? .manifest : .missingManifest(besides: compacted.name))
        }
        let manifest = stored ?? Manifest(clusterID: clusterID)
        guard manifest.clusterID == clusterID else {
            throw .foreign(expected: clusterID, found: manifest.clusterID)
        }
        self.manifest = manifest
        tailNames =
            manifest.voidsTail
            ? [] : segments.filter { $0.firstIndex > manifest.lastIndex }.map(\.name)
        missing = try recovering { () throws(DiskError) in
            var missing: [SegmentDescriptor] = []
            for segment in manifest.segments
            where try disk.byteCount(of: segment.file) != segment.byteCount {
                missing.append(segment)
            }
            return missing
        }
        state = try recovering { () throws(DiskError) in
            for segment in manifest.segments.suffix(StateTableFile.keptCount).reversed() {
                if let state = try StateTableFile.load(segment, from: disk, hash) { return state }
            }
            return nil
        }
        // Nor does a log that another cluster began say what this one is.
        if state == nil,
            let compacted = manifest.segments.first(where: {
                $0.generation > 0 || $0.clusterID != clusterID
            })
        {
            throw .corrupt(
                file: FileName.state(manifest.lastIndex), offset: 0,
                defect: .missingState(besides: compacted.file))
        }
    }

    private static func segments(
        _ names: [String]
    ) throws(RecoveryFailure) -> [(name: String, firstIndex: LogIndex, generation: UInt32)] {
        var segments: [(name: String, firstIndex: LogIndex, generation: UInt32)] = []
        for name in names where name.hasSuffix(FileName.segmentSuffix) && name != FileName.spare {
            guard let known = FileName.segment(named: name) else {
                throw .corrupt(file: name, offset: 0, defect: .name)
            }
            segments.append((name, known.firstIndex, known.generation))
        }
        return segments
    }

    /// Holds the places of the newest archived segments, so that they serve followers.
    func holdPlaces(of count: Int, in catalogue: inout Catalogue) throws(RecoveryFailure) {
        for place in manifest.segments.indices.suffix(count).reversed() {
            let segment = manifest.segments[place]
            let previous = place > 0 ? manifest.segments[place - 1] : nil
            let disk = disk
            let hash = hash
            let places = try recovering { () throws(DiskError) in
                try SegmentPlaces.load(segment, after: previous, from: disk, hash)
            }
            guard let places, segment.generation == 0 else { return }
            catalogue.hold(places.catalogue)
        }
    }
}
