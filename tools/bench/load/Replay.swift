import Linux

/// Reads the whole log again and again over one connection; the first time is the warm-up.
struct Replay: ~Copyable {
    private let socket: StreamSocket
    private let poller: Poller
    private let request: RequestTemplate
    private var reader = ResponseReader(countsSuccesses: false)
    private var input: [UInt8] = []
    private var ready: [Readiness] = []

    init(_ options: Options) throws {
        let socket = try StreamSocket.connect(to: options.address)
        let poller = try Poller()
        try poller.register(socket.descriptor, token: 0, interest: .write)
        try poller.wait(timeoutNanoseconds: 10_000_000_000, into: &ready)
        try socket.connectResult()
        try poller.modify(socket.descriptor, token: 0, interest: .read)
        // Read in large pieces from the start.
        input.reserveCapacity(1_048_576)
        request = options.template
        self.poller = poller
        self.socket = socket
    }

    /// Opens the window after one whole pass and closes it after the pass in which it ends, so
    /// that only whole passes are counted.
    mutating func run(window: UInt64) throws {
        var report = Report(mode: Mode.replay.rawValue, clients: 1)
        let found = try pass()
        var begin = Clock.monotonicNanoseconds()
        let deadline = begin + window
        report.open(at: begin)
        repeat {
            let again = try pass()
            let end = Clock.monotonicNanoseconds()
            report.record(events: again, nanoseconds: end - begin)
            guard again == found else {
                throw ResponseDefect(description: "\(again) events, and \(found) before")
            }
            begin = end
        } while begin < deadline
        report.close(at: begin)
        StandardStream.output.write("{\"found\": \(found)}\n")
        report.finish()
    }

    /// Reads everything once and returns how many events that were.
    private mutating func pass() throws -> Int {
        reader.begin()
        var sent = 0
        while sent < request.bytes.count {
            guard case .count(let count) = try socket.write(request.bytes, from: sent) else {
                throw ResponseDefect(description: "the gateway does not take the request")
            }
            sent += count
        }
        while true {
            try wait()
            input.removeAll(keepingCapacity: true)
            if try socket.read(into: &input) == .closed {
                throw ResponseDefect(description: "the gateway closed the connection")
            }
            guard try reader.consume(input) else { continue }
            guard reader.status == 200 else {
                throw ResponseDefect(description: "replay answered \(reader.status)")
            }
            return reader.lineCount
        }
    }

    private mutating func wait() throws {
        try poller.wait(timeoutNanoseconds: 30_000_000_000, into: &ready)
        if ready.isEmpty { throw ResponseDefect(description: "nothing came in thirty seconds") }
    }
}
