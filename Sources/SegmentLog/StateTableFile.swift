package import Bytes
package import Crypto
package import Records

/// The state of everything that the log means, as it was after one SEAL: a pure function of the log
/// up to there, so the same bytes on every replica. What the bytes say is the Replica's business.
package struct StateTableFile: Equatable, Sendable {
    /// Newest tables that are kept: one may be damaged.
    package static let keptCount = 2

    /// The SEAL.
    package let seal: LogIndex
    package let bytes: [UInt8]

    package init(seal: LogIndex, bytes: [UInt8]) {
        self.seal = seal
        self.bytes = bytes
    }

    /// What names the contents, in the manifest and in the SEAL after this one.
    package static func digest(of bytes: [UInt8], _ hash: SHA256) -> Digest {
        hash.begin()
        hash.update(bytes)
        return hash.finishDigest()
    }

    /// Durable on return.
    package func store(on disk: some Disk) throws(DiskError) {
        try disk.replace(FileName.state(seal), with: bytes)
    }

    /// The table of an archived segment; nil when it is not there or not whole.
    package static func load(
        _ segment: SegmentDescriptor, from disk: some Disk, _ hash: SHA256
    ) throws(DiskError) -> StateTableFile? {
        guard let bytes = try disk.contents(of: FileName.state(segment.lastIndex)),
            digest(of: bytes, hash) == segment.stateTable
        else { return nil }
        return StateTableFile(seal: segment.lastIndex, bytes: bytes)
    }
}
