package import Records

/// Log matching: index and term name one entry, and with it everything before (Raft paper figure
/// 3). An entry's checksum covers the one before it, so comparing one entry compares all.
package struct LogMatchingCheck {
    private var checksums: [LogPosition: UInt32] = [:]

    package init() {}

    package mutating func note(_ entry: EntryHeader, by node: NodeID) throws(Violation) {
        if let known = checksums[entry.position], known != entry.checksum {
            throw Violation(
                "entry \(entry.position) of node \(node) has checksum \(entry.checksum), "
                    + "elsewhere \(known)")
        }
        checksums[entry.position] = entry.checksum
    }
}
