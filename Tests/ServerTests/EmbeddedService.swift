import Crypto
import Glibc
import Linux
import Records
import Replica
import SegmentLog
import Server

/// A node and a gateway in this process on a directory of their own, for tests over real sockets.
final class EmbeddedService {
    let token: String
    let port: UInt16
    let directory: String
    private let stopper: @Sendable () -> Void
    private let ended: Mailbox<String?>

    /// Founds the store where there is none yet, and starts it.
    init(directory: String, secret: [UInt8]) throws {
        let row = TokenRow(
            id: TokenID(7), kind: .administrator, application: "", name: "test",
            permissions: ["*"], secretDigest: SHA256().hash(secret), createdAt: .absent)
        let genesis = Genesis(
            clusterID: Identifier(high: 1, low: 2),
            members: [Member(id: NodeID(1), address: "127.0.0.1:1")], administrator: row)
        token = TokenText(kind: .administrator, id: row.id, secret: secret).text
        self.directory = directory
        if !SmallFile.exists(directory + "/identity") {
            try NodeDirectory.found(
                directory, genesis: genesis.entry(createdAt: Timestamp(microseconds: 1)),
                node: NodeID(1), incarnation: Identifier(high: 3, low: 4))
        }
        var node = NodeConfiguration(directory: directory)
        node.inProcess = true
        node.settings.log.segmentBytes = 64 * 1_024
        let gateway = GatewayConfiguration(
            listen: "127.0.0.1:0", clusterID: genesis.clusterID, members: genesis.members,
            version: "test")
        let started = try Mailbox<(UInt16, @Sendable () -> Void)>(isBlocking: true)
        let ended = try Mailbox<String?>(isBlocking: true)
        let thread = try Thread.start(name: "embedded") {
            do {
                try EmbeddedServer.run(node, gateway) { port, stop, _ in started.put((port, stop)) }
                ended.put(nil)
            } catch {
                ended.put("\(error)")
            }
        }
        _ = consume thread
        var starts: [(UInt16, @Sendable () -> Void)] = []
        started.waitAndTake(into: &starts)
        (port, stopper) = starts[0]
        self.ended = ended
    }

    /// Ends it and returns what it failed with, nil for a clean end.
    func stop() -> String? {
        stopper()
        var ends: [String?] = []
        ended.waitAndTake(into: &ends)
        return ends[0]
    }

    /// Sends one request on a connection of its own and returns the whole answer.
    func exchange(_ request: String) throws -> String {
        let socket = try StreamSocket.connect(to: try SocketAddress("127.0.0.1:\(port)"))
        let poller = try Poller()
        try poller.register(socket.descriptor, token: 0, interest: [.read, .write])
        let output = Array(request.utf8)
        var sent = 0
        var answer: [UInt8] = []
        var ready: [Readiness] = []
        while true {
            try poller.wait(timeoutNanoseconds: 20_000_000_000, into: &ready)
            guard let event = ready.first else { return "no answer in time" }
            if event.isWritable, sent < output.count {
                if case .count(let count) = try socket.write(output, from: sent) { sent += count }
                if sent == output.count {
                    try poller.modify(socket.descriptor, token: 0, interest: .read)
                }
            }
            guard event.isReadable else { continue }
            if try socket.read(into: &answer) == .closed {
                return String(decoding: answer, as: UTF8.self)
            }
        }
    }

    /// Sends one request, reads the first bytes of the answer, and vanishes with the rest unread.
    func abandon(_ request: String) throws {
        let socket = try StreamSocket.connect(to: try SocketAddress("127.0.0.1:\(port)"))
        let poller = try Poller()
        try poller.register(socket.descriptor, token: 0, interest: [.read, .write])
        let output = Array(request.utf8)
        var sent = 0
        var answer: [UInt8] = []
        var ready: [Readiness] = []
        while answer.isEmpty {
            try poller.wait(timeoutNanoseconds: 20_000_000_000, into: &ready)
            guard let event = ready.first else { return }
            if event.isWritable, sent < output.count,
                case .count(let count) = try socket.write(output, from: sent)
            {
                sent += count
            }
            if sent == output.count {
                try poller.modify(socket.descriptor, token: 0, interest: .read)
            }
            if event.isReadable, try socket.read(into: &answer, limit: 16) == .closed { return }
        }
    }

    /// The head of a bulk request with its body.
    func bulk(_ body: String) -> String {
        "POST /v1/events HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer \(token)\r\n"
            + "Content-Type: application/x-ndjson\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// A POST whose connection ends with the answer.
    func post(_ path: String, _ body: String, type: String = "application/json") throws -> String {
        try exchange(
            "POST \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                + "Authorization: Bearer \(token)\r\nContent-Type: \(type)\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    func get(_ path: String) throws -> String {
        try exchange(
            "GET \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
                + "Authorization: Bearer \(token)\r\n\r\n")
    }

    /// One event as a client posts it.
    static func event(_ id: String, notes: String = "[]") -> String {
        "{\"unique_id\":\"\(id)\",\"script_name\":\"s\",\"host_name\":\"h\",\"file_name\":\"f\","
            + "\"start_time\":\"2026-11-24T00:00:00Z\",\"notes\":\(notes)}"
    }
}
