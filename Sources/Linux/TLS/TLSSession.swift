internal import COpenSSL

/// TLS on one connected socket; the handshake happens inside the first reads and writes.
///
/// Sendable to be handed over with its socket: it is used by one thread at a time, as that is.
@safe final class TLSSession: @unchecked Sendable {
    private let pointer: OpaquePointer
    /// The last write could not go on before the peer has said something.
    private(set) var writeAwaitsPeer = false
    /// Why the connection ended, when TLS ended it.
    private(set) var failure: String?

    /// `descriptor` stays open as long as this. A client names whom it expects, when the context
    /// verifies names.
    init(
        _ context: TLSContext, descriptor: Int32, accepts: Bool, expects name: String?
    ) throws(TLSFailure) {
        guard let pointer = unsafe SSL_new(context.pointer) else { throw TLSFailure("no session") }
        unsafe self.pointer = pointer
        guard unsafe SSL_set_fd(pointer, descriptor) == 1 else { throw TLSFailure("no session") }
        if let name, unsafe daybook_tls_expect_name(pointer, name) != 1 {
            throw TLSFailure("the name \(name)")
        }
        if accepts {
            unsafe SSL_set_accept_state(pointer)
        } else {
            unsafe SSL_set_connect_state(pointer)
        }
    }

    deinit { unsafe SSL_free(pointer) }

    /// Whether bytes are here that the poller knows nothing of.
    var hasPending: Bool { unsafe SSL_pending(pointer) > 0 }

    /// The common name of the peer's verified certificate, once the handshake is over.
    var peerName: String? {
        guard unsafe SSL_is_init_finished(pointer) == 1 else { return nil }
        var text = [CChar](repeating: 0, count: 256)
        let count = unsafe daybook_tls_peer_name(pointer, &text, Int32(text.count))
        guard count > 0 else { return nil }
        return String(
            decoding: text.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// As `StreamSocket.read`; an error of TLS ends the connection.
    func read(into bytes: inout [UInt8], room: Int) -> Transfer {
        ERR_clear_error()
        var result: Int32 = 0
        bytes.append(addingCapacity: room) { output in
            unsafe output.withUnsafeMutableBufferPointer { buffer, count in
                result = unsafe SSL_read(
                    pointer, buffer.baseAddress, Int32(min(buffer.count, room)))
                count = Int(max(result, 0))
            }
        }
        return outcome(result)
    }

    /// As `StreamSocket.write`; an error of TLS ends the connection.
    func write(_ bytes: [UInt8], from offset: Int) -> Transfer {
        ERR_clear_error()
        writeAwaitsPeer = false
        let result = unsafe bytes.withUnsafeBytes { buffer in
            let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset...])
            let count = Int32(clamping: rest.count)
            return unsafe SSL_write(pointer, rest.baseAddress, count)
        }
        if result <= 0, unsafe SSL_get_error(pointer, result) == SSL_ERROR_WANT_READ {
            writeAwaitsPeer = true
            return .wouldBlock
        }
        return outcome(result)
    }

    private func outcome(_ result: Int32) -> Transfer {
        guard result <= 0 else { return .count(Int(result)) }
        switch unsafe SSL_get_error(pointer, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
        case SSL_ERROR_SSL:
            failure = TLSFailure.lastReason()
            return .closed
        default: return .closed
        }
    }

    /// Tells the peer that nothing more comes.
    func endOutput() {
        if failure == nil { unsafe SSL_shutdown(pointer) }
        ERR_clear_error()
    }
}
