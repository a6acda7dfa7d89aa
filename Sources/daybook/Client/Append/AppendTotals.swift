import JSON

/// What became of the events of one run.
struct AppendTotals: Equatable {
    var recorded: UInt64 = 0
    var duplicates: UInt64 = 0
    var refused: UInt64 = 0
    var notRecorded: UInt64 = 0
    var lastSequence: UInt64?

    var lines: UInt64 { recorded + duplicates + refused + notRecorded }

    mutating func count(_ answer: LineAnswer) {
        switch answer {
        case .recorded(let sequence):
            recorded += 1
            lastSequence = max(lastSequence ?? 0, sequence)
        case .duplicate(let sequence):
            duplicates += 1
            lastSequence = max(lastSequence ?? 0, sequence)
        case .refused: refused += 1
        case .transient, .fatal: preconditionFailure("\(answer) settles nothing")
        }
    }

    var text: String {
        "\(lines) events: \(recorded) recorded, \(duplicates) already there, \(refused) refused"
            + (notRecorded > 0 ? ", \(notRecorded) not recorded" : "") + "\n"
    }

    func json(milliseconds: UInt64, nextLine: UInt64) -> [UInt8] {
        var line: [UInt8] = []
        var object = JSONObjectWriter(to: &line)
        object.member("lines", lines, to: &line)
        object.member("recorded", recorded, to: &line)
        object.member("duplicates", duplicates, to: &line)
        object.member("refused", refused, to: &line)
        object.member("not_recorded", notRecorded, to: &line)
        object.name("seconds", to: &line)
        let fraction = String(milliseconds % 1_000 + 1_000).dropFirst()
        line.append(contentsOf: "\(milliseconds / 1_000).\(fraction)".utf8)
        object.name("last_sequence", to: &line)
        line.append(contentsOf: (lastSequence.map { "\($0)" } ?? "null").utf8)
        object.member("next_line", nextLine, to: &line)
        object.close(to: &line)
        return line + [0x0A]
    }
}
