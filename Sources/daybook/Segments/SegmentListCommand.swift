import Crypto
import JSON
import Linux
import Records
import SegmentInspection
import SegmentLog

/// `daybook segment list`: what of a node's log is where.
enum SegmentListCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let directory = try InspectedDirectory(arguments.value("data") ?? "")
        let listing = try read(directory)
        if arguments.isSet("json") {
            StandardStream.output.write(json(listing, prefix: directory.prefix))
        } else {
            StandardStream.output.write(
                try text(
                    listing, directory, picture: .forOutput(),
                    columns: SegmentPicture.columns()))
        }
        let damaged = listing.rows.filter { !$0.damage.isEmpty }
        for row in damaged {
            StandardStream.error.write(
                "daybook: \(directory.prefix)\(row.file.name) is damaged; what cannot be read is "
                    + "counted nowhere. See `daybook segment inspect \(row.file.firstIndex)`\n")
        }
        return damaged.isEmpty ? .done : .refused
    }

    static func read(_ directory: InspectedDirectory) throws(CommandFailure) -> SegmentListing {
        let seed = RevisionKey.Seed(high: RandomBytes.makeSeed(), low: RandomBytes.makeSeed())
        do throws(DiskError) {
            let total = try SegmentFiles(disk: directory.disk).byteCount(on: directory.disk)
            var progress = ScanProgress("reading", total: total)
            defer { progress.clear() }
            return try SegmentListing(disk: directory.disk, seed: seed) { progress.add($0) }
        } catch { throw directory.failure(error) }
    }

    /// One object a line in one array, by first sequence.
    static func json(_ listing: SegmentListing, prefix: String) -> [UInt8] {
        var output: [UInt8] = []
        var array = JSONArrayWriter(to: &output)
        for row in listing.rows {
            array.element(to: &output)
            output.append(UInt8(ascii: "\n"))
            append(row, prefix: prefix, to: &output)
        }
        if !listing.rows.isEmpty { output.append(UInt8(ascii: "\n")) }
        array.close(to: &output)
        output.append(UInt8(ascii: "\n"))
        return output
    }

    static func append(_ row: SegmentRow, prefix: String, to output: inout [UInt8]) {
        var object = JSONObjectWriter(to: &output)
        object.member("file", prefix + row.file.name, to: &output)
        object.member("region", region(row), to: &output)
        object.member("generation", UInt64(row.file.generation), to: &output)
        object.member("first_sequence", row.firstSequence.value, to: &output)
        object.name("last_sequence", to: &output)
        if row.nextSequence > row.firstSequence {
            JSONWriter.append(row.nextSequence.value - 1, to: &output)
        } else {
            JSONWriter.appendNull(to: &output)
        }
        object.member("bytes", UInt64(row.byteCount), to: &output)
        object.member("live_bytes", UInt64(row.usage.liveBytes), to: &output)
        object.member("superseded_bytes", UInt64(row.usage.supersededBytes), to: &output)
        object.member("erased_bytes", UInt64(row.usage.erasedBytes), to: &output)
        object.member("sha256", "\(row.sha256)", to: &output)
        object.close(to: &output)
    }

    static func region(_ row: SegmentRow) -> String { row.file.isArchived ? "archive" : "tail" }

    static func text(
        _ listing: SegmentListing, _ directory: InspectedDirectory, picture: SegmentPicture,
        columns: Int
    ) throws(CommandFailure) -> String {
        let rows = listing.rows
        let cells = rows.map { row in
            [
                "\(row.file.firstIndex)", region(row), "\(row.file.generation)",
                sequences(row), ByteText.text(row.byteCount),
                ByteText.share(row.usage.liveBytes, of: row.byteCount),
                ByteText.share(row.usage.supersededBytes, of: row.byteCount),
                ByteText.share(row.usage.erasedBytes, of: row.byteCount),
            ]
        }
        let titles: [(title: String, alignment: Table.Alignment)] = [
            ("FIRST-INDEX", .right), ("REGION", .left), ("GEN", .right), ("SEQUENCES", .right),
            ("SIZE", .right), ("LIVE", .right), ("SUPERSEDED", .right), ("ERASED", .right),
        ]
        let used = titles.indices.reduce(0) { sum, column in
            sum + 2 + ((cells.map { $0[column].count } + [titles[column].title.count]).max() ?? 0)
        }
        let width = min(max(columns - used, 12), 64)
        let largest = rows.map(\.byteCount).max() ?? 0
        var table = Table(titles + [("PICTURE", .left)])
        for (row, cells) in zip(rows, cells) {
            table.append(
                cells + [
                    picture.bar(
                        row.usage, byteCount: row.byteCount, largest: largest, width: width)
                ])
        }
        return table.text(width: .max) + "\n" + (try totals(listing, directory)) + picture.legend
            + "\n"
    }

    private static func sequences(_ row: SegmentRow) -> String {
        guard row.nextSequence > row.firstSequence else { return "-" }
        return "\(row.firstSequence)-\(row.nextSequence.value - 1)"
    }

    private static func totals(
        _ listing: SegmentListing, _ directory: InspectedDirectory
    ) throws(CommandFailure) -> String {
        let rows = listing.rows
        let bytes = rows.reduce(0) { $0 + $1.byteCount }
        let live = rows.reduce(0) { $0 + $1.usage.liveBytes }
        let superseded = rows.reduce(0) { $0 + $1.usage.supersededBytes }
        let erased = rows.reduce(0) { $0 + $1.usage.erasedBytes }
        let archived = rows.count { $0.file.isArchived }
        let compacted = rows.count { $0.file.generation > 0 }
        func part(_ name: String, _ count: Int) -> String {
            "\(name) \(ByteText.text(count)) (\(ByteText.share(count, of: bytes)))"
        }
        var text =
            "\(rows.count) segments of \(ByteText.text(bytes)) in all: \(archived) in the archive, "
            + "\(compacted) compacted\n"
            + [
                part("live", live), part("superseded", superseded), part("erased", erased),
                part("other", bytes - live - superseded - erased),
            ].joined(separator: ", ") + "\n"
        do throws(DiskError) {
            var besides = 0
            for name in listing.files.others {
                besides += try directory.disk.byteCount(of: name) ?? 0
            }
            if besides > 0 {
                text +=
                    "besides, \(ByteText.text(besides)) in \(listing.files.others.count) files of "
                    + "other generations, which a compaction makes or removes\n"
            }
        } catch { throw directory.failure(error) }
        return text
    }
}

extension SegmentFiles {
    /// Bytes of the segments' files.
    func byteCount(on disk: DirectoryDisk) throws(DiskError) -> Int {
        var sum = 0
        for segment in segments { sum += try disk.byteCount(of: segment.name) ?? 0 }
        return sum
    }
}
