import Ledger
import Linux
import PeerWire
import Records

/// A connection to a node that this process opens, and opens again when it is lost.
///
/// A node sends its own messages to a peer on it; what the peer sends comes on the connection that
/// the peer opens. A gateway sends requests on it and gets the answers back.
final class OutboundLink {
    enum State {
        case waiting(until: Instant)
        case connecting(FrameConnection)
        case greeting(FrameConnection)
        case open(FrameConnection)
    }

    /// Bytes that wait for one node. Beyond it frames are dropped, as a network may.
    static let queueBytes = 32 * 1_024 * 1_024
    static let firstBackoffNanoseconds: UInt64 = 20_000_000
    static let longestBackoffNanoseconds: UInt64 = 1_000_000_000

    let peer: NodeID
    let address: String
    let security: PeerSecurity
    var state: State
    private var backoffNanoseconds = OutboundLink.firstBackoffNanoseconds
    /// How long connecting and greeting may take; then it is tried anew.
    static let openingNanoseconds: UInt64 = 2_000_000_000
    /// When the attempt to connect began.
    var attemptedAt = Instant.zero
    /// One end of a pair inside this process: never silent, and never opened again.
    var isAdopted = false
    /// The directory as the node told it last, until it is taken over.
    var directory: Directory?
    /// When the last frame came; for links whose other side is never silent for long.
    var heardAt = Instant.zero
    /// What the node said of itself.
    var welcome: Handshake?
    /// What the peer refused with, so that it is said once and not at every attempt.
    var lastRefusal: String?

    init(peer: NodeID, address: String, security: PeerSecurity) {
        self.peer = peer
        self.address = address
        self.security = security
        state = .waiting(until: .zero)
    }

    /// When something is due that no readiness tells.
    var nextAttempt: Instant {
        if case .waiting(let until) = state { return until }
        return openingDeadline ?? Instant(nanoseconds: .max)
    }

    /// The connection of an attempt that is to be given up; nil when there is none.
    func overdueToken(now: Instant) -> UInt64? {
        guard let openingDeadline, openingDeadline <= now else { return nil }
        return anyConnection?.token
    }

    /// Whether it is time to connect.
    func isDue(now: Instant) -> Bool {
        if case .waiting(let until) = state { until <= now } else { false }
    }

    /// The open connection, if messages can be sent.
    var connection: FrameConnection? {
        if case .open(let connection) = state { connection } else { nil }
    }

    /// The connection in whatever state.
    var anyConnection: FrameConnection? {
        switch state {
        case .waiting: nil
        case .connecting(let connection), .greeting(let connection), .open(let connection):
            connection
        }
    }

    /// When an attempt that is neither open nor over is given up; nil when there is none.
    var openingDeadline: Instant? {
        switch state {
        case .waiting, .open: nil
        case .connecting, .greeting:
            isAdopted ? nil : attemptedAt.advanced(byNanoseconds: Self.openingNanoseconds)
        }
    }

    /// Begins to connect; backs off when that fails at once.
    func connect(token: @autoclosure () -> UInt64, poller: Poller, now: Instant) {
        attemptedAt = now
        do {
            let socket = try security.connecting(
                try StreamSocket.connect(to: try SocketAddress(address)))
            state = .connecting(
                try FrameConnection(
                    socket: socket, token: token(), isConnecting: true, poller: poller))
        } catch {
            backOff(now: now)
        }
    }

    /// Says hello once the attempt to connect is decided. False when the connection is over.
    func greet(_ connection: FrameConnection, _ own: Handshake, _ poller: Poller) -> Bool {
        do { try connection.socket.connectResult() } catch { return false }
        state = .greeting(connection)
        connection.queue { output in
            Frame.append(.hello, to: &output) { own.append(to: &$0) }
        }
        return connection.flush(poller)
    }

    /// Why who answered on `connection` is not the peer; nil when it is.
    func objection(
        to welcome: Handshake, on connection: FrameConnection, _ own: Handshake
    ) -> String? {
        if let reason = own.objection(to: welcome) { return reason }
        guard welcome.node == peer else {
            return "\(welcome.node.map { "node \($0)" } ?? "no node") answers there"
        }
        return isAdopted ? nil : security.objection(connection.socket, to: welcome)
    }

    /// Remembers why the peer refuses. False when that is known already.
    func remember(refusal reason: String) -> Bool {
        defer { lastRefusal = reason }
        return lastRefusal != reason
    }

    func opened(_ connection: FrameConnection) {
        state = .open(connection)
        backoffNanoseconds = Self.firstBackoffNanoseconds
        lastRefusal = nil
    }

    /// Waits before the next attempt, twice as long each time up to a bound.
    func backOff(now: Instant) {
        welcome = nil
        state = .waiting(until: now.advanced(byNanoseconds: backoffNanoseconds))
        backoffNanoseconds = min(backoffNanoseconds * 2, Self.longestBackoffNanoseconds)
    }
}
