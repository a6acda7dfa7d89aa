import Linux
import Records

/// What a process tells its operator: one line an event on standard error.
///
/// `2026-11-24T08:00:00.000000Z level=info from=node-1 event="leads" term=3`
package struct ServerLog: Sendable {
    package enum Level: String, Sendable { case info, warning, error }

    /// Who speaks, such as `node-1` or `gateway`.
    package let source: String

    package init(source: String) { self.source = source }

    /// Writes one line. Values with spaces or quotes are quoted.
    package func write(_ level: Level, _ event: String, _ fields: [(String, String)] = []) {
        let time = RFC3339.text(Timestamp(microseconds: Clock.wallMicroseconds()))
        var line = "\(time) level=\(level.rawValue) from=\(source) event=\(quoted(event))"
        for (name, value) in fields { line += " \(name)=\(quoted(value))" }
        StandardStream.error.write(line + "\n")
    }

    private func quoted(_ value: String) -> String {
        let isPlain =
            !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 < 0x7F }
        if isPlain { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case _ where scalar.value < 0x20: text += " "
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}
