import Linux
import Records

/// A socket that listens, shared by reference: a descriptor itself cannot be copied.
final class Listener {
    /// How long accepting rests when descriptors have run out.
    static let pauseNanoseconds: UInt64 = 100_000_000

    let socket: ListeningSocket
    private var pausedUntil: Instant?

    /// Binds `address`, `host:port`. An address in use says what to do.
    init(_ address: String) throws {
        do {
            socket = try ListeningSocket(try SocketAddress(address))
        } catch let error as SystemError where error.isInUse {
            throw NodeFailure(
                "\(address) is in use by another process; end it, or choose another port")
        }
    }

    /// Stops looking for connections for a while: there are no descriptors for them.
    func pause(_ poller: Poller, token: UInt64, now: Instant) {
        guard pausedUntil == nil else { return }
        pausedUntil = now.advanced(byNanoseconds: Self.pauseNanoseconds)
        try? poller.modify(socket.descriptor, token: token, interest: [])
    }

    /// Looks for connections again when the pause is over.
    func resume(_ poller: Poller, token: UInt64, now: Instant) {
        guard let pausedUntil, pausedUntil <= now else { return }
        self.pausedUntil = nil
        try? poller.modify(socket.descriptor, token: token, interest: .read)
    }
}
