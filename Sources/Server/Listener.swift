import Linux

/// A socket that listens, shared by reference: a descriptor itself cannot be copied.
final class Listener {
    let socket: ListeningSocket

    /// Binds `address`, `host:port`. An address in use says what to do.
    init(_ address: String) throws {
        do {
            socket = try ListeningSocket(try SocketAddress(address))
        } catch let error as SystemError where error.isInUse {
            throw NodeFailure(
                "\(address) is in use by another process; end it, or choose another port")
        }
    }
}
