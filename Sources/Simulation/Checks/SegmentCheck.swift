import Crypto
package import Records
package import SegmentLog

/// Sealed segments are the same bytes on every replica, and so is the state at their ends.
package enum SegmentCheck {
    package static func check(
        _ logs: [(node: NodeID, log: Catalogue, disk: SimulatedDisk)]
    ) throws(Violation) {
        guard let first = logs.first else { return }
        for (node, log, disk) in logs { try checkArchive(log.archive, node, disk) }
        for other in logs.dropFirst() {
            try compare(first.log.archive, first.node, other.log.archive, other.node)
        }
        let archived = logs.reduce(LogIndex.zero) { max($0, $1.log.archive.lastIndex) }
        for segment in first.log.segmentSizes
        where segment.isSealed && segment.firstIndex > archived {
            let name = FileName.segment(segment.firstIndex)
            let bytes = first.disk.contents(of: name)
            guard bytes?.count == segment.byteCount else {
                throw Violation(
                    "\(name) of node \(first.node) has \(bytes?.count ?? -1) bytes instead of "
                        + "\(segment.byteCount)")
            }
            for other in logs.dropFirst() where other.disk.contents(of: name) != bytes {
                throw Violation("\(name) differs on nodes \(first.node) and \(other.node)")
            }
        }
    }

    /// Whether the file that the manifest names is what it says.
    package static func isGood(_ segment: SegmentDescriptor, on disk: SimulatedDisk) -> Bool {
        guard let bytes = disk.contents(of: segment.file), bytes.count == segment.byteCount else {
            return false
        }
        var hasher = ChunkHasher()
        hasher.update(bytes.span, in: 0..<bytes.count)
        return hasher.finish().root(SHA256()) == segment.digest
    }

    /// Every file is what the manifest says, and none is left of what compactions replaced.
    private static func checkArchive(
        _ archive: Manifest, _ node: NodeID, _ disk: SimulatedDisk
    ) throws(Violation) {
        for segment in archive.segments where !isGood(segment, on: disk) {
            throw Violation("\(segment.file) of node \(node) is not what the manifest says")
        }
        let named = Set(archive.segments.flatMap { [$0.file, $0.places] })
        for name in disk.names where !named.contains(name) {
            guard let first = FileName.archivedSegment(named: name), first <= archive.lastIndex
            else { continue }
            throw Violation("\(name) of node \(node) is left over")
        }
    }

    /// What two manifests say of the segments that both have.
    private static func compare(
        _ archive: Manifest, _ node: NodeID, _ other: Manifest, _ otherNode: NodeID
    ) throws(Violation) {
        for (mine, theirs) in zip(archive.segments, other.segments) {
            guard mine.stateTable == theirs.stateTable else {
                throw Violation(
                    "the state at \(mine.lastIndex) differs on nodes \(node) and \(otherNode)")
            }
            guard mine == theirs else {
                throw Violation("\(mine.file) differs on nodes \(node) and \(otherNode)")
            }
        }
    }
}
