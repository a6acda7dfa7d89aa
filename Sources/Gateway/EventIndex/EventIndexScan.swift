import JSON
package import PeerWire
package import Records

// Invariants:
// - a scan asks for no more pages than `pageLimit` (twice as many for a stretch that was read before),
//   and keeps no more rows than the request needs, of no more bytes than twice `rowBytes` and a page
// - what a cursor says is left is what was neither shown nor passed by

/// An index of events on its way: the newest revision of each, page after page of the log, until the
/// rows that were asked for are there, or the work that one request may make is done.
package struct EventIndexScan: Sendable {
    /// Pages that one request may ask nodes for. Then what there is is answered, with a cursor.
    static let pageLimit = 192
    /// Bytes of rows of one answer; the same happens.
    static let rowBytes = 8 * 1_024 * 1_024
    /// Bytes of rows after which a node's page ends.
    static let pageBytes: UInt32 = 256 * 1_024
    /// Rows that `page.number` may reach to in a sort by start_time, which keeps them all.
    static let sortedRows = 10_000

    struct Row: Equatable, Sendable {
        let key: EventIndexKey
        let bytes: [UInt8]
    }

    /// What was found, and what an answer says of it.
    struct Result: Equatable {
        var rows: [Row] = []
        var next: EventIndexPosition?
        var count: UInt64?
        /// False when the bound of work cut it short.
        var isComplete = true
    }

    let request: IndexRequest
    let binding: EventIndexBinding
    let views: Views
    private var filter: EventFilter
    private let times: TimeReading

    /// Where it began; nil until the log's end is known.
    private var from: EventIndexPosition?
    private var reading = StretchReading(Sequence.zero..<Sequence.zero, isFalling: false)
    private var pages = 0
    private var rows: [Row] = []
    private var rowBytes = 0
    private var skipped: UInt64
    private var count: UInt64
    private var counted = Sequence.zero
    private var hasMore = false
    package private(set) var isOver = false

    /// `position`: of the request's cursor.
    init(
        _ filter: EventFilter, _ request: IndexRequest, from position: EventIndexPosition?,
        binding: EventIndexBinding, views: Views, times: TimeReading
    ) {
        self.filter = filter
        self.request = request
        self.binding = binding
        self.views = views
        self.times = times
        skipped = position?.skipped ?? UInt64(request.skipped)
        count = position?.count ?? 0
        if let position { begin(position) }
    }

    private var isSorted: Bool { binding.sort == .start }

    /// What the next page must be at least as new as; nil for the first, which must hold all that was
    /// acknowledged.
    package var known: Sequence? { pages == 0 ? nil : from?.end }

    /// Pages that were read for it.
    package var pageCount: Int { pages }

    /// The page to ask for next.
    package var nextPage: PageRequest {
        precondition(!isOver, "a page of a scan that is over")
        // Nothing, at first: where the log ends.
        let beyond = Sequence(1 << 62)
        let wanted = from == nil ? beyond..<beyond : reading.wanted
        return PageRequest(
            from: wanted.lowerBound, until: wanted.upperBound, filter: filter,
            byteLimit: Self.pageBytes, waits: false)
    }

    /// Takes the answer to the page that was asked for. False when the cursor is of another log.
    package mutating func take(_ head: RowsHead, _ lines: [UInt8]) -> Bool {
        pages += 1
        guard let from else {
            let isFalling = binding.isFalling && !isSorted
            let start = isFalling ? head.end : .zero
            begin(EventIndexPosition(end: head.end, place: start, counted: start))
            return true
        }
        guard head.end >= from.end else { return false }
        for line in reading.take(lines, next: head.next) where !isOver { add(line) }
        bound()
        return true
    }

    private mutating func begin(_ position: EventIndexPosition) {
        from = position
        filter.newestBefore = position.end
        counted = position.counted
        let isFalling = binding.isFalling && !isSorted
        let stretch =
            isFalling
            ? Sequence.zero..<position.place
            : position.place..<(position.stretchEnd ?? position.end)
        reading = StretchReading(stretch, isFalling: isFalling)
        isOver = reading.isOver
    }

    /// Ends the scan when nothing is left, or enough was read.
    private mutating func bound() {
        if isSorted, rows.count > 2 * wanted + 64 || rowBytes > 2 * Self.rowBytes {
            sortRows(keeping: wanted)
        }
        // A stretch that was begun by an earlier answer is read to its end, as it was then.
        let limit = from?.stretchEnd == nil ? Self.pageLimit : 2 * Self.pageLimit
        if reading.isOver || pages >= limit || isSorted && rowBytes > 2 * Self.rowBytes {
            isOver = true
        }
    }

    // MARK: Rows

    private mutating func add(_ line: [UInt8]) {
        guard let row = read(line) else { return }
        if reading.isFalling ? row.key.sequence < counted : row.key.sequence >= counted {
            count += 1
        }
        guard !isSorted else {
            let isShown = from?.shown.map { binding.isFalling ? row.key >= $0 : row.key <= $0 }
            guard isShown != true else { return }
            rows.append(row)
            rowBytes += line.count
            return
        }
        if skipped > 0 {
            skipped -= 1
        } else if rows.count < request.size, rowBytes < Self.rowBytes {
            rows.append(row)
            rowBytes += line.count
        } else if !hasMore {
            hasMore = true
            // The rows are there: what follows matters to a count alone, as far as it is not known.
            isOver = !request.wantsCount
            if request.wantsCount { reading.pass(to: counted) }
        }
    }

    /// Rows of a sort by start_time that can still come into the answer.
    private var wanted: Int { Int(clamping: skipped) + request.size }

    private mutating func sortRows(keeping limit: Int) {
        rows.sort { binding.isFalling ? $1.key < $0.key : $0.key < $1.key }
        guard rows.count > limit else { return }
        rows.removeLast(rows.count - limit)
        hasMore = true
        rowBytes = rows.reduce(0) { $0 + $1.bytes.count }
    }

    private func read(_ line: [UInt8]) -> Row? {
        var document = JSONDocument()
        guard (try? document.parse(line.span)) != nil,
            let node = document.member("sequence", of: document.root, in: line.span),
            let sequence = document.integer(node, from: line.span), sequence >= 0
        else { return nil }
        var time = Timestamp.absent
        if isSorted,
            let start = document.member("start_time", of: document.root, in: line.span),
            let text = document.string(start, from: line.span)
        {
            let bytes = Array(text.utf8)
            time = times.timestamp(bytes.span, 0..<bytes.count) ?? .absent
        }
        return Row(
            key: EventIndexKey(time: time, sequence: Sequence(UInt64(sequence))), bytes: line)
    }

    // MARK: The answer

    /// What came of a scan that is over.
    mutating func finish() -> Result {
        guard let from else { preconditionFailure("a scan that never began") }
        var result = Result()
        if request.wantsCount { result.count = count }
        var next = from
        next.stretchEnd = nil
        next.shown = nil
        next.skipped = skipped
        next.count = result.count
        // Rising it is counted through here, falling down to here.
        next.counted = reading.isFalling ? min(counted, reading.place) : max(counted, reading.place)
        if isSorted {
            finishSorted(&result, next)
            return result
        }
        result.rows = rows
        result.isComplete = reading.isOver || hasMore && !request.wantsCount
        if hasMore, let last = rows.last {
            let sequence = last.key.sequence
            next.place = binding.isFalling ? sequence : sequence.advanced(by: 1)
            result.next = next
        } else if !reading.isOver {
            next.place = reading.place
            result.next = next
        }
        return result
    }

    private mutating func finishSorted(_ result: inout Result, _ next: EventIndexPosition) {
        var next = next
        sortRows(keeping: wanted)
        let passed = min(Int(clamping: skipped), rows.count)
        next.skipped -= UInt64(passed)
        var bytes = 0
        result.rows = Array(
            rows.dropFirst(passed).prefix(request.size).prefix { row in
                defer { bytes += row.bytes.count }
                return bytes < Self.rowBytes
            })
        let place = reading.place
        let isWhole = next.place == .zero && place == next.end
        result.isComplete = isWhole
        if hasMore || passed + result.rows.count < rows.count, let last = result.rows.last {
            next.stretchEnd = place
            next.shown = last.key
            result.next = next
        } else if place < next.end {
            next.place = place
            result.next = next
        }
    }
}
