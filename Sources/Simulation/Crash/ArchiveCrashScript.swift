package import Bytes
import Crypto
import EventIndex
import Records
import Replica
import SegmentLog

/// Segments of a whole node that go to the archive while events are posted, cut anywhere: SEALs,
/// state tables, both copies of the manifest, places, index tables and their merges.
package struct ArchiveCrashScript: CrashScript {
    fileprivate struct Post: Equatable {
        let id: String
        let note: Int
    }

    package struct Run {
        /// Posts that were acknowledged.
        fileprivate var doneCount = 0
    }

    /// The posts whose events are there, in order of sequences.
    package struct Found: Equatable, CustomStringConvertible {
        fileprivate let posts: [Post]

        package var description: String {
            posts.map { "\($0.id)\($0.note)" }.joined(separator: " ")
        }
    }

    private let posts: [Post]
    private let preparedCount: Int
    private let settings: ReplicaSettings

    /// A segment takes two events, and eight tables are merged into one: what is prepared fills some
    /// of the eight, and the rest fills them up once or twice.
    package init(seed: UInt64) {
        var random = RandomSource(seed: seed)
        preparedCount = 6 + random.below(8)
        let ids = ["a", "b", "c", "d", "e"].prefix(1 + random.below(5))
        posts = (0..<(preparedCount + 12)).map { Post(id: random.pick(Array(ids)), note: $0) }
        var settings = ReplicaSettings()
        settings.log = LogSettings(segmentBytes: 1_024)
        self.settings = settings
    }

    package func run(on disk: SimulatedDisk, begin: () -> Void) throws -> Run {
        try LoneNode.found(on: disk, settings: settings)
        var node = try LoneNode(on: disk, settings: settings)
        var run = Run()
        for (place, post) in posts.enumerated() {
            if place == preparedCount { begin() }
            do {
                try node.post(post.id, note: post.note)
            } catch {
                guard disk.hasCrashed else { throw error }
                return run
            }
            run.doneCount = place + 1
        }
        return run
    }

    // MARK: What is found

    package func recover(_ disk: SimulatedDisk) throws -> Found {
        var node = try LoneNode(on: disk, settings: settings)
        return try found(by: &node)
    }

    private func found(by node: inout LoneNode) throws -> Found {
        try checkFiles(of: node)
        let found = Found(posts: try rows(of: node))
        // The index knows each revision: what is posted again is a duplicate, and nothing is written.
        let end = node.replica.catalogue.lastIndex
        for post in found.posts { try node.post(post.id, note: post.note) }
        guard node.replica.catalogue.lastIndex == end else {
            throw Violation("the index does not know an event of \(found)")
        }
        return found
    }

    private func rows(of node: LoneNode) throws -> [Post] {
        var found: [Post] = []
        try node.readRecords { stored, bytes in
            guard stored.resource == .auditEvent else { return }
            let record = try RecordView(
                decoding: bytes, at: stored.range.lowerBound, end: stored.range.upperBound)
            let next = found.count
            guard next < posts.count else { throw Violation("\(next + 1) events are there") }
            let expected = EventDraft.content(
                uniqueID: Array(posts[next].id.utf8), note: posts[next].note, padding: 300,
                token: LoneNode.administrator, hash: SHA256())
            guard bytes.equals(expected.digest.span, in: record.digest) else {
                throw Violation("event \(next) is not post \(next)")
            }
            found.append(posts[next])
        }
        return found
    }

    /// The archive's files are there and hold what the manifest says; the tables cover it.
    private func checkFiles(of node: LoneNode) throws {
        let (disk, archive) = (node.disk, node.replica.catalogue.archive)
        try archive.checkSegments(on: disk)
        let opened = try IndexTables.open(
            disk: SimulatedDisk(copying: disk), through: archive.nextSequence,
            seed: RevisionKey.Seed(7))
        guard opened.missing.isEmpty, opened.damaged.isEmpty else {
            throw Violation("the tables lack \(opened.missing), damaged are \(opened.damaged)")
        }
        let tables = try disk.list().filter { $0.hasSuffix(".index") }
        guard tables == opened.tables.tables.map(\.file) else {
            throw Violation("tables that nobody uses are left: \(tables)")
        }
    }

    package func defect(in found: Found, after run: Run) -> String? {
        // The post that was cut may have become durable.
        let isAllowed = (run.doneCount...(run.doneCount + 1)).contains(found.posts.count)
        return isAllowed ? nil : "found \(found.posts.count) events after post \(run.doneCount)"
    }

    package func goOn(_ disk: SimulatedDisk, random: inout RandomSource) throws -> Found {
        var node = try LoneNode(on: disk, settings: settings)
        let count = try rows(of: node).count
        if count < posts.count { try node.post(posts[count].id, note: posts[count].note) }
        return try found(by: &node)
    }
}
