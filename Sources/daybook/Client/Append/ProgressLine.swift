import Linux

/// One line of progress on the terminal, drawn over itself. Nothing where nobody looks.
struct ProgressLine {
    static let intervalNanoseconds: UInt64 = 100_000_000
    static let barWidth = 24

    private let isShown: Bool
    private let total: UInt64?
    private let startedAt: UInt64
    private var startBytes: UInt64 = 0
    private var drawnAt: UInt64 = 0

    /// `total` are the bytes of the input, nil where its end is not known.
    init(total: UInt64?, isShown: Bool, now: UInt64) {
        self.total = total
        self.isShown = isShown
        startedAt = now
    }

    /// Bytes that were passed over before the work began.
    mutating func begin(bytes: UInt64) { startBytes = bytes }

    mutating func draw(events: UInt64, bytes: UInt64, now: UInt64) {
        guard isShown, now >= drawnAt + Self.intervalNanoseconds else { return }
        drawnAt = now
        let text = Self.text(
            events: events, bytes: bytes - startBytes,
            total: total.map { $0 - min($0, startBytes) }, nanoseconds: now - startedAt)
        show(text)
    }

    /// Shows why nothing moves.
    mutating func say(_ text: String) {
        guard isShown else { return }
        drawnAt = Clock.monotonicNanoseconds()
        show(text)
    }

    private func show(_ text: String) {
        let columns = StandardStream.error.terminalColumns ?? 80
        StandardStream.error.write("\r\u{1B}[K" + text.prefix(max(columns - 1, 1)))
    }

    /// Takes the line away, so that something else can be written there.
    mutating func clear() {
        guard isShown, drawnAt > 0 else { return }
        drawnAt = 0
        StandardStream.error.write("\r\u{1B}[K")
    }

    static func text(
        events: UInt64, bytes: UInt64, total: UInt64?, nanoseconds: UInt64
    ) -> String {
        let seconds = max(Double(nanoseconds) / 1e9, 0.001)
        let rate = "\(events) events, \(UInt64(Double(events) / seconds))/s"
        guard let total, total > 0 else { return rate }
        let share = min(Double(bytes) / Double(total), 1)
        let filled = Int(share * Double(barWidth))
        let bar =
            String(repeating: "#", count: filled)
            + String(repeating: ".", count: barWidth - filled)
        var text = "[\(bar)] \(Int(share * 100))%  \(rate)"
        if share > 0 { text += "  ETA \(clock(UInt64(seconds / share * (1 - share))))" }
        return text
    }

    /// `1:05` or `2:00:09`.
    static func clock(_ seconds: UInt64) -> String {
        func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60)
        return hours > 0
            ? "\(hours):\(two(minutes)):\(two(seconds % 60))" : "\(minutes):\(two(seconds % 60))"
    }
}
