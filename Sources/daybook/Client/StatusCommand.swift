import JSON
import Linux

/// `daybook status`: what the cluster is and whether it takes events.
enum StatusCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let client = try HTTPClient(arguments)
        let body = try client.answer(to: HTTPRequest(target: "/v1/cluster"))
        let (text, serves) = try describe(body)
        StandardStream.output.write(
            arguments.isSet("json") ? body + (body.last == 0x0A ? [] : [0x0A]) : Array(text.utf8))
        return serves ? .done : .notReady
    }

    /// The cluster's state for people, and whether it takes events.
    static func describe(_ body: [UInt8]) throws(CommandFailure) -> (text: String, serves: Bool) {
        let answer = try JSONAnswer(body)
        let root = answer.document.root
        let serves = answer.isTrue("serves", root)
        var table = Table([
            ("NODE", .right), ("ADDRESS", .left), ("ROLE", .left), ("TERM", .right),
            ("COMMIT", .right), ("APPLIED", .right), ("LAG", .right), ("FREE", .right),
            ("DAYS LEFT", .right), ("REACHABLE", .left),
        ])
        for node in answer.elements("nodes", root) {
            table.append([
                answer.text("id", node), answer.text("address", node), answer.text("role", node),
                answer.text("term", node), answer.text("commit", node),
                answer.text("applied", node), answer.text("lag_entries", node),
                free(of: node, in: answer), answer.text("days_left", node),
                answer.isTrue("reachable", node) ? "yes" : "no",
            ])
        }
        let leader = answer.text("leader", root)
        let verdict =
            serves
            ? "takes events: node \(leader) leads in term \(answer.text("term", root))"
            : "takes no events at the moment: no node leads with a majority behind it"
        let text =
            Printable.text("cluster \(answer.text("cluster_id", root)), ")
            + Printable.text("version \(answer.text("version", root))") + "\n"
            + Printable.text(verdict) + "\n" + compaction(answer) + takeovers(answer)
            + mail(answer)
            + table.text(width: .max)
        return (text, serves)
    }

    /// One line on compactions; none when there was none and nothing is held.
    private static func compaction(_ answer: JSONAnswer) -> String {
        guard let log = answer.member("compaction", answer.document.root) else { return "" }
        var parts: [String] = []
        if let run = answer.member("run", log), answer.text("id", run) != "-" {
            parts.append(
                "compaction \(answer.text("id", run)) (\(answer.text("policy", run))) "
                    + "\(answer.text("state", run)): \(answer.text("done_segments", run)) of "
                    + "\(answer.text("segments", run)) segments")
        }
        if case let count = answer.text("pending_erasures", log), count != "0" {
            parts.append("\(count) erased ids are in files yet")
        }
        if case let count = answer.text("holds", log), count != "0" {
            parts.append("\(count) legal holds")
        }
        return parts.isEmpty ? "" : Printable.text(parts.joined(separator: "; ")) + "\n"
    }

    /// One line for each node that takes over a peer's archive.
    private static func takeovers(_ answer: JSONAnswer) -> String {
        func mebibytes(_ name: StaticString, _ part: Int) -> UInt64 {
            (UInt64(answer.text(name, part)) ?? 0) / 1_048_576
        }
        let lines = answer.elements("nodes", answer.document.root).compactMap { node in
            answer.member("takeover", node).map { part in
                "node \(answer.text("id", node)) is far behind and takes over a peer's archive: "
                    + "\(mebibytes("fetched_bytes", part)) of "
                    + "\(mebibytes("total_bytes", part)) MiB"
            }
        }
        return lines.map { Printable.text($0) + "\n" }.joined()
    }

    /// One line on mail; none when none is owed and everything was read.
    private static func mail(_ answer: JSONAnswer) -> String {
        guard let mail = answer.member("mail", answer.document.root) else { return "" }
        var parts: [String] = []
        if case let count = answer.text("owed", mail), count != "0" {
            parts.append("\(count) mails are owed, since \(answer.text("oldest_owed_at", mail))")
        }
        if case let count = answer.text("unread_notifications", mail), count != "0" {
            parts.append("\(count) unread notifications (daybook notification list)")
        }
        return parts.isEmpty ? "" : Printable.text(parts.joined(separator: "; ")) + "\n"
    }

    /// Free bytes of the node's disk in MiB, marked where that is too little for events.
    private static func free(of node: Int, in answer: JSONAnswer) -> String {
        guard let bytes = UInt64(answer.text("disk_free_bytes", node)),
            answer.text("disk_total_bytes", node) != "0"
        else { return "" }
        return "\(bytes / 1_048_576) MiB" + (answer.isTrue("disk_low", node) ? " LOW" : "")
    }
}
