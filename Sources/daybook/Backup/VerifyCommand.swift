import Linux
import Records
import SegmentInspection
import SegmentLog

/// `daybook verify DIR`: whether a backup, or a node's directory, is as it was written.
enum VerifyCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let directory = try InspectedDirectory(arguments.positional[0])
        let isJSON = arguments.isSet("json")
        let marker = try marker(of: directory)
        var damaged: [FileReport] = []
        var count = 0
        let progress: ScanProgress
        do throws(DiskError) {
            (progress, damaged, count) = try verify(directory, isNode: marker == nil, isJSON)
        } catch { throw directory.failure(error) }
        if let marker, let report = try shortfall(of: directory, marker) {
            damaged.append(report)
            count += 1
        }
        if !isJSON {
            StandardStream.output.write(
                text(
                    directory, marker, damaged, count: count, speed: progress.speed()))
        }
        return damaged.isEmpty ? .done : .refused
    }

    private enum Marker {
        case whole(BackupMarker)
        case damaged(Int)
    }

    /// nil for a node's directory.
    private static func marker(
        of directory: InspectedDirectory
    ) throws(CommandFailure) -> Marker? {
        do throws(DiskError) {
            guard try directory.disk.byteCount(of: FileName.identity) == nil,
                let bytes = try directory.disk.contents(of: BackupMarker.name)
            else { return nil }
            return BackupMarker(bytes).map { .whole($0) } ?? .damaged(bytes.count)
        } catch { throw directory.failure(error) }
    }

    private static func verify(
        _ directory: InspectedDirectory, isNode: Bool, _ isJSON: Bool
    ) throws(DiskError) -> (ScanProgress, [FileReport], Int) {
        var damaged: [FileReport] = []
        var count = 0
        let total = try SegmentFiles(disk: directory.disk).byteCount(on: directory.disk)
        var progress = ScanProgress("verifying", total: total)
        var verification = Verification(disk: directory.disk, isNode: isNode)
        try verification.run {
            progress.add($0)
        } report: { report in
            count += 1
            if !report.damage.isEmpty { damaged.append(report) }
            if isJSON {
                progress.clear()
                StandardStream.output.write(
                    SegmentVerifyCommand.json(report, prefix: directory.prefix))
            }
        }
        progress.clear()
        return (progress, damaged, count)
    }

    /// A backup must reach as far as its last run said.
    private static func shortfall(
        of directory: InspectedDirectory, _ marker: Marker
    ) throws(CommandFailure) -> FileReport? {
        guard case .whole(let marker) = marker else {
            return FileReport(
                BackupMarker.name, 0, "what the backup is", [Damage(0..<0, "not readable")])
        }
        do throws(DiskError) {
            let manifest = try SegmentFiles(disk: directory.disk).manifest
            let last = manifest?.lastIndex.value ?? 0
            if last >= marker.lastIndex, manifest?.clusterID == marker.clusterID { return nil }
            return FileReport(
                BackupMarker.name, 0, "what the backup is",
                [
                    Damage(
                        0..<0,
                        "made through entry \(marker.lastIndex) of cluster \(marker.clusterID), but "
                            + "the manifest ends with entry \(last)")
                ])
        } catch { throw directory.failure(error) }
    }

    private static func text(
        _ directory: InspectedDirectory, _ marker: Marker?, _ damaged: [FileReport], count: Int,
        speed: String
    ) -> String {
        var text = directory.path + ": "
        switch marker {
        case nil: text += "a node's directory\n"
        case .damaged: text += "a backup\n"
        case .whole(let marker):
            text +=
                "a backup of cluster \(marker.clusterID), made \(marker.createdAt): "
                + "\(marker.events)\n"
        }
        text += "\(count) files, \(speed)\n"
        guard !damaged.isEmpty else { return text + "All of it is as it was written.\n" }
        for report in damaged {
            text += "\nDAMAGED  \(directory.prefix)\(report.file), \(report.contents)\n"
            for damage in report.damage {
                text += "         \(SegmentVerifyCommand.text(damage))\n"
            }
        }
        let advice =
            marker == nil
            ? "The node's archive is the same on every node of its cluster; see "
                + "docs/guides/operating.md, \"A damaged segment\"."
            : "Remove what is damaged and run `daybook backup` again while the cluster is there: it "
                + "copies what is missing."
        return text + "\n" + advice + "\n"
    }
}
