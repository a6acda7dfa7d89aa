import Bytes

// From an answer to bytes.
extension HTTPConnection {
    // MARK: Whole responses

    /// Queues the whole response and goes on to the next request.
    ///
    /// Offsets of the request are void on return. `contentType` is left out when nil. The values of
    /// `extraHeaders` have no control characters. A body is counted but not sent when `headOnly`
    /// and to a HEAD request.
    package mutating func respond(
        status: Int, contentType: StaticString?, extraHeaders: [(StaticString, String)] = [],
        body: Span<UInt8>, headOnly: Bool = false, now: Nanoseconds
    ) {
        let isLast = beginResponse(status, contentType, extraHeaders, now: now)
        if !HTTPStatus.isBodiless(status) {
            append("Content-Length: ", now: now)
            output.appendDecimal(body.count)
            append("\r\n", now: now)
        }
        append("\r\n", now: now)
        if !headOnly, head.method != .head, !HTTPStatus.isBodiless(status) { output.append(body) }
        finishResponse(isLast: isLast, unread: unreadBody, now: now)
    }

    /// Queues the status line and all headers but the body's length; says whether this response is
    /// the connection's last.
    private mutating func beginResponse(
        _ status: Int, _ contentType: StaticString?, _ extraHeaders: [(StaticString, String)],
        mustClose: Bool = false, now: Nanoseconds
    ) -> Bool {
        precondition(
            phase == .admission || phase == .refused || phase == .response,
            "a response in \(phase)")
        let isLast =
            mustClose || closesAfterResponse || !head.keepAlive || unreadBody != 0
            || (hasInputEnded && position == bytes.count)
        appendStatusLine(status, now: now)
        if let contentType { appendHeader("Content-Type", contentType, now: now) }
        for (name, value) in extraHeaders { appendHeader(name, value, now: now) }
        appendNames(now: now)
        if isLast {
            append("Connection: close\r\n", now: now)
        } else if head.minorVersion == 0 {
            append("Connection: keep-alive\r\n", now: now)
        }
        return isLast
    }

    /// How much of the request's body was not read; nil when that is not known.
    private var unreadBody: Int? {
        switch phase {
        case .refused, .admission: head.isChunked ? nil : head.contentLength ?? 0
        default: 0
        }
    }

    /// Answers what is no request, and lets the connection end.
    mutating func respondToDefect(_ defect: HTTPDefect, now: Nanoseconds) {
        respondAndDrain(status: defect.status, detail: defect.detail, now: now)
    }

    /// Queues a problem (RFC 9457) as the connection's last response.
    mutating func respondAndDrain(status: Int, detail: StaticString, now: Nanoseconds) {
        var problem: [UInt8] = []
        problem.append("{\"type\":\"about:blank\",\"title\":\"")
        problem.append(HTTPStatus.reason(status))
        problem.append("\",\"status\":")
        problem.appendDecimal(status)
        problem.append(",\"detail\":\"")
        problem.append(detail)
        if !requestID.isEmpty {
            problem.append("\",\"request_id\":\"")
            problem.append(requestID.utf8Span.span)
        }
        problem.append("\"}")
        appendStatusLine(status, now: now)
        append("Content-Type: application/problem+json\r\nConnection: close\r\n", now: now)
        appendNames(now: now)
        append("Content-Length: ", now: now)
        output.appendDecimal(problem.count)
        append("\r\n\r\n", now: now)
        if !hasRequestLine || head.method != .head { output.append(problem.span) }
        requestID = ""
        traceParent = nil
        drain(HTTPLimits.drainBytes, now: now)
    }

    // MARK: Streams

