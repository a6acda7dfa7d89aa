import Bytes
import JSON
package import PeerWire
package import Records

// Invariants:
// - what a scan has passed by it never asks for again, so that it ends
// - it asks for no more pages than `pageLimit`, and keeps no more bytes of rows than `rowBytes`

/// The index of events on its way: the newest revision of each, page after page of the log, until the
/// rows that were asked for are there, or the work that one request may make is done.
package struct EventIndexScan: Sendable {
    /// Pages that one request may ask a node for. Then what there is is answered, and a cursor.
    static let pageLimit = 96
    /// Bytes of rows that one answer may have; the same happens.
    static let rowBytes = 8 * 1_024 * 1_024
    /// Rows of one page of a node's.
    static let pageBytes: UInt32 = 256 * 1_024
    /// Rows that are kept for a sort by time; pages beyond them are asked for by cursor.
    static let sortedRows: UInt64 = 10_000
    /// Sequences of the first window of a scan from the end, and of the largest.
    static let firstWindow: UInt64 = 1_024
    static let largestWindow: UInt64 = 1 << 20

    enum Sort: String, CaseIterable { case sequence, recorded = "recorded_at", start = "start_time" }

    /// Where a request goes on, as its cursor says it.
    struct Position: Equatable {
        /// Rising: the first sequence to look at. Falling: the one behind it.
        var sequence: Sequence
        /// Of a sort by time: what was shown last.
        var shown: Key?
    }

    /// The order of a sort by time.
    struct Key: Comparable {
        let time: Timestamp
        let sequence: Sequence

        static func < (left: Key, right: Key) -> Bool {
            (left.time, left.sequence) < (right.time, right.sequence)
        }
    }

    struct Row: Equatable {
        let key: Key
        let bytes: [UInt8]
    }

    let filter: EventFilter
    let sort: Sort
    let isFalling: Bool
    let request: IndexRequest
    package let views: Views
    let cluster: UInt64
    private let times: TimeReading

    private var from: Position?
    /// The end of the log when the scan began.
    private var end: Sequence?
    /// The next sequence of a rising scan; the end of the next window of a falling one.
    private var place = Sequence.zero
    private var window = EventIndexScan.firstWindow
    /// What was read of the window so far, and up to where.
    private var gathered: [[UInt8]] = []
    private var gatheredBytes = 0
    private var gatheredTo = Sequence.zero
    private var pages = 0
    private(set) var rows: [Row] = []
    private var keptBytes = 0
    private(set) var count: UInt64 = 0
    private(set) var isComplete = false
    private(set) var hasMore = false
    package private(set) var isOver = false

    init(
        _ filter: EventFilter, _ sort: Sort, isFalling: Bool, _ request: IndexRequest,
        from position: Position?, views: Views, cluster: UInt64, times: TimeReading
    ) {
        self.filter = filter
        self.sort = sort
        self.isFalling = isFalling
        self.request = request
        self.views = views
        self.cluster = cluster
        self.times = times
        from = position
    }

    /// Whether the log is read from its end.
    private var readsBackwards: Bool { isFalling && sort != .start }

    /// What every answer must be at least as new as; nil before the first.
    package var known: Sequence? { end }

    /// The page to ask for next.
    package func nextPage() -> PageRequest {
        precondition(!isOver, "a page of a scan that is over")
        guard let end else {
            // Nothing: where the log ends.
            let beyond = Sequence(1 << 62)
            return page(beyond, beyond)
        }
        guard readsBackwards else { return page(place, end) }
        return page(max(windowStart, gatheredTo), place)
    }

    private var windowStart: Sequence { Sequence(place.value - min(window, place.value)) }

    private func page(_ from: Sequence, _ until: Sequence) -> PageRequest {
        PageRequest(
            from: from, until: until, filter: filter, byteLimit: Self.pageBytes, waits: false)
    }

    /// Takes the answer to the page that was asked for.
    package mutating func take(_ head: RowsHead, _ lines: [UInt8]) {
        pages += 1
        if end == nil {
            begin(at: head.end)
        } else if readsBackwards {
            takeWindow(head, lines)
        } else {
            for line in lines.split(separator: 0x0A) where !isOver { add(Array(line)) }
            place = max(head.next, place.advanced(by: 1))
        }
        judgeEnd()
    }

    private mutating func begin(at end: Sequence) {
        self.end = end
        if sort == .start {
            place = from?.shown == nil ? from?.sequence ?? .zero : .zero
        } else {
            place = from?.sequence ?? (readsBackwards ? end : .zero)
        }
        if readsBackwards { place = min(place, end) }
        gatheredTo = windowStart
    }

    /// A part of a window: it is turned round when it is whole.
    private mutating func takeWindow(_ head: RowsHead, _ lines: [UInt8]) {
        gathered.append(lines)
        gatheredBytes += lines.count
        gatheredTo = head.next
        if gatheredBytes > Self.rowBytes / 2, head.next < place, window > 16 {
            // Too much for one: begin it again, smaller.
            window /= 8
            forgetWindow()
            return
        }
        guard head.next >= place else { return }
        let found = gathered.flatMap { $0.split(separator: 0x0A) }
        for line in found.reversed() where !isOver { add(Array(line)) }
        place = windowStart
        if found.count < request.size { window = min(window * 4, Self.largestWindow) }
        forgetWindow()
    }

    private mutating func forgetWindow() {
        gathered.removeAll()
        gatheredBytes = 0
        gatheredTo = windowStart
    }

    private mutating func judgeEnd() {
        guard !isOver, let end else { return }
        let isThrough = readsBackwards ? place == .zero && gathered.isEmpty : place >= end
        if isThrough {
            isComplete = true
            isOver = true
        } else if pages >= Self.pageLimit {
            isOver = true
        }
    }

    // MARK: Rows

    private mutating func add(_ line: [UInt8]) {
        guard let row = read(line) else { return }
        if let shown = from?.shown {
            guard isFalling ? row.key < shown : shown < row.key else { return }
        }
        count += 1
        if sort == .start { return addSorted(row) }
        let skipped = from == nil ? UInt64(request.skipped) : 0
        guard count > skipped else { return }
        guard rows.count < request.size, keptBytes < Self.rowBytes else {
            hasMore = true
            // The rows are there; the others matter to a count alone.
            isOver = !request.wantsCount
            return
        }
        rows.append(row)
        keptBytes += line.count
    }

    /// Keeps the first rows of the order, and a few more so that they are seldom cut.
    private mutating func addSorted(_ row: Row) {
        rows.append(row)
        keptBytes += row.bytes.count
        let wanted = (from == nil ? request.skipped : 0) + request.size
        guard rows.count > 2 * wanted + 64 || keptBytes > 2 * Self.rowBytes else { return }
        cut(to: wanted)
    }

    private mutating func cut(to wanted: Int) {
        rows.sort { isFalling ? $1.key < $0.key : $0.key < $1.key }
        guard rows.count > wanted else { return }
        rows.removeLast(rows.count - wanted)
        hasMore = true
        keptBytes = rows.reduce(0) { $0 + $1.bytes.count }
    }

    private func read(_ line: [UInt8]) -> Row? {
        var document = JSONDocument()
        guard (try? document.parse(line.span)) != nil,
            let node = document.member("sequence", of: document.root, in: line.span),
            let sequence = document.integer(node, from: line.span)
        else { return nil }
        var time = Timestamp.absent
        if sort == .start,
            let start = document.member("start_time", of: document.root, in: line.span),
            let text = document.string(start, from: line.span)
        {
            let bytes = Array(text.utf8)
            time = times.timestamp(bytes.span, 0..<bytes.count) ?? .absent
        }
        return Row(
            key: Key(time: time, sequence: Sequence(UInt64(clamping: sequence))), bytes: line)
    }

    // MARK: The answer

    /// The rows of the answer, and the cursor behind them.
    mutating func finish() -> (rows: [Row], next: String?) {
        if sort == .start {
            let skipped = from == nil ? request.skipped : 0
            cut(to: skipped + request.size)
            rows.removeFirst(min(skipped, rows.count))
        }
        if !isComplete, sort == .start {
            return (rows, cursor(Position(sequence: place, shown: nil)))
        }
        if hasMore, let last = rows.last {
            let sequence = isFalling ? last.key.sequence : last.key.sequence.advanced(by: 1)
            return (
                rows,
                cursor(
                    Position(sequence: sequence, shown: sort == .start ? last.key : nil))
            )
        }
        return (rows, isComplete ? nil : cursor(Position(sequence: place, shown: nil)))
    }

    private func cursor(_ position: Position) -> String {
        var parts = [
            "e", String(cluster, radix: 16), sort.rawValue, isFalling ? "d" : "a",
            "\(position.sequence)",
        ]
        if let shown = position.shown {
            parts += ["\(shown.time.microseconds)", "\(shown.sequence)"]
        }
        return Base64.encode(Array(parts.joined(separator: "/").utf8), alphabet: .urlSafe)
    }

    /// The position of a cursor that another answer of this cluster to such a sort gave.
    static func position(
        _ cursor: [UInt8], cluster: UInt64, _ sort: Sort, isFalling: Bool
    ) -> Position? {
        let parts = String(decoding: cursor, as: UTF8.self).split(separator: "/")
        guard parts.count == 5 || parts.count == 7, parts[0] == "e",
            parts[1] == String(cluster, radix: 16), parts[2] == sort.rawValue,
            parts[3] == (isFalling ? "d" : "a"), let sequence = UInt64(parts[4]),
            sequence < 1 << 62
        else { return nil }
        var position = Position(sequence: Sequence(sequence))
        if parts.count == 7 {
            guard sort == .start, let time = Int64(parts[5]), let shown = UInt64(parts[6]) else {
                return nil
            }
            position.shown = Key(
                time: Timestamp(microseconds: time), sequence: Sequence(shown))
        }
        return position
    }
}
