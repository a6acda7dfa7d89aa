import Bytes
import Crypto
import JSON
import Linux
import Records
import SegmentInspection
import SegmentLog

/// `daybook segment inspect`: one segment from the inside.
enum SegmentInspectCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let (directory, file) = try find(arguments.positional[0], arguments.value("data"))
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try SegmentBytes.read(file, from: directory.disk)
        } catch { throw directory.failure(error) }
        let view = SegmentView(file, bytes)
        let output =
            switch (arguments.isSet("entries"), arguments.isSet("json")) {
            case (false, false): Array(view.text(prefix: directory.prefix).utf8)
            case (false, true): view.json(prefix: directory.prefix)
            case (true, false): Array(view.entriesText().utf8)
            case (true, true): view.entriesJSON()
            }
        StandardStream.output.write(output)
        return view.damage.isEmpty ? .done : .refused
    }

    /// The segment that is meant: the index of its first entry, a name in `data`, or a path.
    private static func find(
        _ text: String, _ data: String?
    ) throws -> (InspectedDirectory, SegmentFile) {
        let name = text.split(separator: "/").last.map(String.init) ?? text
        guard let path = data ?? (text.contains("/") ? SmallFile.parent(of: text) : nil) else {
            throw UsageError("--data is missing: which directory is \(text) in?")
        }
        let directory = try InspectedDirectory(path)
        let files: SegmentFiles
        do throws(DiskError) {
            files = try SegmentFiles(disk: directory.disk)
        } catch { throw directory.failure(error) }
        if let known = files.segment(named: name) { return (directory, known) }
        if let index = UInt64(name), let known = files.segment(LogIndex(index)) {
            return (directory, known)
        }
        throw CommandFailure(
            .local, "\(path) has no segment \(text); `daybook segment list` shows them")
    }
}

/// One segment, read whole.
struct SegmentView {
    struct Row {
        let header: EntryHeader
        let offset: Int
    }

    let file: SegmentFile
    let header: SegmentHeader?
    private(set) var entries: [Row] = []
    private(set) var damage: [Damage] = []
    let byteCount: Int
    let unfinished: Range<Int>?
    let sha256: Digest
    /// The root of its chunk digests.
    let root: Digest
    private(set) var usage: SegmentUsage?

    init(_ file: SegmentFile, _ bytes: [UInt8]) {
        self.file = file
        let bytes = bytes.span
        var reading = SegmentEntries(
            bytes, file: file, expected: file.descriptor?.header(after: file.previous))
        header = reading.header
        var count = UsageCount(seed: RevisionKey.Seed(0))
        count.begin(cut: reading.header?.compaction?.cut)
        while let step = reading.next(bytes) {
            switch step {
            case .damage(let range, let defect): damage.append(Damage(range, defect.text))
            case .entry(let entry, let offset):
                entries.append(Row(header: entry, offset: offset))
                do throws(EntryDefect) {
                    try count.add(entry, at: offset, in: bytes)
                } catch {
                    let range = offset..<(offset + entry.byteCount)
                    damage.append(Damage(range, LogDefect.entry(error).text))
                }
            }
        }
        usage = count.segments.first
        unfinished = reading.unfinished
        byteCount = file.isLast ? reading.end : bytes.count
        let hash = SHA256()
        hash.begin()
        hash.update(bytes, in: 0..<byteCount)
        sha256 = hash.finishDigest()
        var hasher = ChunkHasher(hash)
        hasher.update(bytes, in: 0..<byteCount)
        root = hasher.finish().root(hash)
        if let descriptor = file.descriptor, descriptor.digest != root, damage.isEmpty {
            damage.append(Damage(0..<bytes.count, LogDefect.digest.text))
        }
    }

    /// Kinds and how many entries are of each, in the order of the kinds.
    private var kinds: [(kind: EntryKind, count: Int)] {
        EntryKind.allCases.compactMap { kind in
            let count = entries.count { $0.header.kind == kind }
            return count > 0 ? (kind, count) : nil
        }
    }

    func text(prefix: String) -> String {
        var lines: [(String, String)] = []
        let region = file.isArchived ? "archive" : "tail"
        lines.append(("segment", "\(prefix)\(file.name)"))
        lines.append(
            ("what", "\(region), generation \(file.generation), \(ByteText.text(byteCount))"))
        if let header {
            lines.append(("cluster", "\(header.clusterID)"))
            lines.append(
                (
                    "begins at",
                    "index \(header.firstIndex), sequence \(header.firstSequence), after an entry of "
                        + "term \(header.previousTerm) with checksum "
                        + HexText.text(header.previousChecksum)
                ))
            if let compaction = header.compaction {
                lines.append(
                    (
                        "compacted",
                        "by entry \(compaction.compaction), cut before sequence \(compaction.cut)"
                    ))
            }
        }
        if let last = entries.last?.header {
            lines.append(
                (
                    "ends at",
                    "index \(last.index), next sequence \(last.nextSequence), term \(last.term)"
                        + (last.kind == .seal ? ", sealed" : ", open")
                ))
        }
        let kinds = kinds.map { "\($0.count) \($0.kind.text)" }.joined(separator: ", ")
        lines.append(("entries", "\(entries.count)" + (kinds.isEmpty ? "" : ": \(kinds)")))
        if let usage {
            lines.append(
                (
                    "events",
                    "\(usage.records) whole, \(usage.stubs) compacted, "
                        + "\(usage.erasedStubs) erased"
                ))
        }
        lines.append(("sha256", "\(sha256)"))
        lines.append(("digest", "\(root)" + digestVerdict))
        if let unfinished {
            lines.append(
                ("behind it", "\(unfinished.count) bytes of a write that was cut, or is under way"))
        }
        for damage in damage { lines.append(("DAMAGED", SegmentVerifyCommand.text(damage))) }
        return lines.map { title, text in
            title + String(repeating: " ", count: max(1, 11 - title.count)) + text + "\n"
        }.joined()
    }

