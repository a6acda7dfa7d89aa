import HTTPWire
import Linux

/// `daybook append`: posts the events of a file in its order until each is recorded or refused.
enum AppendCommand {
    static func run(_ arguments: Arguments) throws -> ExitCode {
        let input = arguments.positional[0]
        let now = Clock.monotonicNanoseconds()
        let wait = try arguments.number("wait", in: 0...86_400) ?? Patience.standardSeconds
        var fromLine = try arguments.number("from-line", in: 1...UInt64(Int64.max))
        var checkpoint = arguments.value("checkpoint").map {
            AppendCheckpoint(path: $0, input: input)
        }
        if let line = try checkpoint?.read(), fromLine == nil { fromLine = line }
        let client = try HTTPClient(arguments)
        let reader = try EventLineReader(input)
        let progress = ProgressLine(
            total: reader.size, isShown: StandardStream.error.isTerminal, now: now)
        var run = AppendRun(
            client: client, reader: reader, patience: Patience(seconds: wait, now: now),
            checkpoint: checkpoint, progress: progress)
        let end = run.carryOut(from: fromLine ?? 1)
        let milliseconds = (Clock.monotonicNanoseconds() - now) / 1_000_000
        StandardStream.output.write(
            arguments.isSet("json")
                ? run.totals.json(milliseconds: milliseconds, nextLine: run.nextLine)
                : Array(run.totals.text.utf8))
        return try conclude(end, run.totals, nextLine: run.nextLine)
    }

    private static func conclude(
        _ failure: CommandFailure?, _ totals: AppendTotals, nextLine: UInt64
    ) throws -> ExitCode {
        guard let failure else { return totals.refused > 0 ? .refused : .done }
        throw CommandFailure(
            failure.code, "\(failure.description); go on with --from-line \(nextLine)")
    }
}

/// One run over the lines of an input.
struct AppendRun: ~Copyable {
    /// Refused lines that are shown; more are counted.
    static let reportLimit = 20
    static let answerLineLimit = 1_024 * 1_024

    private let client: HTTPClient
    private var reader: EventLineReader
    private var patience: Patience
    private var checkpoint: AppendCheckpoint?
    private var progress: ProgressLine
    private var window = AppendWindow()
    /// A line that was read and found no room in the window.
    private var held: EventLine?
    private(set) var totals = AppendTotals()
    /// Everything before this line is recorded or refused.
    private(set) var nextLine: UInt64 = 1

    /// How an attempt at the window ended.
    private enum Attempt {
        /// Every event has its last word.
        case whole
        /// Some are to be sent again.
        case interrupted(String, retryAfterSeconds: UInt64?)
        /// The service will not take them.
        case refused(ServiceRefusal)
    }

    init(
        client: HTTPClient, reader: consuming EventLineReader, patience: Patience,
        checkpoint: AppendCheckpoint?, progress: ProgressLine
    ) {
        self.client = client
        self.reader = reader
        self.patience = patience
        self.checkpoint = checkpoint
        self.progress = progress
    }

    /// Sends everything from line `first` on. Returns why it could not, nil when it could.
    mutating func carryOut(from first: UInt64) -> CommandFailure? {
        var failure: CommandFailure?
        nextLine = first
        do {
            try skip(to: first)
            try sendAll()
        } catch let error as CommandFailure {
            failure = error
        } catch {
            failure = CommandFailure(.local, "\(error)")
        }
        progress.clear()
        if totals.refused > Self.reportLimit {
            StandardStream.error.write(
                "and \(totals.refused - UInt64(Self.reportLimit)) more refused lines\n")
        }
        if failure != nil { countRest() }
        do throws(SystemError) {
            try keepCheckpoint(isLast: true)
        } catch {
            failure = failure ?? .local(error)
        }
        return failure
    }

    private mutating func skip(to first: UInt64) throws(SystemError) {
        while held == nil, let line = try reader.next(mayWait: true) {
            if line.number >= first { held = line }
        }
        progress.begin(bytes: reader.consumedBytes)
    }

    private mutating func sendAll() throws {
        while true {
            try fill()
            guard !window.isEmpty else { return }
            while !window.isEmpty { try sendWindow() }
        }
    }

