import Bytes

// Invariants: start <= position <= bytes.count; in front of `position` all is read, behind it
// nothing is, and `scanned` says how far a line break was looked for. Between a `.head` event and
// the end of its response only bytes behind `bodyEnd` move, so offsets stay good.

/// The server's side of one HTTP/1.1 connection (RFC 9112), without socket and clock.
///
/// The driver feeds `receive` and `receiveEnd`, calls `advance` until it says `.needsBytes`, and
/// again after each of `receive`, `receiveEnd`, `didWrite`, `admitBody` and the end of a response;
/// it writes out `output` from `outputStart` on. What comes out does not depend on how the input
/// was split. One request is handled at a time; later ones wait.
package struct HTTPConnection: Sendable {
    package enum Event: Equatable, Sendable {
        /// Nothing to do until bytes arrive, output is written, or the caller acts.
        case needsBytes
        /// `head` is there. The caller calls `admitBody`, or answers without the body.
        case head
        /// The body is longer than admitted. The caller answers, and the connection ends.
        case bodyTooLarge
        /// The request is whole, its body in `body`. The caller answers.
        case request
        /// The answer is queued already, and the connection ends.
        case malformed(HTTPDefect)
        /// Nothing more will be read or answered. Close when `shouldClose`.
        case closed
    }

    enum Phase: Sendable {
        case head
        /// The head was handed out; the caller decides about the body.
        case admission
        case body, chunkSize, chunkContent, chunkEnd, trailers
        /// The body turned out too long; `advance` has yet to say so.
        case oversize
        /// The caller answers a request whose body is not read to its end.
        case refused
        /// The caller answers a whole request.
        case response
        case stream
        /// The last answer is queued; input is read and dropped.
        case drain
        case closed
    }

    /// What was received; ranges of the head and of the body count in it.
    package internal(set) var bytes: [UInt8] = []
    /// The current request, from `.head` to the end of its response.
    package internal(set) var head = HTTPHead()
    /// What is to be written from `outputStart` on.
    package internal(set) var output: [UInt8] = []
    package internal(set) var outputStart = 0

    /// Told as `X-Request-Id` with the next answer, whoever makes it; empty for none. The driver sets it
    /// before the request comes, and may replace it until the answer. Gone with the answer.
    package var requestID = ""
    /// Told as `traceparent` with the next answer; gone with it.
    package var traceParent: String?

    var phase = Phase.head
    /// The current request's first byte.
    var start = 0
    var position = 0
    var scanned = 0
    var hasRequestLine = false
    var hasSkippedBlankLine = false
    var headersStart = 0
    var bodyStart = 0
    var bodyEnd = 0
    var bodyLimit = 0
    var chunkRemaining = 0
    var extensionBytes = 0
    var trailerBytes = 0
    /// Bytes that are still to be dropped before the connection closes.
    var drainRemaining = 0
    var hasInputEnded = false
    var closesAfterResponse = false
    /// Whether the response that is being streamed is the connection's last one.
    var isLastResponse = false
    /// Whether the stream's bytes are sent as chunks, and whether they are sent at all.
    var isStreamChunked = false
    var isStreamBodiless = false
    /// When the current phase's time began.
    var since: Nanoseconds
    /// When the peer last took a byte while output was waiting.
    var outputSince: Nanoseconds = 0

    package init(now: Nanoseconds) { since = now }

    /// The body of the request, de-chunked.
    package var body: Range<Int> { bodyStart..<bodyEnd }
    /// Bytes of output that wait.
    package var pendingOutput: Int { output.count - outputStart }
    /// Whether the driver should read: false when enough waits already.
    package var wantsBytes: Bool {
        if hasInputEnded { return false }
        switch phase {
        case .closed: return false
        case .body, .chunkSize, .chunkContent, .chunkEnd, .trailers, .drain: return true
        case .head, .admission, .oversize, .refused, .response, .stream:
            return bytes.count - position < HTTPLimits.pipelinedBytes
        }
    }

    /// Whether all output is written and none will follow: the driver shuts its side down, so that
    /// the peer sees the end while what it still sends is dropped.
    package var shouldEndOutput: Bool {
        pendingOutput == 0 && (phase == .drain || phase == .closed)
    }

    /// Whether the driver should close the socket.
    package var shouldClose: Bool { pendingOutput == 0 && phase == .closed }

    /// Whether no request is begun and no answer is owed.
    package var isIdle: Bool { phase == .head && bytes.count == start && pendingOutput == 0 }

    /// Since when a request is awaited or is coming in; nil while an answer is owed or not taken.
    package var awaitsSince: Nanoseconds? {
        guard pendingOutput == 0 else { return nil }
        switch phase {
        case .head, .body, .chunkSize, .chunkContent, .chunkEnd, .trailers: return since
        case .admission, .oversize, .refused, .response, .stream, .drain, .closed: return nil
        }
    }

    /// Bytes that the connection keeps in memory.
    package var heldBytes: Int { bytes.count + output.count }

    // MARK: Input

    /// Takes what the socket gave.
    package mutating func receive(_ input: Span<UInt8>, now: Nanoseconds) {
        precondition(!hasInputEnded, "\(input.count) bytes behind the end")
        switch phase {
        case .closed: return
        case .drain: drainRemaining -= min(drainRemaining, input.count)
        case .head where bytes.count == start:
            if input.count > 0 { since = now }
            bytes.append(input)
        default: bytes.append(input)
        }
    }

    /// The peer will send no more. What it sent completely is still answered.
    package mutating func receiveEnd() { hasInputEnded = true }

    /// `count` bytes of the output were written.
    package mutating func didWrite(_ count: Int, now: Nanoseconds) {
        precondition(count <= pendingOutput, "\(count) written of \(pendingOutput)")
        if count > 0 { outputSince = now }
        outputStart += count
        guard outputStart == output.count else { return }
        outputStart = 0
        Self.empty(&output)
    }

    /// Ends the connection as soon as no answer is owed; what is queued is still written.
    package mutating func closeWhenIdle() {
        closesAfterResponse = true
        if phase == .head, bytes.count == start { phase = .closed }
    }

    // MARK: Progress

    /// Goes on until something is to be told.
    package mutating func advance(now: Nanoseconds) -> Event {
        do throws(HTTPDefect) {
            while true {
                if let event = try step(now: now) { return event }
            }
        } catch {
            respondToDefect(error, now: now)
            return .malformed(error)
        }
    }

    private mutating func step(now: Nanoseconds) throws(HTTPDefect) -> Event? {
        switch phase {
        case .head: return try readHead()
        case .body: return readBody()
        case .chunkSize: return try readChunkSize()
        case .chunkContent: return readChunkContent()
        case .chunkEnd: return try readChunkEnd()
        case .trailers: return try readTrailer()
        case .oversize:
            phase = .refused
            return .bodyTooLarge
        case .admission, .refused, .response, .stream: return .needsBytes
        case .drain:
            guard hasInputEnded || drainRemaining == 0 else { return .needsBytes }
            phase = .closed
            return nil
        case .closed: return .closed
        }
    }

    // MARK: Between requests

    /// Goes to the next request, or towards the end, once a response is complete.
    ///
    /// `unread` is how much of the body is left, nil when that is not known.
    mutating func finishResponse(isLast: Bool, unread: Int?, now: Nanoseconds) {
        requestID = ""
        traceParent = nil
        guard !isLast else { return drain(unread ?? HTTPLimits.drainBytes, now: now) }
        start = position
        discardRead()
        head.reset()
        hasRequestLine = false
        hasSkippedBlankLine = false
        since = now
        phase = .head
    }

    /// Drops up to `count` further bytes, and then closes.
    mutating func drain(_ count: Int, now: Nanoseconds) {
        drainRemaining = min(count, HTTPLimits.drainBytes)
        drainRemaining -= min(drainRemaining, bytes.count - position)
        bytes = []
        (start, position, scanned, bodyStart, bodyEnd) = (0, 0, 0, 0, 0)
        since = now
        phase = drainRemaining == 0 ? .closed : .drain
    }

    /// Removes what was read, once that moves fewer bytes than it removes.
    private mutating func discardRead() {
        if start == bytes.count {
            Self.empty(&bytes)
            start = 0
        } else if start > bytes.count - start {
            bytes.removeSubrange(0..<start)
            if bytes.capacity > HTTPLimits.keptCapacity { bytes = bytes.span.copy(0..<bytes.count) }
            start = 0
        }
        position = start
        scanned = start
        bodyStart = start
        bodyEnd = start
    }

    static func empty(_ buffer: inout [UInt8]) {
        if buffer.capacity > HTTPLimits.keptCapacity {
            buffer = []
        } else {
            buffer.removeAll(keepingCapacity: true)
        }
    }
}
