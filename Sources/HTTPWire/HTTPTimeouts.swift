extension HTTPConnection {
    /// What `expire` did.
    package enum Expiry: Equatable, Sendable {
        case none
        /// A 408 is queued as the last answer; the connection ends.
        case requestTimeout
        /// The connection is closed, in silence.
        case closed
    }

    private enum Wait { case idle, request, drain }

    /// When `expire` has something to do if nothing happens before; nil while the caller owes an
    /// answer and no output waits.
    package func deadline() -> Nanoseconds? {
        guard phase != .closed || pendingOutput > 0 else { return nil }
        let phaseEnd = phaseDeadline?.time
        guard pendingOutput > 0 else { return phaseEnd }
        return min(outputSince + HTTPLimits.writeTime, phaseEnd ?? .max)
    }

    private var phaseDeadline: (time: Nanoseconds, wait: Wait)? {
        switch phase {
        case .head where bytes.count == start:
            (since + HTTPLimits.idleTime, .idle)
        case .head:
            // Behind too much output nothing is read, which is not the headers' fault.
            pendingOutput > HTTPLimits.pendingOutputBytes
                ? nil : (since + HTTPLimits.headerTime, .request)
        case .body, .chunkSize, .chunkContent, .chunkEnd, .trailers:
            (since + HTTPLimits.bodyTime, .request)
        case .drain:
            (since + HTTPLimits.drainTime, .drain)
        case .admission, .oversize, .refused, .response, .stream, .closed:
            nil
        }
    }

    /// Does what is due at `now`.
    package mutating func expire(now: Nanoseconds) -> Expiry {
        if pendingOutput > 0, outputSince + HTTPLimits.writeTime <= now { return abandon() }
        guard let (time, wait) = phaseDeadline, time <= now else { return .none }
        switch wait {
        case .idle:
            phase = .closed
            return .closed
        case .drain:
            return abandon()
        case .request:
            respondAndDrain(
                status: 408, detail: "The request was not complete in time.", now: now)
            return .requestTimeout
        }
    }

    private mutating func abandon() -> Expiry {
        output = []
        outputStart = 0
        bytes = []
        (start, position, scanned, bodyStart, bodyEnd) = (0, 0, 0, 0, 0)
        phase = .closed
        return .closed
    }
}
