import Gateway
import HTTPWire
import Linux
import PeerWire
import Records

/// One client's connection and the request on it that waits for the cluster.
final class ClientConnection {
    /// What the current request waits for.
    enum Exchange {
        case none
        /// The directory, without which no token can be judged, or that it shows a session's use.
        case directory(isOversized: Bool)
        /// A password's hash.
        case password
        case event(EventAdmission)
        case read(ReadAdmission)
        case command(CommandAdmission)
        case cluster
        case index(EventIndexScan)
        case bulk(BulkExchange)
        case replay(ReplayExchange)
    }

    let socket: StreamSocket
    let slot: Int
    /// Told to the poller; never used twice.
    let token: UInt64
    var http: HTTPConnection
    var exchange = Exchange.none
    /// Names the current exchange; an answer to an earlier one is dropped.
    var exchangeNumber: UInt32 = 0
    /// Of the request that is there, or comes next.
    var requestID: String { http.requestID }
    /// Whom the current request is counted against.
    var source: RequestSource
    /// The other end.
    let peer: ClientAddress
    /// The current request's line of the access log; nil without a log, and once it is written.
    var access: AccessRecord?
    /// What it held when that was counted last.
    var heldBytes = 0
    var admittedAt = Instant.zero
    /// Bytes of a bulk body that the connection holds or will hold.
    var bulkBytes = 0
    var isQueued = false
    var isClosed = false
    private var interest = Interest.read
    private var hasEndedOutput = false

    init(socket: consuming StreamSocket, slot: Int, token: UInt64, now: Instant) {
        // Without a name it is an end inside this machine.
        peer =
            (try? socket.peerName()).flatMap { ClientAddress(endpoint: $0) }
            ?? RequestSource.local.address
        source = RequestSource(address: peer, isForwarded: false)
        self.socket = socket
        self.slot = slot
        self.token = token
        http = HTTPConnection(now: now.nanoseconds)
    }

    /// The name under which the cluster's client knows the current exchange.
    var exchangeID: ExchangeID {
        ExchangeID(UInt64(exchangeNumber) << 32 | UInt64(UInt32(slot)))
    }

    /// Writes what the kernel takes, and watches for what can happen next. False when the
    /// connection is over.
    func flush(_ poller: Poller, now: Instant) throws(SystemError) -> Bool {
        var isBlocked = false
        while http.pendingOutput > 0, !isBlocked {
            switch try socket.write(http.output, from: http.outputStart) {
            case .count(let count): http.didWrite(count, now: now.nanoseconds)
            case .wouldBlock: isBlocked = true
            case .closed: return false
            }
        }
        if http.shouldClose { return false }
        if http.shouldEndOutput, !hasEndedOutput {
            hasEndedOutput = true
            try socket.shutdownWrite()
        }
        var wanted: Interest = http.wantsBytes ? .read : []
        if isBlocked { wanted.insert(socket.writeAwaitsPeer ? .read : .write) }
        if wanted != interest {
            try poller.modify(socket.descriptor, token: token, interest: wanted)
            interest = wanted
        }
        return true
    }
}

/// A bulk request on its way: one window of events at a time, so that events of one unique_id keep
/// their order whatever happens to the leader.
struct BulkExchange {
    /// Events in one window.
    static let windowEvents = 4_096

    enum Line {
        case waiting(uniqueID: [UInt8])
        case done([UInt8])
    }

    var reading: BulkReading
    var lines: [Line] = []
    var waitingCount = 0
    var hasBegun = false
}

/// A replay on its way: one page at a time, asked for when the client has taken the last.
struct ReplayExchange {
    /// The next page; its `until` is fixed by the first answer unless the stream follows.
    var page: PageRequest
    let follow: Bool
    let stale: Bool
    /// The first page must hold what is recorded through here.
    let after: Sequence?
    /// The node that answers next must have applied all below this.
    var known = Sequence.zero
    var hasBegun = false
    var isAsking = false

    init(_ admission: ReplayAdmission) {
        page = admission.page
        follow = admission.follow
        stale = admission.stale
        after = admission.after
    }
}
