package import Records
package import SegmentLog

/// Sealed segments are the same bytes on every replica, and so is the state at their ends.
package enum SegmentCheck {
    package static func check(
        _ logs: [(node: NodeID, log: Catalogue, disk: SimulatedDisk)]
    ) throws(Violation) {
        guard let first = logs.first else { return }
        for segment in first.log.segmentSizes where segment.isSealed {
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
        for other in logs.dropFirst() {
            try checkStates(of: first.log.archive, first.node, other.log.archive, other.node)
        }
    }

    /// What two manifests say of the segments that both have.
    private static func checkStates(
        of archive: Manifest, _ node: NodeID, _ other: Manifest, _ otherNode: NodeID
    ) throws(Violation) {
        for (mine, theirs) in zip(archive.segments, other.segments)
        where mine.stateTable != theirs.stateTable {
            throw Violation(
                "the state at \(mine.lastIndex) differs on nodes \(node) and \(otherNode)")
        }
    }
}
