import Records

// Invariants:
// - rows come in the order of the reading, each once
// - what was passed by is never asked for again

/// Reads a stretch of the log a page at a time, rising or falling. Nodes answer rising pages alone, so
/// a falling reading goes back by windows and turns the rows of each round.
struct StretchReading: Sendable {
    /// Sequences of the first window of a falling reading, and of the largest and the smallest.
    static let firstWindow: UInt64 = 64
    static let largestWindow: UInt64 = 1 << 20
    static let smallestWindow: UInt64 = 16
    /// Bytes of rows of one window. With more it is begun again, smaller.
    static let windowBytes = 4 * 1_024 * 1_024

    let isFalling: Bool
    /// What is not read yet.
    private(set) var rest: Range<Sequence>
    private var window = StretchReading.firstWindow
    /// Rows of the window so far, and the sequence behind them.
    private var gathered: [[UInt8]] = []
    private var gatheredBytes = 0
    private var gatheredTo: Sequence

    init(_ stretch: Range<Sequence>, isFalling: Bool) {
        rest = stretch
        self.isFalling = isFalling
        gatheredTo = stretch.lowerBound
        beginWindow()
    }

    var isOver: Bool { rest.isEmpty }

    /// Where another reading would go on: rising the next sequence, falling the one behind it.
    var place: Sequence { isFalling ? rest.upperBound : rest.lowerBound }

    /// What to ask for next. Empty when the reading is over.
    var wanted: Range<Sequence> { isFalling ? gatheredTo..<rest.upperBound : rest }

    /// Takes a page that ends before `next`; returns the rows that are in turn.
    mutating func take(_ lines: [UInt8], next: Sequence) -> [[UInt8]] {
        let rows = lines.split(separator: 0x0A).map(Array.init)
        guard isFalling else {
            rest = min(max(next, rest.lowerBound), rest.upperBound)..<rest.upperBound
            return rows
        }
        gathered += rows
        gatheredBytes += lines.count
        gatheredTo = next
        if next >= rest.upperBound { return turnWindow() }
        if gatheredBytes > Self.windowBytes, window > Self.smallestWindow {
            window = max(window / 8, Self.smallestWindow)
            beginWindow()
        }
        return []
    }

    /// Passes by what is in front of `sequence`, in the order of the reading.
    mutating func pass(to sequence: Sequence) {
        let sequence = min(max(sequence, rest.lowerBound), rest.upperBound)
        rest = isFalling ? rest.lowerBound..<sequence : sequence..<rest.upperBound
        beginWindow()
    }

    private mutating func turnWindow() -> [[UInt8]] {
        let rows = Array(gathered.reversed())
        rest = rest.lowerBound..<windowStart
        if gatheredBytes < Self.windowBytes / 16 { window = min(window * 4, Self.largestWindow) }
        beginWindow()
        return rows
    }

    private var windowStart: Sequence {
        let (low, high) = (rest.lowerBound.value, rest.upperBound.value)
        return Sequence(high - min(window, high - low))
    }

    private mutating func beginWindow() {
        gathered.removeAll()
        gatheredBytes = 0
        gatheredTo = isFalling ? windowStart : rest.lowerBound
    }
}
