package import Records

/// Log matching: index and term name one entry, and with it everything before (Raft paper figure
/// 3). An entry's checksum covers the one before it, so comparing one entry compares all.
package struct LogMatchingCheck {
    private var checksums: [LogPosition: UInt32] = [:]
    /// Each entry as it was first appended.
    private var originals: [LogPosition: Entry] = [:]

    package init() {}

    /// The same of an entry with its bytes, which are kept.
    mutating func note(
        _ header: EntryHeader, _ bytes: [UInt8], by node: NodeID
    ) throws(Violation) {
        try note(header, by: node)
        guard originals[header.position] == nil else { return }
        do {
            originals[header.position] = try Entry(verifying: bytes)
        } catch { throw Violation("entry \(header.position) of node \(node): \(error)") }
    }

    func original(at position: LogPosition) -> Entry? { originals[position] }

    package mutating func note(_ entry: EntryHeader, by node: NodeID) throws(Violation) {
        if let known = checksums[entry.position], known != entry.checksum {
            throw Violation(
                "entry \(entry.position) of node \(node) has checksum \(entry.checksum), "
                    + "elsewhere \(known)")
        }
        checksums[entry.position] = entry.checksum
    }
}
