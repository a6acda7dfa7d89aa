import Bytes
import JSON
import Linux
import Records
import SegmentLog

/// The file that says that a directory is a backup, and through which entry. Written last.
struct BackupMarker: Equatable {
    static let name = "backup"
    private static let limit = 4_096

    let clusterID: Identifier
    /// RFC 3339.
    let createdAt: String
    /// The last entry that is in it.
    let lastIndex: UInt64
    /// Its events are those below this sequence.
    let nextSequence: UInt64

    init(of manifest: Manifest, createdAt: Timestamp) {
        clusterID = manifest.clusterID
        var time: [UInt8] = []
        RFC3339.append(createdAt, to: &time)
        self.createdAt = String(decoding: time, as: UTF8.self)
        lastIndex = manifest.lastIndex.value
        nextSequence = manifest.nextSequence.value
    }

    /// Reads the file's bytes; nil when they are not what `encoded` made.
    init?(_ bytes: [UInt8]) {
        guard let answer = try? JSONAnswer(bytes) else { return nil }
        let root = answer.document.root
        guard answer.text("format", root) == "1",
            let cluster = Identifier(answer.text("cluster_id", root)),
            let last = UInt64(answer.text("last_index", root)),
            let next = UInt64(answer.text("next_sequence", root))
        else { return nil }
        clusterID = cluster
        createdAt = answer.text("created_at", root)
        lastIndex = last
        nextSequence = next
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        var object = JSONObjectWriter(to: &bytes)
        object.member("format", UInt64(1), to: &bytes)
        object.member("cluster_id", "\(clusterID)", to: &bytes)
        object.member("created_at", createdAt, to: &bytes)
        object.member("last_index", lastIndex, to: &bytes)
        object.member("next_sequence", nextSequence, to: &bytes)
        object.close(to: &bytes)
        return bytes + [0x0A]
    }

    /// `events 0 to 46119`, or that there are none.
    var events: String { nextSequence == 0 ? "no events" : "events 0 to \(nextSequence - 1)" }
}
