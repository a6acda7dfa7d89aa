import Linux

/// One connection, and the request that it repeats.
final class LoadConnection {
    let socket: StreamSocket
    var request: RequestTemplate
    var reader: ResponseReader
    var input: [UInt8] = []
    var sent = 0
    var startedAt: UInt64 = 0
    var isWaitingToWrite = false

    init(_ socket: consuming StreamSocket, _ request: RequestTemplate, _ reader: ResponseReader) {
        self.socket = socket
        self.request = request
        self.reader = reader
    }
}

/// Connections that each send a request, wait for its answer, and send the next: one thread, so
/// that the load takes as little as possible from the servers beside it.
struct ClosedLoop {
    /// Nanoseconds that answers may take after the window is closed.
    private static let drainNanoseconds: UInt64 = 10_000_000_000

    private let poller: Poller
    private var connections: [LoadConnection] = []
    private var random: RandomDigits
    private var report: Report
    private var waiting = 0
    private var isSending = true
    private let mode: Mode

    init(_ options: Options) throws {
        poller = try Poller()
        mode = options.mode
        random = RandomDigits(seed: SystemRandomNumberGenerator.seed())
        report = Report(mode: options.mode.rawValue, clients: options.clients)
        for number in 0..<options.clients {
            let socket = try StreamSocket.connect(to: options.address)
            try poller.register(
                socket.descriptor, token: UInt64(number), interest: [.read, .write])
            let reader = ResponseReader(countsSuccesses: options.mode == .bulk)
            connections.append(LoadConnection(socket, options.template, reader))
            connections[number].isWaitingToWrite = true
            connections[number].request.renew(&random)
        }
        waiting = options.clients
    }

    /// Warms up, measures, waits for the last answers, reports.
    mutating func run(warmUp: UInt64, window: UInt64) throws {
        let start = Clock.monotonicNanoseconds()
        for connection in connections { connection.startedAt = start }
        try turn(until: start + warmUp)
        report.open(at: Clock.monotonicNanoseconds())
        try turn(until: start + warmUp + window)
        report.close(at: Clock.monotonicNanoseconds())
        isSending = false
        try turn(until: start + warmUp + window + Self.drainNanoseconds)
        guard waiting == 0 else {
            throw ResponseDefect(description: "\(waiting) answers did not come in ten seconds")
        }
        report.finish()
    }

    /// Serves the connections until the time is over, or until nothing is waited for.
    private mutating func turn(until deadline: UInt64) throws {
        var ready: [Readiness] = []
        var now = Clock.monotonicNanoseconds()
        while now < deadline, waiting > 0 {
            try poller.wait(timeoutNanoseconds: deadline - now, into: &ready)
            for event in ready {
                let number = Int(event.token)
                if connections[number].isWaitingToWrite, event.isWritable { try send(number) }
                if event.isReadable { try receive(number) }
            }
            now = Clock.monotonicNanoseconds()
        }
    }

    private func send(_ number: Int) throws {
        let connection = connections[number]
        if connection.isWaitingToWrite { try connection.socket.connectResult() }
        while connection.sent < connection.request.bytes.count {
            switch try connection.socket.write(connection.request.bytes, from: connection.sent) {
            case .count(let count): connection.sent += count
            case .closed: throw ResponseDefect(description: "the gateway closed a connection")
            case .wouldBlock:
                if !connection.isWaitingToWrite {
                    connection.isWaitingToWrite = true
                    try poller.modify(
                        connection.socket.descriptor, token: UInt64(number),
                        interest: [.read, .write])
                }
                return
            }
        }
        if connection.isWaitingToWrite {
            connection.isWaitingToWrite = false
            try poller.modify(
                connection.socket.descriptor, token: UInt64(number), interest: .read)
        }
    }

    private mutating func receive(_ number: Int) throws {
        let connection = connections[number]
        connection.input.removeAll(keepingCapacity: true)
        switch try connection.socket.read(into: &connection.input) {
        case .wouldBlock: return
        case .closed: throw ResponseDefect(description: "the gateway closed a connection")
        case .count: break
        }
        guard try connection.reader.consume(connection.input) else { return }
        let now = Clock.monotonicNanoseconds()
        record(connection, now)
        connection.reader.begin()
        guard isSending else {
            waiting -= 1
            return
        }
        connection.request.renew(&random)
        connection.sent = 0
        connection.startedAt = now
        try send(number)
    }

    private mutating func record(_ connection: LoadConnection, _ now: UInt64) {
        let reader = connection.reader
        guard reader.status == 200 else { return report.recordRefusal(status: reader.status) }
        let events = mode == .bulk ? reader.successCount : 1
        report.record(events: events, nanoseconds: now - connection.startedAt)
        for _ in events..<connection.request.eventCount { report.recordRefusal(status: 0) }
    }
}

extension SystemRandomNumberGenerator {
    /// A number that the next run does not get.
    static func seed() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
