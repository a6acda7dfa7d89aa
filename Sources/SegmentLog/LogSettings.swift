package import Records

/// Sizes that a node may choose for itself. None of them shows in the bytes of a sealed segment.
package struct LogSettings: Equatable, Sendable {
    /// Bytes to which a segment is zeroed before its first entry. Entries beyond grow the file.
    package var segmentBytes: Int
    /// Entries in one gathered write. More than these are written as several groups; Linux takes
    /// at most 1,024 parts (IOV_MAX).
    package var groupEntries: Int
    /// Bytes in one gathered write; a single longer entry is a group of its own.
    package var groupBytes: Int
    /// Archived segments whose places stay in memory, so that a follower that is a little behind is
    /// served entry by entry.
    package var heldSegments: Int

    package init(
        segmentBytes: Int = 16 * 1_024 * 1_024, groupEntries: Int = 512,
        groupBytes: Int = 4 * 1_024 * 1_024, heldSegments: Int = 3
    ) {
        precondition(segmentBytes > SegmentHeader.encodedSize, "\(segmentBytes) bytes a segment")
        precondition((1...1_024).contains(groupEntries), "\(groupEntries) entries a group")
        precondition(groupBytes > 0, "\(groupBytes) bytes a group")
        self.segmentBytes = segmentBytes
        self.groupEntries = groupEntries
        self.groupBytes = groupBytes
        self.heldSegments = heldSegments
    }
}

/// The names of the files of a log's directory.
package enum FileName {
    package static let identity = "identity"
    static let newIdentity = "identity.new"
    package static let vote = "vote"
    /// How far the log was durable (`PersistRecord`).
    package static let persist = "persist"
    package static let spare = "spare.segment"
    static let segmentSuffix = ".segment"
    /// Of a file that is being written beside the one whose place it takes.
    static let newSuffix = ".new"

    /// Of a file of a peer's archive that is not yet this node's.
    static let fetchedSuffix = ".fetched"
    /// Of one that is whole.
    static let verifiedSuffix = ".verified"

    /// One of the two copies of the manifest.
    package static func manifest(_ copy: Int) -> String { "manifest.\(copy)" }

    /// The file whose first entry has this index.
    package static func segment(_ firstIndex: LogIndex, generation: UInt32 = 0) -> String {
        digits(firstIndex.value) + (generation == 0 ? "" : ".\(generation)") + segmentSuffix
    }

    /// The chunk digests, places and summary of an archived segment.
    package static func places(_ firstIndex: LogIndex, generation: UInt32) -> String {
        digits(firstIndex.value) + ".\(generation).places"
    }

    /// The state table that was written at the SEAL with this index.
    package static func state(_ seal: LogIndex) -> String { digits(seal.value) + ".state" }

    /// The SEAL in the name of a state table; nil for other names.
    package static func state(named name: String) -> LogIndex? {
        guard let digits = name.split(separator: ".").first, let seal = UInt64(digits),
            state(LogIndex(seal)) == name
        else { return nil }
        return LogIndex(seal)
    }

    /// The first index in the name of a segment or of the places beside one; nil for other names.
    package static func archivedSegment(named name: String) -> LogIndex? {
        if let known = segment(named: name) { return known.firstIndex }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let first = UInt64(parts[0]), let generation = UInt32(parts[1]),
            places(LogIndex(first), generation: generation) == name
        else { return nil }
        return LogIndex(first)
    }

    /// Whether the file was being written when a crash came. The vote's is not among them: identity
    /// comes last when a directory is made, and what is left of an attempt is removed there.
    static func isUnfinished(_ name: String) -> Bool {
        name.hasSuffix(newSuffix) && name != PersistRecord.newName && name != newIdentity
    }

    /// Twenty decimal digits, so that the names' order is the numbers'.
    static func digits(_ value: UInt64) -> String {
        let digits = String(value)
        return String(repeating: "0", count: 20 - digits.count) + digits
    }

    /// First index and generation in a segment's name; nil when the name is not exactly as
    /// `segment` makes it.
    package static func segment(
        named name: String
    ) -> (firstIndex: LogIndex, generation: UInt32)? {
        guard name.hasSuffix(segmentSuffix) else { return nil }
        let parts = name.dropLast(segmentSuffix.utf8.count).split(separator: ".")
        guard parts.count == 1 || parts.count == 2, let first = UInt64(parts[0]), first > 0,
            let generation = parts.count == 1 ? 0 : UInt32(parts[1])
        else { return nil }
        let index = LogIndex(first)
        return segment(index, generation: generation) == name ? (index, generation) : nil
    }
}
