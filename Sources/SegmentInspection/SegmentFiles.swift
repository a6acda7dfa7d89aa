import Crypto
package import Records
package import SegmentLog

/// One segment of a log's directory, as manifest and names say it.
package struct SegmentFile: Equatable, Sendable {
    package let name: String
    package let firstIndex: LogIndex
    package let generation: UInt32
    /// What the manifest says of it; nil in the tail.
    package let descriptor: SegmentDescriptor?
    /// The archived segment before an archived one.
    package let previous: SegmentDescriptor?
    /// The log's last: it may be open, and grow while it is read.
    package let isLast: Bool

    package var isArchived: Bool { descriptor != nil }
    /// Bytes in front of the first entry.
    package var headerByteCount: Int {
        generation == 0 ? SegmentHeader.encodedSize : SegmentHeader.compactedSize
    }
}

/// Which segments are the log's, in order, and which lie beside them. Nothing of them is read.
package struct SegmentFiles: Equatable, Sendable {
    /// nil when there is none, or no copy of it is whole.
    package let manifest: Manifest?
    package let segments: [SegmentFile]
    /// Segments that are not, or no longer, part of the log: generations that were replaced and wait
    /// to be removed, outputs of a compaction that is under way.
    package let others: [String]
    /// Names that end like a segment's and are none. A node does not start with them.
    package let strangers: [String]

    /// The manifest is read before the names: a segment that is archived in between is listed as
    /// tail, which it was.
    package init(disk: some Disk) throws(DiskError) {
        let manifest = try Manifest.load(from: disk, SHA256())
        let names = try disk.list()
        self.manifest = manifest
        let archive = Self.archive(manifest, among: names)
        let known = names.compactMap { name in
            FileName.segment(named: name).map { (name: name, place: $0) }
        }
        // Without a manifest nothing says which generation counts; the highest is the newest.
        let end = manifest?.lastIndex ?? .zero
        var newest: [(name: String, place: (firstIndex: LogIndex, generation: UInt32))] = []
        for file in known.sorted(by: {
            ($0.place.firstIndex, $0.place.generation) < ($1.place.firstIndex, $1.place.generation)
        })
        where file.place.firstIndex > end && (manifest == nil || file.place.generation == 0)
            && manifest?.voidsTail != true
        {
            if newest.last?.place.firstIndex == file.place.firstIndex { newest.removeLast() }
            newest.append(file)
        }
        let tail = newest.enumerated().map { place, file in
            SegmentFile(
                name: file.name, firstIndex: file.place.firstIndex,
                generation: file.place.generation, descriptor: nil, previous: nil,
                isLast: place == newest.count - 1)
        }
        let segments = archive + tail
        self.segments = segments
        others = known.map(\.name).filter { name in !segments.contains { $0.name == name } }
        strangers = names.filter { name in
            name.hasSuffix(".segment") && name != "spare.segment"
                && FileName.segment(named: name) == nil
        }
    }

    /// A takeover, or a backup, that was cut short has verified files beside the manifest that names
    /// them; they count in the place of what has their names.
    private static func archive(
        _ manifest: Manifest?, among names: [String]
    ) -> [SegmentFile] {
        let segments = manifest?.segments ?? []
        return segments.enumerated().map { place, segment in
            SegmentFile(
                name: names.contains(FetchedFiles.verifiedName(of: segment))
                    ? FetchedFiles.verifiedName(of: segment) : segment.file,
                firstIndex: segment.firstIndex, generation: segment.generation,
                descriptor: segment, previous: place > 0 ? segments[place - 1] : nil,
                isLast: false)
        }
    }

    /// The segment of this name, one of `others` too.
    package func segment(named name: String) -> SegmentFile? {
        if let known = segments.first(where: { $0.name == name }) { return known }
        guard others.contains(name), let place = FileName.segment(named: name) else { return nil }
        return SegmentFile(
            name: name, firstIndex: place.firstIndex, generation: place.generation,
            descriptor: nil, previous: nil, isLast: false)
    }

    /// The archived segment, or the one of the tail, whose first entry has this index.
    package func segment(_ firstIndex: LogIndex) -> SegmentFile? {
        segments.first { $0.firstIndex == firstIndex }
    }
}
