package import Bytes
import Crypto
import Ledger
import PeerWire
import Records
import Replica
import SegmentLog

/// Runs of compactions and an erasure of a whole node, cut anywhere: inputs and outputs, places,
/// index tables, manifest, sweep.
package struct CompactionCrashScript: CrashScript {
    private enum Step {
        case post(String, note: Int)
        case compact
        case erase
    }

    package struct Run {
        /// Steps that were acknowledged.
        fileprivate var doneCount = 0
    }

    /// What is left of each event, in order of sequences.
    package struct Found: Equatable, CustomStringConvertible {
        fileprivate enum Row: Character {
            case whole = "r"
            case compacted = "c"
            case erased = "e"
            case administration = "a"
        }

        fileprivate let rows: [Row]

        package var description: String { String(rows.map(\.rawValue)) }
    }

    private static let secret = "rumpelstilzchen"
    private static let ids = ["a", "b", secret]

    private let prepared: [Step]
    private let steps: [Step]
    private let settings: ReplicaSettings

    package init(seed: UInt64) {
        var random = RandomSource(seed: seed)
        var note = 0
        func posts(_ count: Int) -> [Step] {
            (0..<count).map { _ in
                note += 1
                return .post(random.pick(Self.ids), note: note)
            }
        }
        // Its first event is there to be erased.
        prepared = [.post(Self.secret, note: 0)] + posts(4 + random.below(5))
        var steps: [Step] = [.compact] + posts(1 + random.below(2)) + [.erase]
        if random.below(2) == 0 { steps.swapAt(0, steps.count - 1) }
        self.steps = steps + posts(random.below(2)) + [.compact]
        var settings = ReplicaSettings()
        settings.log = LogSettings(segmentBytes: 1_024)
        settings.compactionSegments = 1 + random.below(3)
        self.settings = settings
    }

    package func run(on disk: SimulatedDisk, begin: () -> Void) throws -> Run {
        try LoneNode.found(on: disk, settings: settings)
        var node = try LoneNode(on: disk, settings: settings)
        var run = Run()
        for (place, step) in (prepared + steps).enumerated() {
            if place == prepared.count { begin() }
            do {
                try perform(step, UInt64(place + 1), on: &node)
            } catch {
                guard disk.hasCrashed else { throw error }
                return run
            }
            run.doneCount = place + 1
        }
        return run
    }

    private func perform(_ step: Step, _ number: UInt64, on node: inout LoneNode) throws {
        switch step {
        case .post(let id, let note): try node.post(id, note: note)
        case .compact:
            try node.command(
                number, .compact(CompactionOrder(policy: .latest, sealsFirst: true)))
        case .erase:
            try node.command(number, .erase(uniqueID: Array(Self.secret.utf8), reason: "r"))
        }
    }

    // MARK: What is found

    package func recover(_ disk: SimulatedDisk) throws -> Found {
        try found(by: LoneNode(on: disk, settings: settings))
    }

    private func found(by node: LoneNode) throws -> Found {
        try checkFiles(of: node)
        var rows: [Found.Row] = []
        try node.readRecords { stored, _ in
            switch stored.resource {
            case .auditEvent: rows.append(.whole)
            case .administration: rows.append(.administration)
            case .stub: rows.append(.compacted)
            case .erased: rows.append(.erased)
            }
        }
        return Found(rows: rows)
    }

    /// The files are those that the manifest names, and hold what it says.
    private func checkFiles(of node: LoneNode) throws {
        let (disk, archive) = (node.disk, node.replica.catalogue.archive)
        let status = node.replica.status(now: Instant.zero).storage.compaction
        guard status.isSettled, status.pendingErasures == 0 else {
            throw Violation("a compaction does not end: \(status)")
        }
        try archive.checkSegments(on: disk)
        let names = try disk.list()
        let known = archive.segments.flatMap { [$0.file, $0.places] }
        for name in names where !known.contains(name) {
            if let first = FileName.archivedSegment(named: name), first <= archive.lastIndex {
                throw Violation("\(name) is left over")
            }
        }
        guard node.replica.ledger.retention.erased.isEmpty else {
            for name in names where holdsSecret(disk.contents(of: name) ?? []) {
                throw Violation("\(name) holds an erased unique_id")
            }
            return
        }
    }

    private func holdsSecret(_ bytes: [UInt8]) -> Bool {
        let secret = Array(Self.secret.utf8)
        guard bytes.count >= secret.count else { return false }
        return (0...(bytes.count - secret.count)).contains { start in
            bytes[start] == secret[0]
                && bytes[start..<(start + secret.count)].elementsEqual(secret)
        }
    }

    /// What must be found when the first `count` steps were done and no others.
    private func expected(_ count: Int) -> [Found.Row] {
        var rows: [Found.Row] = []
        var newest: [String: Int] = [:]
        var secrets: [Int] = []
        var isErased = false
        for step in (prepared + steps).prefix(count) {
            switch step {
            case .post(let id, _):
                // A closed id takes nothing more.
                if id == Self.secret, isErased { continue }
                if id == Self.secret { secrets.append(rows.count) }
                newest[id] = rows.count
                rows.append(.whole)
            case .compact:
                for place in rows.indices
                where rows[place] == .whole && !newest.values.contains(place) {
                    rows[place] = .compacted
                }
                rows.append(.administration)
            case .erase:
                isErased = true
                for place in secrets { rows[place] = .erased }
                rows.append(.administration)
            }
        }
        return rows
    }

    package func defect(in found: Found, after run: Run) -> String? {
        // The step that was cut may have become durable.
        let isAllowed = [run.doneCount, run.doneCount + 1].contains {
            expected($0) == found.rows
        }
        return isAllowed
            ? nil
            : "found \(found) after step \(run.doneCount) and not "
                + "\(Found(rows: expected(run.doneCount)))"
    }

    package func goOn(_ disk: SimulatedDisk, random: inout RandomSource) throws -> Found {
        var node = try LoneNode(on: disk, settings: settings)
        try node.post("later", note: 1_000 + random.below(1_000))
        return try found(by: node)
    }
}