    private var digestVerdict: String {
        guard let descriptor = file.descriptor else { return "" }
        return descriptor.digest == root
            ? ", as the manifest says" : ", but the manifest says \(descriptor.digest)"
    }

    func json(prefix: String) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        object.member("file", prefix + file.name, to: &output)
        object.member("region", file.isArchived ? "archive" : "tail", to: &output)
        object.member("generation", UInt64(file.generation), to: &output)
        object.member("bytes", UInt64(byteCount), to: &output)
        if let header {
            object.member("cluster_id", "\(header.clusterID)", to: &output)
            object.member("first_index", header.firstIndex.value, to: &output)
            object.member("first_sequence", header.firstSequence.value, to: &output)
            object.member("previous_term", header.previousTerm.value, to: &output)
            object.member(
                "previous_checksum", HexText.text(header.previousChecksum), to: &output)
            if let compaction = header.compaction {
                object.member("cut", compaction.cut.value, to: &output)
                object.member("compaction", compaction.compaction.value, to: &output)
                object.member("seal_checksum", HexText.text(compaction.sealChecksum), to: &output)
            }
        }
        if let last = entries.last?.header {
            object.member("last_index", last.index.value, to: &output)
            object.member("next_sequence", last.nextSequence.value, to: &output)
            object.member("sealed", last.kind == .seal, to: &output)
        }
        object.name("entries", to: &output)
        var kinds = JSONObjectWriter(to: &output)
        for (kind, count) in self.kinds { kinds.member(kind.name, UInt64(count), to: &output) }
        kinds.close(to: &output)
        if let usage {
            object.member("records", UInt64(usage.records), to: &output)
            object.member("stubs", UInt64(usage.stubs), to: &output)
            object.member("erased_stubs", UInt64(usage.erasedStubs), to: &output)
        }
        object.member("sha256", "\(sha256)", to: &output)
        object.member("digest", "\(root)", to: &output)
        object.name("damage", to: &output)
        SegmentVerifyCommand.append(damage, to: &output)
        object.close(to: &output)
        output.append(UInt8(ascii: "\n"))
        return output
    }

    func entriesText() -> String {
        var table = Table([
            ("OFFSET", .right), ("INDEX", .right), ("TERM", .right), ("KIND", .left),
            ("TIME", .left), ("BYTES", .right), ("SEQUENCE", .right), ("RECORDS", .right),
        ])
        for row in entries {
            let header = row.header
            var time: [UInt8] = []
            RFC3339.append(header.timestamp, to: &time)
            table.append([
                "\(row.offset)", "\(header.index)", "\(header.term)", header.kind.text,
                String(decoding: time, as: UTF8.self), "\(header.byteCount)",
                "\(header.firstSequence)", "\(header.recordCount)",
            ])
        }
        return table.text(width: .max)
            + damage.map { "DAMAGED \(SegmentVerifyCommand.text($0))\n" }.joined()
    }

    /// One entry a line.
    func entriesJSON() -> [UInt8] {
        var output: [UInt8] = []
        for row in entries {
            let header = row.header
            var time: [UInt8] = []
            RFC3339.append(header.timestamp, to: &time)
            var object = JSONObjectWriter(to: &output)
            object.member("offset", UInt64(row.offset), to: &output)
            object.member("index", header.index.value, to: &output)
            object.member("term", header.term.value, to: &output)
            object.member("kind", header.kind.text, to: &output)
            object.member("time", String(decoding: time, as: UTF8.self), to: &output)
            object.member("bytes", UInt64(header.byteCount), to: &output)
            object.member("first_sequence", header.firstSequence.value, to: &output)
            object.member("records", UInt64(header.recordCount), to: &output)
            object.member("checksum", HexText.text(header.checksum), to: &output)
            object.close(to: &output)
            output.append(UInt8(ascii: "\n"))
        }
        return output
    }
}

/// Checksums for people.
enum HexText {
    /// Eight hexadecimal digits.
    static func text(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}

extension EntryKind {
    /// The name of docs/reference/record-format.md.
    var text: String { "\(name)" }

    var name: StaticString {
        switch self {
        case .genesis: "genesis"
        case .events: "events"
        case .noOperation: "no-operation"
        case .seal: "SEAL"
        case .membership: "MEMBERSHIP"
        case .directory: "directory"
        case .compact: "COMPACT"
        case .compactDone: "COMPACT_DONE"
        case .compactAbandoned: "COMPACT_ABANDONED"
        case .collect: "GC"
        case .erase: "ERASE"
        case .checkpoint: "CHECKPOINT"
        case .upgrade: "UPGRADE"
        }
    }
}
