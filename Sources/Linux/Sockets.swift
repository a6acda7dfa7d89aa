internal import CLinux
internal import Glibc

/// What one non-blocking read or write did.
package enum Transfer: Equatable, Sendable {
    /// So many bytes moved, at least one.
    case count(Int)
    /// Nothing can move now; wait until the poller says so.
    case wouldBlock
    /// Read: the peer ends its direction. Write: the peer is gone.
    case closed
}

/// A TCP socket that accepts connections.
package struct ListeningSocket: ~Copyable, Sendable {
    package let descriptor: FileDescriptor

    /// Connections that the kernel holds before they are accepted; beyond it, clients retry.
    package static let backlog: Int32 = 4_096

    /// Binds and listens, with SO_REUSEADDR. Port 0 lets the kernel choose.
    package init(_ address: SocketAddress) throws(SystemError) {
        let number = unsafe daybook_listen(
            address.bytes, UInt32(address.bytes.count), Self.backlog)
        descriptor = FileDescriptor(adopting: try checked(number, "listen on \(address)"))
    }

    /// The next waiting connection, nil when none waits. The caller tries again on a SystemError
    /// that is about one connection, and pauses on one that says descriptors ran out.
    package func accept() throws(SystemError) -> StreamSocket? {
        while true {
            let number = daybook_accept(descriptor.number)
            switch -number {
            case EAGAIN: return nil
            // The connection was reset while it waited: the next one is not concerned.
            case EINTR, ECONNABORTED, EPROTO: continue
            default: return StreamSocket(FileDescriptor(adopting: try checked(number, "accept")))
            }
        }
    }

    package consuming func close() throws(SystemError) { try descriptor.close() }

    /// The port that was bound.
    package func localPort() throws(SystemError) -> UInt16 {
        try portOf(descriptor.number)
    }
}

