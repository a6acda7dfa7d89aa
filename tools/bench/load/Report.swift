import Linux

/// What was counted, written to standard output as lines of JSON.
///
/// `{"phase": "measure"}` and `{"phase": "end"}` come when the window opens and closes, so that
/// whoever reads them can look at the servers' processor time at these moments.
struct Report {
    private let mode: String
    private let clients: Int
    private var opened: UInt64?
    private var closed: UInt64?
    private var histogram = Histogram()
    /// Events acknowledged, or read by replay, in the window.
    private var events = 0
    /// Events acknowledged since the start, the warm-up too: what a replay must find.
    private(set) var acknowledged = 0
    /// Answers that were not what was asked for, by status.
    private var refusals: [Int: Int] = [:]

    init(mode: String, clients: Int) {
        self.mode = mode
        self.clients = clients
    }

    mutating func open(at now: UInt64) {
        opened = now
        announce("measure")
    }

    mutating func close(at now: UInt64) {
        closed = now
        announce("end")
    }

    mutating func record(events count: Int, nanoseconds: UInt64) {
        acknowledged += count
        guard opened != nil, closed == nil else { return }
        events += count
        histogram.record(nanoseconds: nanoseconds)
    }

    mutating func recordRefusal(status: Int) {
        refusals[status, default: 0] += 1
    }

    private func announce(_ phase: String) {
        StandardStream.output.write("{\"phase\": \"\(phase)\"}\n")
    }

    /// Writes the result as the last line.
    func finish() {
        let seconds = Double((closed ?? 0) - (opened ?? 0)) / 1e9
        let perSecond = seconds > 0 ? Double(events) / seconds : 0
        let refused = refusals.sorted { $0.key < $1.key }
            .map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
        let members = [
            "\"mode\": \"\(mode)\"", "\"clients\": \(clients)", "\"events\": \(events)",
            "\"acknowledged\": \(acknowledged)", "\"events_per_second\": \(rounded(perSecond))",
            "\"p50_ms\": \(milliseconds(0.5))", "\"p99_ms\": \(milliseconds(0.99))",
            "\"refused\": {\(refused)}",
        ]
        StandardStream.output.write("{\(members.joined(separator: ", "))}\n")
    }

    private func milliseconds(_ quantile: Double) -> Double {
        rounded(Double(histogram.nanoseconds(at: quantile)) / 1e6)
    }

    /// Three digits behind the point.
    private func rounded(_ number: Double) -> Double {
        (number * 1_000).rounded() / 1_000
    }
}
