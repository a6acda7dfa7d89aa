import Linux
import PeerWire

/// One TCP connection that carries frames, with what waits to be written.
final class FrameConnection {
    /// Bytes read from one connection in one turn; the rest waits, so that others have theirs.
    static let turnBytes = 4 * 1_024 * 1_024

    /// Sent bytes that are not acknowledged for so long end the connection.
    static let silenceMilliseconds: UInt32 = 2_000

    let socket: StreamSocket
    let token: UInt64
    var frames = FrameBuffer()
    private var output: [UInt8] = []
    private var outputStart = 0
    private var interest: Interest
    private var isClosed = false
    /// In a list of connections with output to flush at the end of the turn.
    var isQueued = false

    /// Registers the socket: for writing too while it connects.
    init(
        socket: consuming StreamSocket, token: UInt64, isConnecting: Bool, poller: Poller
    ) throws(SystemError) {
        self.socket = socket
        self.token = token
        interest = isConnecting ? [.read, .write] : .read
        self.socket.limitSilence(milliseconds: Self.silenceMilliseconds)
        try poller.register(self.socket.descriptor, token: token, interest: interest)
    }

    var pendingBytes: Int { output.count - outputStart }

    /// Takes `bytes` to be written; `flush` writes them.
    func queue(_ bytes: [UInt8]) {
        if pendingBytes == 0 {
            output = bytes
            outputStart = 0
        } else {
            output.append(contentsOf: bytes)
        }
    }

    /// Lets `write` append to what is to be written.
    func queue(_ write: (inout [UInt8]) -> Void) { write(&output) }

    /// Reads what there is, up to a bound. False when the connection is over, for whatever reason:
    /// an error of one connection is nobody else's.
    func read(_ poller: Poller) -> Bool {
        var total = 0
        while total < Self.turnBytes || socket.hasPending {
            switch try? socket.read(into: &frames.bytes) {
            case .count(let count):
                total += count
                if count < StreamSocket.leastReadBytes, !socket.hasPending { return true }
            // What the peer said may be what a write waits for.
            case .wouldBlock: return pendingBytes == 0 || flush(poller)
            case .closed, nil: return false
            }
        }
        return true
    }

    /// Writes what the kernel takes. False when the connection is over, for whatever reason.
    func flush(_ poller: Poller) -> Bool {
        guard !isClosed else { return true }
        while pendingBytes > 0 {
            switch try? socket.write(output, from: outputStart) {
            case .count(let count): outputStart += count
            case .wouldBlock:
                return watch(poller, socket.writeAwaitsPeer ? .read : [.read, .write])
            case .closed, nil: return false
            }
        }
        output.removeAll(keepingCapacity: output.capacity <= 1_024 * 1_024)
        outputStart = 0
        return watch(poller, .read)
    }

    /// Watches no more; what is queued is dropped.
    func close(_ poller: Poller) {
        isClosed = true
        try? poller.remove(socket.descriptor)
    }

    private func watch(_ poller: Poller, _ wanted: Interest) -> Bool {
        guard wanted != interest else { return true }
        interest = wanted
        do {
            try poller.modify(socket.descriptor, token: token, interest: wanted)
            return true
        } catch {
            return false
        }
    }
}
