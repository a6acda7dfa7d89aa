import JSON
import Linux
import SegmentInspection
import SegmentLog

/// `daybook segment verify`: every byte of a node's directory against all that is known of it.
enum SegmentVerifyCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let directory = try InspectedDirectory(arguments.value("data") ?? "")
        let isJSON = arguments.isSet("json")
        var damaged: [FileReport] = []
        var count = 0
        var progress: ScanProgress
        do throws(DiskError) {
            let total = try SegmentFiles(disk: directory.disk).byteCount(on: directory.disk)
            progress = ScanProgress("verifying", total: total)
            var verification = Verification(disk: directory.disk)
            try verification.run {
                progress.add($0)
            } report: { report in
                progress.clear()
                count += 1
                if !report.damage.isEmpty { damaged.append(report) }
                StandardStream.output.write(
                    isJSON
                        ? json(report, prefix: directory.prefix)
                        : Array(line(report, prefix: directory.prefix).utf8))
            }
        } catch { throw directory.failure(error) }
        progress.clear()
        if !isJSON {
            StandardStream.output.write(
                summary(damaged, count: count, speed: progress.speed(), directory))
        }
        return damaged.isEmpty ? .done : .refused
    }

    /// One line of a file, and one of each damaged range.
    static func line(_ report: FileReport, prefix: String) -> String {
        let verdict = report.damage.isEmpty ? "ok     " : "DAMAGED"
        let size = ByteText.text(report.byteCount)
        let padding = String(repeating: " ", count: max(0, 10 - size.count))
        return "\(verdict)  \(padding)\(size)  \(prefix)\(report.file): \(report.contents)\n"
            + report.damage.map { "         \(text($0))\n" }.joined()
    }

    static func text(_ damage: Damage) -> String {
        damage.range.isEmpty
            ? damage.reason
            : "bytes \(damage.range.lowerBound) to \(damage.range.upperBound - 1): \(damage.reason)"
    }

    static func json(_ report: FileReport, prefix: String) -> [UInt8] {
        var output: [UInt8] = []
        var object = JSONObjectWriter(to: &output)
        object.member("file", prefix + report.file, to: &output)
        object.member("bytes", UInt64(report.byteCount), to: &output)
        object.member("ok", report.damage.isEmpty, to: &output)
        object.member("contents", report.contents, to: &output)
        object.name("damage", to: &output)
        append(report.damage, to: &output)
        object.close(to: &output)
        output.append(UInt8(ascii: "\n"))
        return output
    }

    /// `from` to before `to`.
    static func append(_ damage: [Damage], to output: inout [UInt8]) {
        var array = JSONArrayWriter(to: &output)
        for damage in damage {
            array.element(to: &output)
            var object = JSONObjectWriter(to: &output)
            object.member("from", UInt64(damage.range.lowerBound), to: &output)
            object.member("to", UInt64(damage.range.upperBound), to: &output)
            object.member("reason", damage.reason, to: &output)
            object.close(to: &output)
        }
        array.close(to: &output)
    }

    private static func summary(
        _ damaged: [FileReport], count: Int, speed: String, _ directory: InspectedDirectory
    ) -> String {
        let head = "\n\(count) files, \(speed)\n"
        guard !damaged.isEmpty else { return head + "All of it is as it was written.\n" }
        let ranges = damaged.reduce(0) { $0 + $1.damage.count }
        return head + "\(ranges) damaged places in \(damaged.count) files:\n"
            + damaged.flatMap { report in
                report.damage.map { "  \(directory.prefix)\(report.file): \(text($0))\n" }
            }.joined()
    }
}
