import HTTPWire
import Linux

/// One request. All of the client's requests may be repeated: the service recognises what it has.
struct HTTPRequest: Sendable {
    var method = "GET"
    /// Path and query, encoded.
    var target: String
    var contentType: String?
    var body: [UInt8] = []
    var headers: [(name: String, value: String)] = []

    func encoded(authority: String, token: String?) -> [UInt8] {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: \(authority)\r\n"
        text += "User-Agent: daybook/\(Version.text)\r\n"
        if let token { text += "Authorization: Bearer \(token)\r\n" }
        if let contentType { text += "Content-Type: \(contentType)\r\n" }
        if method != "GET" { text += "Content-Length: \(body.count)\r\n" }
        for header in headers { text += "\(header.name): \(header.value)\r\n" }
        return Array((text + "\r\n").utf8) + body
    }
}

/// Why there is no whole response.
enum HTTPFailure: Error, Equatable, CustomStringConvertible {
    /// No connection came about: nothing was sent.
    case unreachable(String)
    /// The connection ended, or nothing moved on it in time: the request may have been carried out.
    case lost(String)
    case malformed(HTTPResponseDefect)
    /// A body of more bytes than the caller takes.
    case tooLong(Int)

    var description: String {
        switch self {
        case .unreachable(let reason), .lost(let reason): reason
        case .malformed(let defect): "the answer is no HTTP response (\(defect))"
        case .tooLong(let limit): "the answer has more than \(limit) bytes"
        }
    }
}

/// A client that waits for its answers: one connection, kept for the next request where it may be.
///
/// Each wait has an end: `connectNanoseconds` for a connection, `idleNanoseconds` for the next
/// byte in either direction.
final class HTTPClient {
    static let connectNanoseconds: UInt64 = 5_000_000_000
    static let idleNanoseconds: UInt64 = 30_000_000_000
    static let readBytes = 256 * 1_024

    let endpoint: Endpoint
    private let token: String?
    /// Of HTTPS; nil for plain HTTP.
    private let security: TLSContext?
    private let poller: Poller
    private var ready: [Readiness] = []
    private var address: SocketAddress?
    private var connection: Connection?

    /// A connection and what was read of it.
    private final class Connection {
        let socket: StreamSocket
        var reader = HTTPResponseReader()
        /// Whether a response has begun and is not over.
        var isInBody = false
        /// Whether the request was answered before it was sent whole.
        var isCutShort = false

        init(_ socket: consuming StreamSocket) { self.socket = socket }
    }

    init(
        _ endpoint: Endpoint, token: String?, security: TLSContext? = nil
    ) throws(SystemError) {
        self.endpoint = endpoint
        self.token = token
        self.security = security
        poller = try Poller()
    }

    // MARK: Exchanges

    /// Sends the request and returns the head of its answer; `readBody` gives the rest.
    func send(
        _ request: HTTPRequest, idleNanoseconds: UInt64 = idleNanoseconds
    ) throws(HTTPFailure) -> HTTPResponseHead {
        if connection?.isInBody == true { drop() }
        let bytes = request.encoded(authority: endpoint.authority, token: token)
        let isReused = connection != nil
        do throws(HTTPFailure) {
            return try sendOnce(bytes, idleNanoseconds)
        } catch {
            drop()
            // A kept connection may have been closed meanwhile, which says nothing of the service.
            guard isReused, case .lost = error else { throw error }
        }
        do throws(HTTPFailure) {
            return try sendOnce(bytes, idleNanoseconds)
        } catch {
            drop()
            throw error
        }
    }

    /// Appends the next bytes of the body, waiting for them; false at its end.
    func readBody(
        into body: inout [UInt8], idleNanoseconds: UInt64 = idleNanoseconds
    ) throws(HTTPFailure) -> Bool {
        guard let connection, connection.isInBody else { return false }
        do throws(HTTPFailure) {
            let isMore = try readBody(of: connection, into: &body, idleNanoseconds)
            if !isMore {
                connection.isInBody = false
                if !connection.reader.keepsAlive || connection.isCutShort { drop() }
            }
            return isMore
        } catch {
            drop()
            throw error
        }
    }

    /// The whole body. A longer one than `limit` is a failure.
    func collectBody(limit: Int) throws(HTTPFailure) -> [UInt8] {
        var body: [UInt8] = []
        while try readBody(into: &body) {
            guard body.count <= limit else {
                drop()
                throw .tooLong(limit)
            }
        }
        return body
    }

    /// Lets go of the connection, with whatever is still to come on it.
    func drop() { connection = nil }

    /// Waits without doing anything; the connection is given up.
    func pause(nanoseconds: UInt64) {
        drop()
        let end = Clock.monotonicNanoseconds() + nanoseconds
        while case let now = Clock.monotonicNanoseconds(), now < end {
            do throws(SystemError) {
                try poller.wait(timeoutNanoseconds: end - now, into: &ready)
            } catch {
                preconditionFailure("\(error)")
            }
        }
    }

    // MARK: Bytes

