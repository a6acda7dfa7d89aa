/// The events that are sent together, and what is known of each.
///
/// Events are settled from the front alone: from the first one that is not recorded for certain,
/// all are sent again, so that events of one unique_id keep the order of the file. One that was
/// recorded behind it is then a duplicate of itself, and counts as recorded.
struct AppendWindow {
    static let lineLimit = 512
    static let byteLimit = 1_024 * 1_024

    /// The last word on one event.
    struct Settled: Equatable {
        let line: EventLine
        let answer: LineAnswer
    }

    private struct Entry {
        let line: EventLine
        var answer: LineAnswer?
    }

    private var entries: [Entry] = []
    private var byteCount = 0
    /// How many entries the attempt has answers for.
    private var answered = 0
    /// How many from the front are settled by the attempt.
    private var settledCount = 0
    /// The answer that ended the settled front.
    private(set) var interruption: LineAnswer?

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    var firstNumber: UInt64? { entries.first?.line.number }
    /// Whether every event has an answer.
    var isAnswered: Bool { answered == entries.count }

    func hasRoom(for line: EventLine) -> Bool {
        entries.isEmpty
            || entries.count < Self.lineLimit
                && byteCount + line.content.count + 1 <= Self.byteLimit
    }

    mutating func append(_ line: EventLine) {
        precondition(hasRoom(for: line), "\(entries.count) lines of \(byteCount) bytes")
        entries.append(Entry(line: line))
        byteCount += line.content.count + 1
    }

    /// Begins an attempt: the body of its request, one event a line.
    mutating func begin() -> [UInt8] {
        answered = 0
        settledCount = 0
        interruption = nil
        var body: [UInt8] = []
        body.reserveCapacity(byteCount)
        for entry in entries {
            body.append(contentsOf: entry.line.content)
            body.append(0x0A)
        }
        return body
    }

    /// Takes the answer to the next event. False when no event is left to be answered.
    mutating func take(_ answer: LineAnswer) -> Bool {
        guard answered < entries.count else { return false }
        switch (answer, entries[answered].answer) {
        case (.duplicate, .recorded?): break
        default: entries[answered].answer = answer
        }
        answered += 1
        switch answer {
        case .recorded, .duplicate, .refused:
            if interruption == nil { settledCount = answered }
        case .transient, .fatal:
            interruption = interruption ?? answer
        }
        return true
    }

    /// Takes the settled events out; the rest is for the next attempt.
    mutating func removeSettled() -> [Settled] {
        let settled = entries[..<settledCount].map { entry in
            guard let answer = entry.answer else {
                preconditionFailure("line \(entry.line.number) settled without an answer")
            }
            return Settled(line: entry.line, answer: answer)
        }
        entries.removeFirst(settledCount)
        byteCount = entries.reduce(0) { $0 + $1.line.content.count + 1 }
        answered = 0
        settledCount = 0
        return settled
    }
}