/// A connected, or connecting, non-blocking byte stream, in plain bytes or by TLS.
package struct StreamSocket: ~Copyable, Sendable {
    package let descriptor: FileDescriptor
    private let tls: TLSSession?

    /// Least room that a read makes behind the bytes that are there.
    package static let leastReadBytes = 4_096

    package init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
        tls = nil
    }

    private init(_ descriptor: consuming FileDescriptor, _ tls: TLSSession) {
        self.descriptor = descriptor
        self.tls = tls
    }

    /// The same stream by TLS, as the end that accepted it.
    package consuming func accepting(by context: TLSContext) throws(TLSFailure) -> StreamSocket {
        try secured(by: context, accepts: true, expects: nil)
    }

    /// The same stream by TLS, as the end that connects. The certificate must be that of `name`, a
    /// DNS name or address, where one is given.
    package consuming func connecting(
        by context: TLSContext, to name: String? = nil
    ) throws(TLSFailure) -> StreamSocket {
        try secured(by: context, accepts: false, expects: name)
    }

    private consuming func secured(
        by context: TLSContext, accepts: Bool, expects name: String?
    ) throws(TLSFailure) -> StreamSocket {
        let session = try TLSSession(
            context, descriptor: descriptor.number, accepts: accepts, expects: name)
        return StreamSocket(descriptor, session)
    }

    /// Whether bytes were received that the poller does not tell of: read on.
    package var hasPending: Bool { tls?.hasPending ?? false }

    /// Whether a write that would block waits for the peer to say something (TLS alone).
    package var writeAwaitsPeer: Bool { tls?.writeAwaitsPeer ?? false }

    /// The common name in the peer's certificate; nil in plain bytes, and before the handshake.
    package var certifiedName: String? { tls?.peerName }

    /// Why TLS ended the connection.
    package var tlsFailure: String? { tls?.failure }

    /// Begins to connect, with TCP_NODELAY. Once it is writable, `connectResult` decides.
    package static func connect(to address: SocketAddress) throws(SystemError) -> StreamSocket {
        let number = unsafe daybook_connect(address.bytes, UInt32(address.bytes.count))
        return StreamSocket(
            FileDescriptor(adopting: try checked(number, "connect to \(address)")))
    }

    /// Two ends of one stream inside this process.
    package static func pair() throws(SystemError) -> SocketPair {
        var numbers: [Int32] = [-1, -1]
        _ = try checked(unsafe daybook_socket_pair(&numbers), "socketpair")
        return SocketPair(
            first: StreamSocket(FileDescriptor(adopting: numbers[0])),
            second: StreamSocket(FileDescriptor(adopting: numbers[1])))
    }

    /// Throws why the attempt to connect failed; returns when it succeeded. Ask when writable.
    package func connectResult() throws(SystemError) {
        _ = try checked(daybook_connect_result(descriptor.number), "connect")
    }

    /// Appends at most `limit` bytes of what the peer sent.
    ///
    /// The room offered is the spare capacity of `bytes`, at least `leastReadBytes`, so a buffer
    /// that meets large bodies grows by itself and an idle connection's stays small.
    package func read(
        into bytes: inout [UInt8], limit: Int = 1_048_576
    ) throws(SystemError) -> Transfer {
        precondition(limit > 0, "a read of \(limit) bytes")
        let room = min(max(bytes.capacity - bytes.count, Self.leastReadBytes, bytes.count), limit)
        if let tls { return tls.read(into: &bytes, room: room) }
        let number = descriptor.number
        var result = 0
        bytes.append(addingCapacity: room) { output in
            unsafe output.withUnsafeMutableBufferPointer { buffer, count in
                result = unsafe daybook_receive(number, buffer.baseAddress, min(buffer.count, room))
                count = max(result, 0)
            }
        }
        switch Int32(-result) {
        case EAGAIN: return .wouldBlock
        case 0, ECONNRESET, ETIMEDOUT, EPIPE: return .closed
        default: return .count(try checked(result, "recv"))
        }
    }

    /// Sends bytes from `offset` on, as many as the kernel takes. Never raises SIGPIPE.
    package func write(
        _ bytes: [UInt8], from offset: Int = 0
    ) throws(SystemError) -> Transfer {
        precondition(offset >= 0 && offset < bytes.count, "byte \(offset) of \(bytes.count)")
        if let tls { return tls.write(bytes, from: offset) }
        let number = descriptor.number
        let result = unsafe bytes.withUnsafeBytes { buffer in
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset...])
            return unsafe daybook_send(number, rest.baseAddress, rest.count)
        }
        switch Int32(-result) {
        case EAGAIN: return .wouldBlock
        case ECONNRESET, EPIPE, ETIMEDOUT: return .closed
        default: return .count(try checked(result, "send"))
        }
    }

    /// Ends the connection when the peer has not acknowledged sent bytes for so long (RFC 5482), so
    /// that a link that was cut is found and opened anew. Without effect inside this process.
    package func limitSilence(milliseconds: UInt32) {
        _ = daybook_limit_silence(descriptor.number, milliseconds)
    }

    /// Tells the peer that nothing more will be sent. A peer that is gone already is no error.
    package func shutdownWrite() throws(SystemError) {
        tls?.endOutput()
        let result = daybook_shutdown_write(descriptor.number)
        if -result == ENOTCONN { return }
        _ = try checked(result, "shutdown")
    }

    package consuming func close() throws(SystemError) { try descriptor.close() }

    package func localPort() throws(SystemError) -> UInt16 {
        try portOf(descriptor.number)
    }

    /// The other end as `host:port`, numeric, IPv6 in brackets.
    package func peerName() throws(SystemError) -> String {
        try nameOf(descriptor.number, peer: true)
    }
}

/// Two connected sockets.
package struct SocketPair: ~Copyable, Sendable {
    package let first: StreamSocket
    package let second: StreamSocket

    /// Gives each end an owner of its own.
    package consuming func split(
        _ body: (consuming StreamSocket, consuming StreamSocket) throws -> Void
    ) rethrows {
        try body(first, second)
    }
}

private func nameOf(_ number: Int32, peer: Bool) throws(SystemError) -> String {
    var text = [CChar](repeating: 0, count: 128)
    let code = unsafe daybook_socket_name(number, peer ? 1 : 0, &text, text.count)
    _ = try checked(code, peer ? "getpeername" : "getsockname")
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func portOf(_ number: Int32) throws(SystemError) -> UInt16 {
    let name = try nameOf(number, peer: false)
    guard let colon = name.lastIndex(of: ":"), let port = UInt16(name[name.index(after: colon)...])
    else { throw SystemError(call: "port of \(name)", code: EAFNOSUPPORT) }
    return port
}
