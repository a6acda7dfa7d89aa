import Linux

/// How much of a long reading is done: a line on the terminal, from the second second on.
struct ScanProgress {
    static let patienceNanoseconds: UInt64 = 1_000_000_000
    static let intervalNanoseconds: UInt64 = 100_000_000
    static let barWidth = 24

    private let total: Int
    private let verb: String
    private let isShown: Bool
    private let startedAt: UInt64
    private var drawnAt: UInt64
    private(set) var bytes = 0
    private var hasLine = false

    /// `total` bytes are there to be read; more may come.
    init(
        _ verb: String, total: Int, isShown: Bool = StandardStream.error.isTerminal,
        now: UInt64 = Clock.monotonicNanoseconds()
    ) {
        self.verb = verb
        self.total = total
        self.isShown = isShown
        startedAt = now
        drawnAt = now + Self.patienceNanoseconds
    }

    mutating func add(_ count: Int, now: UInt64 = Clock.monotonicNanoseconds()) {
        bytes += count
        guard isShown, now >= drawnAt else { return }
        drawnAt = now + Self.intervalNanoseconds
        hasLine = true
        let columns = StandardStream.error.terminalColumns ?? 80
        let line = text(nanoseconds: now - startedAt)
        StandardStream.error.write("\r\u{1B}[K" + line.prefix(max(columns - 1, 1)))
    }

    /// Takes the line away.
    mutating func clear() {
        guard hasLine else { return }
        hasLine = false
        StandardStream.error.write("\r\u{1B}[K")
    }

    /// How long it took, and how fast it was.
    func speed(now: UInt64 = Clock.monotonicNanoseconds()) -> String {
        let seconds = max(Double(now - startedAt) / 1e9, 0.001)
        let tenths = UInt64(seconds * 10 + 0.5)
        return "\(ByteText.text(bytes)) read in \(tenths / 10).\(tenths % 10) s, "
            + "\(UInt64(Double(bytes) / seconds / 1e6)) MB/s"
    }

    func text(nanoseconds: UInt64) -> String {
        let seconds = max(Double(nanoseconds) / 1e9, 0.001)
        let share = total > 0 ? min(Double(bytes) / Double(total), 1) : 0
        let filled = Int(share * Double(Self.barWidth))
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: ".", count: Self.barWidth - filled)
        var text =
            "\(verb) [\(bar)] \(Int(share * 100))%  "
            + "\(ByteText.text(bytes)), \(UInt64(Double(bytes) / seconds / 1e6)) MB/s"
        if share > 0 {
            text += "  ETA \(ProgressLine.clock(UInt64(seconds / share * (1 - share))))"
        }
        return text
    }
}

/// Numbers of bytes for people.
enum ByteText {
    /// `512 B`, `16.0 MiB`.
    static func text(_ count: Int) -> String {
        guard count >= 1_024 else { return "\(count) B" }
        var unit = 0
        var tenths = count * 10 / 1_024
        while tenths >= 10_240, unit < 3 {
            tenths /= 1_024
            unit += 1
        }
        return "\(tenths / 10).\(tenths % 10) \(["KiB", "MiB", "GiB", "TiB"][unit])"
    }

    /// `37%` of `whole`; `<1%` for the little that is not nothing.
    static func share(_ part: Int, of whole: Int) -> String {
        guard part > 0, whole > 0 else { return "0%" }
        let percent = (part * 100 + whole / 2) / whole
        return percent == 0 ? "<1%" : "\(percent)%"
    }
}
