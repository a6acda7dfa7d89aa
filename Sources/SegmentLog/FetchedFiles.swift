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

    private static func verifiedName(of segment: SegmentDescriptor) -> String {
        segment.file + FileName.verifiedSuffix
    }

    /// All chunks of these files were found good.
    package static func verify(
        _ segments: [SegmentDescriptor], on disk: some Disk
    ) throws(DiskError) {
        for segment in segments where try disk.byteCount(of: name(of: segment)) != nil {
            try disk.rename(name(of: segment), to: verifiedName(of: segment))
        }
    }

    /// Ends a takeover whose manifest was written.
    static func finish(on disk: some Disk) throws(DiskError) {
        guard try disk.list().contains(where: { $0.hasSuffix(FileName.verifiedSuffix) }),
            let manifest = try Manifest.load(from: disk, SHA256())
        else { return }
        try adopt(manifest, on: disk)
    }

    /// Gives the files that `manifest` names their own names. May be cut short and run again.
    package static func adopt(_ manifest: Manifest, on disk: some Disk) throws(DiskError) {
        let names = try disk.list().filter { $0.hasSuffix(FileName.verifiedSuffix) }
        guard !names.isEmpty else { return }
        for segment in manifest.segments where names.contains(verifiedName(of: segment)) {
            try disk.rename(verifiedName(of: segment), to: segment.file)
        }
    }
}