    private func sendOnce(
        _ bytes: [UInt8], _ idleNanoseconds: UInt64
    ) throws(HTTPFailure) -> HTTPResponseHead {
        let connection = try connected()
        var offset = 0
        while true {
            switch try next(connection) {
            case .head(let head):
                // An answer may come before the request is sent whole: a refusal.
                connection.isCutShort = offset < bytes.count
                connection.isInBody = true
                return head
            case .needsBytes: break
            case .body, .end: preconditionFailure("a body without its head")
            }
            if offset < bytes.count {
                offset += try transmit(bytes, offset, connection, idleNanoseconds)
            } else if try !receive(connection, idleNanoseconds) {
                throw .lost("the connection was closed before an answer came")
            }
        }
    }

    private func readBody(
        of connection: Connection, into body: inout [UInt8], _ idleNanoseconds: UInt64
    ) throws(HTTPFailure) -> Bool {
        while true {
            switch try next(connection) {
            case .needsBytes:
                guard try receive(connection, idleNanoseconds) else { return false }
            case .body(let range):
                body.append(contentsOf: connection.reader.bytes[range])
                return true
            case .end: return false
            case .head: preconditionFailure("a head inside a body")
            }
        }
    }

    private func next(_ connection: Connection) throws(HTTPFailure) -> HTTPResponseReader.Event {
        do throws(HTTPResponseDefect) {
            return try connection.reader.next()
        } catch {
            throw .malformed(error)
        }
    }

    /// Sends what the kernel takes, once it takes something; reads nothing. Returns the count, 0
    /// when an answer can be read first.
    private func transmit(
        _ bytes: [UInt8], _ offset: Int, _ connection: Connection, _ idleNanoseconds: UInt64
    ) throws(HTTPFailure) -> Int {
        do throws(SystemError) {
            switch try connection.socket.write(bytes, from: offset) {
            case .count(let count): return count
            case .closed, .wouldBlock: break
            }
        } catch {
            throw .lost("\(error)")
        }
        // TLS says what it has to say first, and reads the answer to that by itself.
        if connection.socket.writeAwaitsPeer {
            _ = try wait(connection, .read, idleNanoseconds)
            return 0
        }
        let readiness = try wait(connection, [.read, .write], idleNanoseconds)
        if readiness.isReadable, try !receive(connection, idleNanoseconds) {
            throw .lost("the connection was closed while the request was being sent")
        }
        return 0
    }

    /// Reads what has come, once something has. False at a stream's end that ends a response.
    private func receive(
        _ connection: Connection, _ idleNanoseconds: UInt64
    ) throws(HTTPFailure) -> Bool {
        while true {
            var transfer = Transfer.wouldBlock
            do throws(SystemError) {
                transfer = try connection.socket.read(
                    into: &connection.reader.bytes, limit: Self.readBytes)
            } catch {
                throw .lost("\(error)")
            }
            switch transfer {
            case .count: return true
            case .wouldBlock: _ = try wait(connection, .read, idleNanoseconds)
            case .closed:
                if let failure = connection.socket.tlsFailure {
                    throw .unreachable("\(endpoint.authority): TLS: \(failure)")
                }
                do throws(HTTPResponseDefect) {
                    _ = try connection.reader.endOfStream()
                    return false
                } catch {
                    throw .lost("the connection was closed in the middle of an answer")
                }
            }
        }
    }

    private func wait(
        _ connection: Connection, _ interest: Interest, _ nanoseconds: UInt64
    ) throws(HTTPFailure) -> Readiness {
        do throws(SystemError) {
            try poller.modify(connection.socket.descriptor, token: 0, interest: interest)
            let end = Clock.monotonicNanoseconds() + nanoseconds
            while case let now = Clock.monotonicNanoseconds(), now < end {
                try poller.wait(timeoutNanoseconds: end - now, into: &ready)
                if let first = ready.first { return first }
            }
        } catch {
            throw .lost("\(error)")
        }
        throw .lost("nothing came for \(nanoseconds / 1_000_000_000) s")
    }

    // MARK: Connecting

    private func connected() throws(HTTPFailure) -> Connection {
        if let connection { return connection }
        let address = try resolved()
        do throws(SystemError) {
            let made = try opened(address)
            try poller.register(made.socket.descriptor, token: 0, interest: .write)
            if try becomesWritable() {
                try made.socket.connectResult()
                connection = made
                return made
            }
        } catch {
            throw .unreachable("\(endpoint.authority): \(error.text)")
        }
        throw .unreachable(
            "\(endpoint.authority): no answer in \(Self.connectNanoseconds / 1_000_000_000) s")
    }

    private func opened(_ address: SocketAddress) throws(SystemError) -> Connection {
        let socket = try StreamSocket.connect(to: address)
        guard let security else { return Connection(socket) }
        do throws(TLSFailure) {
            return Connection(try socket.connecting(by: security, to: endpoint.host))
        } catch {
            preconditionFailure("\(error)")
        }
    }

    private func becomesWritable() throws(SystemError) -> Bool {
        let end = Clock.monotonicNanoseconds() + Self.connectNanoseconds
        while case let now = Clock.monotonicNanoseconds(), now < end {
            try poller.wait(timeoutNanoseconds: end - now, into: &ready)
            if !ready.isEmpty { return true }
        }
        return false
    }

    private func resolved() throws(HTTPFailure) -> SocketAddress {
        if let address { return address }
        do throws(AddressError) {
            let found = try SocketAddress(endpoint.authority)
            address = found
            return found
        } catch {
            throw .unreachable("\(error)")
        }
    }
}
