import Linux
import Testing

/// Waits on real descriptors, without sleeping: the poller returns when there is something to do.
private func wait(
    for descriptor: borrowing FileDescriptor, _ interest: Interest
) throws -> Readiness {
    let poller = try Poller()
    try poller.register(descriptor, token: 1, interest: interest)
    var ready: [Readiness] = []
    while ready.isEmpty {
        try poller.wait(timeoutNanoseconds: 10_000_000_000, into: &ready)
        try #require(!ready.isEmpty, "nothing ready within ten seconds")
    }
    return ready[0]
}

private struct Connected: ~Copyable {
    let listener: ListeningSocket
    let client: StreamSocket
    let server: StreamSocket

    init(_ address: String = "127.0.0.1:0") throws {
        let listener = try ListeningSocket(SocketAddress(address))
        let host = address.dropLast(2)
        let peer = try SocketAddress("\(host):\(listener.localPort())")
        let client = try StreamSocket.connect(to: peer)
        _ = try wait(for: listener.descriptor, .read)
        guard let server = try listener.accept() else {
            throw SystemError(call: "accept", code: 0)
        }
        _ = try wait(for: client.descriptor, .write)
        try client.connectResult()
        self.listener = listener
        self.client = client
        self.server = server
    }
}

struct SocketAddressTests {
    @Test(arguments: ["127.0.0.1:7400", "[::1]:7400", "localhost:7400", "*:0", "0.0.0.0:65535"])
    func `an address is read from host and port`(text: String) throws {
        #expect(try SocketAddress(text).description == text)
    }

    @Test(arguments: [
        "", ":", "127.0.0.1", "127.0.0.1:", ":7400", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:+1", "127.0.0.1:http", "::1:7400", "[]:7400", "no.such.host.invalid:1",
        "a\u{0}b:1",
    ])
    func `what is no address is refused with a reason`(text: String) {
        let error = #expect(throws: AddressError.self) { try SocketAddress(text) }
        #expect(error?.text == text)
        #expect(error?.reason.isEmpty == false)
    }
}

struct SocketTests {
    @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
    func `bytes written by one end are read by the other`(address: String) throws {
        let link = try Connected(address)
        #expect(try link.client.write(Array("_hello".utf8), from: 1) == .count(5))
        _ = try wait(for: link.server.descriptor, .read)
        var bytes: [UInt8] = [33]
        #expect(try link.server.read(into: &bytes) == .count(5))
        #expect(bytes == Array("!hello".utf8))
    }

    @Test func `a read of an idle connection would block and changes nothing`() throws {
        let link = try Connected()
        var bytes: [UInt8] = [1, 2, 3]
        #expect(try link.server.read(into: &bytes) == .wouldBlock)
        #expect(bytes == [1, 2, 3])
    }

    @Test func `a read never takes more than its limit`() throws {
        let link = try Connected()
        _ = try link.client.write([UInt8](repeating: 7, count: 100))
        _ = try wait(for: link.server.descriptor, .read)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(1_000)
        #expect(try link.server.read(into: &bytes, limit: 30) == .count(30))
        #expect(bytes.count == 30)
    }

    @Test func `a writer that outruns its reader would block, and goes on after a read`() throws {
        let pair = try StreamSocket.pair()
        let block = [UInt8](repeating: 1, count: 65_536)
        var sent = 0
        while case .count(let count) = try pair.first.write(block) { sent += count }
        #expect(sent > 0)
        var received: [UInt8] = []
        while case .count = try pair.second.read(into: &received) {}
        #expect(received.count == sent)
        #expect(received.allSatisfy { $0 == 1 })
        #expect(try wait(for: pair.first.descriptor, .write).isWritable)
        #expect(try pair.first.write([2]) == .count(1))
    }

    @Test func `half a close ends reading and leaves the other direction open`() throws {
        let link = try Connected()
        try link.client.shutdownWrite()
        _ = try wait(for: link.server.descriptor, .read)
        var bytes: [UInt8] = []
        #expect(try link.server.read(into: &bytes) == .closed)
        #expect(try link.server.write([9]) == .count(1))
        _ = try wait(for: link.client.descriptor, .read)
        #expect(try link.client.read(into: &bytes) == .count(1))
        #expect(bytes == [9])
    }

    @Test func `writing to a peer that is gone says closed and raises no signal`() throws {
        try StreamSocket.pair().split { first, second in
            try second.close()
            #expect(try first.write([1]) == .closed)
            #expect(try first.write([1]) == .closed)
            var bytes: [UInt8] = []
            #expect(try first.read(into: &bytes) == .closed)
        }
    }

    @Test func `a port in use is refused with the address and the kernel's words`() throws {
        let first = try ListeningSocket(SocketAddress("127.0.0.1:0"))
        let port = try first.localPort()
        let error = #expect(throws: SystemError.self) {
            _ = try ListeningSocket(SocketAddress("127.0.0.1:\(port)"))
        }
        #expect(error?.isInUse == true)
        #expect(
            error?.description
                == "listen on 127.0.0.1:\(port): Address already in use (EADDRINUSE)")
    }

    @Test func `a port is free again as soon as its listener is closed`() throws {
        let port = try {
            let link = try Connected()
            _ = try link.client.write([1])
            return try link.listener.localPort()
        }()
        #expect(try ListeningSocket(SocketAddress("127.0.0.1:\(port)")).localPort() == port)
    }

    @Test func `a connection that nobody takes is refused`() throws {
        let port = try ListeningSocket(SocketAddress("127.0.0.1:0")).localPort()
        let error = #expect(throws: SystemError.self) {
            let socket = try StreamSocket.connect(to: SocketAddress("127.0.0.1:\(port)"))
            #expect(try wait(for: socket.descriptor, .write).isHangUp)
            try socket.connectResult()
        }
        #expect(error?.name == "ECONNREFUSED")
    }

    @Test func `no connection waits where nobody has connected`() throws {
        let listener = try ListeningSocket(SocketAddress("127.0.0.1:0"))
        let isAbsent = try listener.accept() == nil
        #expect(isAbsent)
    }

    @Test func `both ends of a connection know its name`() throws {
        let link = try Connected()
        #expect(try link.client.peerName() == "127.0.0.1:\(link.listener.localPort())")
        #expect(try link.server.peerName() == "127.0.0.1:\(link.client.localPort())")
    }
}