    /// Queues the head of a response whose length is not known: chunked, or for HTTP/1.0 up to the
    /// connection's end. Offsets of the request stay good until `endStream`.
    package mutating func beginStream(
        status: Int, contentType: StaticString?, extraHeaders: [(StaticString, String)] = [],
        now: Nanoseconds
    ) {
        precondition(!HTTPStatus.isBodiless(status), "a stream of status \(status)")
        precondition(phase == .response, "a stream in \(phase)")
        isStreamBodiless = head.method == .head
        isStreamChunked = head.minorVersion == 1
        isLastResponse = beginResponse(
            status, contentType, extraHeaders, mustClose: !isStreamChunked, now: now)
        if isStreamChunked { append("Transfer-Encoding: chunked\r\n", now: now) }
        append("\r\n", now: now)
        phase = .stream
    }

    /// Queues the next bytes of the stream; none is allowed and sends nothing.
    package mutating func writeChunk(_ content: Span<UInt8>, now: Nanoseconds) {
        precondition(phase == .stream, "a chunk in \(phase)")
        guard content.count > 0, !isStreamBodiless else { return }
        willAppend(now: now)
        if isStreamChunked {
            output.appendHexadecimal(content.count)
            output.append("\r\n")
        }
        output.append(content)
        if isStreamChunked { output.append("\r\n") }
    }

    /// Ends the stream and goes on to the next request.
    package mutating func endStream(now: Nanoseconds) {
        precondition(phase == .stream, "the end of a stream in \(phase)")
        if isStreamChunked, !isStreamBodiless { append("0\r\n\r\n", now: now) }
        finishResponse(isLast: isLastResponse || closesAfterResponse, unread: 0, now: now)
    }

    /// Ends the connection without the last chunk, so that the client knows that it has not all.
    package mutating func abortStream(now: Nanoseconds) {
        precondition(phase == .stream, "the abortion of a stream in \(phase)")
        drain(0, now: now)
    }

    // MARK: Output

    private mutating func appendStatusLine(_ status: Int, now: Nanoseconds) {
        precondition((200...599).contains(status), "status \(status)")
        append("HTTP/1.1 ", now: now)
        output.appendDecimal(status)
        output.append(UInt8(ascii: " "))
        output.append(HTTPStatus.reason(status))
        output.append("\r\n")
    }

    /// The headers by which the answer is found again in logs.
    private mutating func appendNames(now: Nanoseconds) {
        if !requestID.isEmpty { appendHeader("X-Request-Id", requestID, now: now) }
        if let traceParent { appendHeader("traceparent", traceParent, now: now) }
    }

    private mutating func appendHeader(
        _ name: StaticString, _ value: StaticString, now: Nanoseconds
    ) {
        output.append(name)
        output.append(": ")
        output.append(value)
        output.append("\r\n")
    }

    private mutating func appendHeader(_ name: StaticString, _ value: String, now: Nanoseconds) {
        output.append(name)
        output.append(": ")
        let bytes = value.utf8Span.span
        for offset in 0..<bytes.count {
            precondition(HTTPCharacters.isValue(bytes[offset]), "\(name): byte \(bytes[offset])")
        }
        output.append(bytes)
        output.append("\r\n")
    }

    mutating func append(_ text: StaticString, now: Nanoseconds) {
        willAppend(now: now)
        output.append(text)
    }

    /// Keeps what was written from piling up in front of what waits.
    private mutating func willAppend(now: Nanoseconds) {
        if pendingOutput == 0 { outputSince = now }
        guard outputStart > pendingOutput else { return }
        output.removeSubrange(0..<outputStart)
        outputStart = 0
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) {
        precondition(text.hasPointerRepresentation, "a character is no text")
        unsafe append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func appendDecimal(_ number: Int) {
        append(number, base: 10)
    }

    fileprivate mutating func appendHexadecimal(_ number: Int) {
        append(number, base: 16)
    }

    private mutating func append(_ number: Int, base: Int) {
        precondition(number >= 0, "\(number)")
        var divisor = 1
        while number / divisor >= base { divisor *= base }
        while divisor > 0 {
            let digit = UInt8(truncatingIfNeeded: number / divisor % base)
            append(digit < 10 ? 48 + digit : 87 + digit)
            divisor /= base
        }
    }
}
