import HTTPWire
import Linux

/// One request to Mandrill on a connection of its own, within a time; it waits, so it runs on a
/// thread of its own. Only the look-up of a name may take longer than it was given.
struct MailExchange {
    enum Outcome: Equatable, Sendable {
        case answered(status: Int, body: [UInt8])
        /// Nobody knows whether it was taken.
        case failed(String)
    }

    private struct Failure: Error {
        let reason: String
    }

    private let endpoint: MailEndpoint
    private let deadline: UInt64
    private let answerBytes: Int
    private let poller: Poller
    private var ready: [Readiness] = []

    /// Posts `body`; an answer of more than `answerBytes` is a failure.
    static func post(
        _ body: [UInt8], by delivery: MailDelivery, nanoseconds: UInt64, answerBytes: Int
    ) -> Outcome {
        do {
            var exchange = MailExchange(
                endpoint: delivery.endpoint,
                deadline: Clock.monotonicNanoseconds() + nanoseconds, answerBytes: answerBytes,
                poller: try Poller())
            return try exchange.run(body, delivery.security)
        } catch let failure as Failure {
            return .failed(failure.reason)
        } catch {
            return .failed("\(error)")
        }
    }

    private init(
        endpoint: MailEndpoint, deadline: UInt64, answerBytes: Int, poller: Poller
    ) {
        self.endpoint = endpoint
        self.deadline = deadline
        self.answerBytes = answerBytes
        self.poller = poller
    }

    private mutating func run(_ body: [UInt8], _ security: TLSContext?) throws -> Outcome {
        let address = try SocketAddress(endpoint.authority)
        let socket = try opened(address, security)
        try poller.register(socket.descriptor, token: 0, interest: .write)
        try wait("connection")
        try socket.connectResult()
        try send(request(body), on: socket)
        return try receive(on: socket)
    }

    private func opened(
        _ address: SocketAddress, _ security: TLSContext?
    ) throws -> StreamSocket {
        let socket = try StreamSocket.connect(to: address)
        guard let security else { return socket }
        return try socket.connecting(by: security, to: endpoint.host)
    }

    private func request(_ body: [UInt8]) -> [UInt8] {
        let head =
            "POST \(endpoint.path)/messages/send HTTP/1.1\r\nHost: \(endpoint.authority)\r\n"
            + "User-Agent: daybook\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
        return Array(head.utf8) + body
    }

    private mutating func send(_ bytes: [UInt8], on socket: borrowing StreamSocket) throws {
        var offset = 0
        while offset < bytes.count {
            switch try socket.write(bytes, from: offset) {
            case .count(let count): offset += count
            case .wouldBlock:
                let interest: Interest = socket.writeAwaitsPeer ? .read : .write
                try poller.modify(socket.descriptor, token: 0, interest: interest)
                try wait("chance to send")
            case .closed: throw closed(socket, "before the mail was sent")
            }
        }
    }

    private mutating func receive(on socket: borrowing StreamSocket) throws -> Outcome {
        var reader = HTTPResponseReader()
        var status = 0
        var body: [UInt8] = []
        try poller.modify(socket.descriptor, token: 0, interest: .read)
        while true {
            switch try reader.next() {
            case .head(let head): status = head.status
            case .body(let range):
                body.append(contentsOf: reader.bytes[range])
                guard body.count <= answerBytes else {
                    throw Failure(reason: "an answer of more than \(answerBytes) bytes")
                }
            case .end: return .answered(status: status, body: body)
            case .needsBytes:
                switch try socket.read(into: &reader.bytes, limit: 65_536) {
                case .count: break
                case .wouldBlock: try wait("answer")
                case .closed:
                    guard socket.tlsFailure == nil, !reader.isIdle || status > 0,
                        try reader.endOfStream()
                    else { throw closed(socket, "before an answer came") }
                    return .answered(status: status, body: body)
                }
            }
        }
    }

    private func closed(_ socket: borrowing StreamSocket, _ when: String) -> Failure {
        if let reason = socket.tlsFailure { return Failure(reason: "TLS: \(reason)") }
        return Failure(reason: "the connection was closed \(when)")
    }

    /// Waits until the socket is ready, or the time is over.
    private mutating func wait(_ what: String) throws {
        while case let now = Clock.monotonicNanoseconds(), now < deadline {
            try poller.wait(timeoutNanoseconds: deadline - now, into: &ready)
            if !ready.isEmpty { return }
        }
        throw Failure(reason: "no \(what) in time")
    }
}
