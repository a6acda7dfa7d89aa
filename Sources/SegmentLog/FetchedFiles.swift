import Crypto

/// Segments of a peer's archive that lie beside this node's own until the manifest names them.
///
/// `.fetched`: some chunks may be missing. `.verified`: it is whole. What a segment of one first
/// index and generation holds is decided by the log, so a verified file is the right one whenever
/// the manifest names it.
package enum FetchedFiles {
    package static func name(of segment: SegmentDescriptor) -> String {
        segment.file + FileName.fetchedSuffix
    }

    package static func verifiedName(of segment: SegmentDescriptor) -> String {
        segment.file + FileName.verifiedSuffix
    }

    /// Whether the file is one of these, of whatever takeover.
    package static func isName(_ name: String) -> Bool {
        name.hasSuffix(FileName.fetchedSuffix) || name.hasSuffix(FileName.verifiedSuffix)
    }

    /// All chunks of these files were found good.
    package static func verify(
        _ segments: [SegmentDescriptor], on disk: some Disk
    ) throws(DiskError) {
        for segment in segments where try disk.byteCount(of: name(of: segment)) != nil {
            try disk.rename(name(of: segment), to: verifiedName(of: segment))
        }
    }

    /// Ends a takeover whose manifest was written: segments of the log that it replaced go, and the
    /// persist records of them. May be cut short and run again.
    static func finish(on disk: some Disk) throws(DiskError) {
        let hash = SHA256()
        guard var manifest = try Manifest.load(from: disk, hash) else { return }
        try adopt(manifest.segments, on: disk)
        guard manifest.voidsTail else { return }
        for name in try disk.list().reversed() {
            guard let known = FileName.segment(named: name), known.generation == 0 else {
                continue
            }
            let place = manifest.place(holding: known.firstIndex)
            guard place.map({ manifest.segments[$0].firstIndex }) != known.firstIndex else {
                continue
            }
            try disk.remove(name)
        }
        try PersistFile.void(after: manifest.end(isTruncation: true), on: disk)
        manifest.endTakeover()
        try manifest.store(on: disk, hash)
    }

    /// Gives the files of `segments` their own names. May be cut short and run again.
    package static func adopt(
        _ segments: [SegmentDescriptor], on disk: some Disk
    ) throws(DiskError) {
        let names = try disk.list().filter { $0.hasSuffix(FileName.verifiedSuffix) }
        guard !names.isEmpty else { return }
        for segment in segments where names.contains(verifiedName(of: segment)) {
            try disk.rename(verifiedName(of: segment), to: segment.file)
        }
    }
}