    /// Reads lines until the window is full, the input is at its end, or, where somebody writes
    /// the input right now, nothing more has come.
    private mutating func fill() throws(SystemError) {
        while true {
            let mayWait = reader.isFile || window.isEmpty
            var next = held.take()
            if next == nil { next = try reader.next(mayWait: mayWait) }
            guard let line = next else { return }
            guard !line.isTooLong, window.hasRoom(for: line) else {
                guard line.isTooLong, window.isEmpty else {
                    held = line
                    return
                }
                report(line, "longer than \(EventLineCutter.lineLimit) bytes")
                totals.refused += 1
                nextLine = line.number + 1
                continue
            }
            window.append(line)
        }
    }

    /// One attempt at the window, and the pause behind it where it did not settle everything.
    private mutating func sendWindow() throws {
        let attempt = attempt()
        let settled = window.removeSettled()
        for event in settled { settle(event) }
        let now = Clock.monotonicNanoseconds()
        if !settled.isEmpty { patience.progress(now: now) }
        try keepCheckpoint(isLast: false)
        progress.draw(events: totals.lines, bytes: reader.consumedBytes, now: now)
        switch attempt {
        case .whole: break
        case .refused(let refusal): throw refusal.failure
        case .interrupted(let reason, let seconds):
            guard let pause = patience.pause(now: now, retryAfterSeconds: seconds) else {
                throw CommandFailure(
                    .notReady, Printable.text("no progress for too long (\(reason))"))
            }
            progress.say("waiting: \(Printable.text(reason))")
            client.pause(nanoseconds: pause)
        }
    }

    private mutating func settle(_ event: AppendWindow.Settled) {
        totals.count(event.answer)
        if case .refused(let refusal) = event.answer {
            report(event.line, refusal.description, isCounted: true)
        }
        nextLine = event.line.number + 1
    }

    /// Sends the window once and takes its answers as they come.
    private mutating func attempt() -> Attempt {
        let request = HTTPRequest(
            method: "POST", target: "/v1/events", contentType: "application/x-ndjson",
            body: window.begin())
        do throws(HTTPFailure) {
            let head = try client.send(request)
            if head.status == 200 { return try takeAnswers() }
            let body = try client.collectBody(limit: Self.answerLineLimit)
            let refusal = ServiceRefusal(head, body)
            guard refusal.isTransient else { return .refused(refusal) }
            return .interrupted(
                refusal.description, retryAfterSeconds: refusal.retryAfterSeconds)
        } catch {
            return .interrupted("\(error)", retryAfterSeconds: nil)
        }
    }

    private mutating func takeAnswers() throws(HTTPFailure) -> Attempt {
        var bytes: [UInt8] = []
        while try client.readBody(into: &bytes) {
            var start = 0
            while let feed = bytes[start...].firstIndex(of: 0x0A) {
                guard let answer = LineAnswer(Array(bytes[start..<feed])), window.take(answer)
                else {
                    client.drop()
                    return .interrupted(
                        "the answer does not fit the events", retryAfterSeconds: nil)
                }
                start = feed + 1
            }
            bytes.removeSubrange(0..<start)
            guard bytes.count <= Self.answerLineLimit else {
                client.drop()
                throw .tooLong(Self.answerLineLimit)
            }
        }
        switch window.interruption {
        case .fatal(let refusal)?: return .refused(refusal)
        case .transient(let refusal)?:
            return .interrupted(refusal.description, retryAfterSeconds: nil)
        default: break
        }
        guard window.isAnswered else {
            return .interrupted("the answer ended before the last event", retryAfterSeconds: nil)
        }
        return .whole
    }

    // MARK: Telling

    private mutating func report(_ line: EventLine, _ reason: String, isCounted: Bool = false) {
        guard totals.refused < UInt64(Self.reportLimit) + (isCounted ? 1 : 0) else { return }
        progress.clear()
        StandardStream.error.write("line \(line.number): \(Printable.text(reason))\n")
    }

    private mutating func keepCheckpoint(isLast: Bool) throws(SystemError) {
        try checkpoint?.write(
            nextLine: nextLine, now: Clock.monotonicNanoseconds(), isLast: isLast)
    }

    /// Counts what is not sent. What somebody would still have to write is not waited for.
    private mutating func countRest() {
        totals.notRecorded += UInt64(window.count) + (held == nil ? 0 : 1)
        guard reader.isFile else { return }
        while let line = try? reader.next(mayWait: true) {
            if line.number >= nextLine { totals.notRecorded += 1 }
        }
    }
}
