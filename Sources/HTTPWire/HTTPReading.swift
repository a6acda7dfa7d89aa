import Bytes

// From bytes to a request: lines, head, body, chunks.
extension HTTPConnection {
    // MARK: Lines

    /// The next line without its CR LF, or nil when it is not all there.
    ///
    /// `limit` bounds the offset behind the line feed, whatever is there yet, so that the verdict
    /// does not depend on how the input was split.
    private mutating func nextLine(
        limit: Int, _ defect: HTTPDefect
    ) throws(HTTPDefect) -> Range<Int>? {
        let end = min(limit, bytes.count)
        let lineFeed = Self.lineFeed(bytes.span, from: scanned, end: end)
        guard lineFeed < end else {
            scanned = end
            guard bytes.count < limit else { throw defect }
            return nil
        }
        guard lineFeed > position, bytes[lineFeed - 1] == 0x0D else { throw .bareLineFeed }
        let line = position..<(lineFeed - 1)
        position = lineFeed + 1
        scanned = position
        return line
    }

    /// The offset of the first line feed, or `end`; eight bytes at a time.
    private static func lineFeed(_ bytes: Span<UInt8>, from start: Int, end: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var offset = start
        while offset + 8 <= end {
            let word = bytes.littleEndian(UInt64.self, at: offset) ^ (ones &* 0x0A)
            let marks = (word &- ones) & ~word & (ones &* 0x80)
            if marks != 0 { return offset + marks.trailingZeroBitCount / 8 }
            offset += 8
        }
        while offset < end, bytes[offset] != 0x0A { offset += 1 }
        return offset
    }

    /// What there is to say when the bytes do not suffice.
    private mutating func starve() -> Event {
        guard hasInputEnded else { return .needsBytes }
        phase = .closed
        return .closed
    }

    // MARK: Head

    mutating func readHead() throws(HTTPDefect) -> Event? {
        if !hasRequestLine {
            guard pendingOutput <= HTTPLimits.pendingOutputBytes else { return .needsBytes }
            return try readRequestLine()
        }
        let limit = headersStart + HTTPLimits.headerBytes
        guard let line = try nextLine(limit: limit, .headersTooLarge) else { return starve() }
        guard line.isEmpty else {
            try head.readField(bytes, line)
            return nil
        }
        try head.finish()
        bodyStart = position
        bodyEnd = position
        phase = .admission
        return .head
    }

    private mutating func readRequestLine() throws(HTTPDefect) -> Event? {
        if position < bytes.count {
            // What speaks another protocol is told at its first byte.
            let first = bytes[position]
            guard HTTPCharacters.isToken(first) || first == 0x0D || first == 0x0A else {
                throw .method
            }
        }
        let limit = position + HTTPLimits.requestLineBytes + 2
        guard let line = try nextLine(limit: limit, .requestLineTooLong) else { return starve() }
        guard !line.isEmpty else {
            // One empty line in front of a request is forgiven (RFC 9112 section 2.2).
            guard !hasSkippedBlankLine else { throw .requestLine }
            hasSkippedBlankLine = true
            start = position
            return nil
        }
        try head.readRequestLine(bytes, line)
        hasRequestLine = true
        headersStart = position
        return nil
    }

    // MARK: Body

    /// Lets the body in, up to `limit` bytes of it, and asks a client for it that waits to be asked.
    package mutating func admitBody(limit: Int, now: Nanoseconds) {
        precondition(phase == .admission, "a body is admitted in \(phase)")
        bodyLimit = limit
        since = now
        if let length = head.contentLength, length > limit {
            phase = .oversize
            return
        }
        if head.expectsContinue, head.hasBody { append("HTTP/1.1 100 Continue\r\n\r\n", now: now) }
        chunkRemaining = 0
        extensionBytes = 0
        trailerBytes = 0
        phase = head.isChunked ? .chunkSize : .body
    }

    mutating func readBody() -> Event? {
        let end = bodyStart + (head.contentLength ?? 0)
        guard bytes.count >= end else { return starve() }
        position = end
        bodyEnd = end
        phase = .response
        return .request
    }

    // MARK: Chunks (RFC 9112 section 7.1)

    mutating func readChunkSize() throws(HTTPDefect) -> Event? {
        let extensionsLeft = HTTPLimits.chunkExtensionBytes - extensionBytes
        let limit = position + HTTPLimits.chunkSizeDigits + extensionsLeft + 2
        guard let line = try nextLine(limit: limit, .chunkExtensionsTooLong) else {
            return starveInChunks()
        }
        let size = try chunkSize(line)
        guard size > 0 else {
            phase = .trailers
            return nil
        }
        guard size <= bodyLimit - (bodyEnd - bodyStart) else {
            phase = .oversize
            return nil
        }
        chunkRemaining = size
        phase = .chunkContent
        return nil
    }

    private mutating func chunkSize(_ line: Range<Int>) throws(HTTPDefect) -> Int {
        var offset = line.lowerBound
        var size = 0
        while offset < line.upperBound, let digit = HTTPCharacters.hexValue(bytes[offset]) {
            guard offset - line.lowerBound < HTTPLimits.chunkSizeDigits else { throw .chunk }
            size = size << 4 | Int(digit)
            offset += 1
        }
        guard offset > line.lowerBound else { throw .chunk }
        guard offset < line.upperBound else { return size }
        guard bytes[offset] == UInt8(ascii: ";") else { throw .chunk }
        extensionBytes += line.upperBound - offset
        guard extensionBytes <= HTTPLimits.chunkExtensionBytes else {
            throw .chunkExtensionsTooLong
        }
        try checkExtensions(offset..<line.upperBound)
        return size
    }

    /// Each semicolon is followed by a name at once: parsers disagree about white space there.
    private func checkExtensions(_ range: Range<Int>) throws(HTTPDefect) {
        for place in range {
            guard HTTPCharacters.isValue(bytes[place]) else { throw .chunk }
            guard bytes[place] == UInt8(ascii: ";") else { continue }
            guard place + 1 < range.upperBound, HTTPCharacters.isToken(bytes[place + 1]) else {
                throw .chunk
            }
        }
    }

    mutating func readChunkContent() -> Event? {
        let count = min(chunkRemaining, bytes.count - position)
        bytes.move(position..<(position + count), to: bodyEnd)
        bodyEnd += count
        position += count
        scanned = position
        chunkRemaining -= count
        guard chunkRemaining == 0 else { return starveInChunks() }
        phase = .chunkEnd
        return nil
    }

    mutating func readChunkEnd() throws(HTTPDefect) -> Event? {
        for place in 0..<2 {
            guard position + place < bytes.count else { return starveInChunks() }
            guard bytes[position + place] == (place == 0 ? 0x0D : 0x0A) else { throw .chunk }
        }
        position += 2
        scanned = position
        phase = .chunkSize
        return nil
    }

    mutating func readTrailer() throws(HTTPDefect) -> Event? {
        let start = position
        let limit = position + HTTPLimits.trailerBytes - trailerBytes
        guard let line = try nextLine(limit: limit, .headersTooLarge) else {
            return starveInChunks()
        }
        trailerBytes += position - start
        guard line.isEmpty else {
            try HTTPHead.checkTrailer(bytes.span, line)
            return nil
        }
        phase = .response
        return .request
    }

    /// Closes the gap that chunk framing left behind the body, so that the buffer holds no more
    /// than the body and an unfinished line.
    private mutating func starveInChunks() -> Event {
        let gap = position - bodyEnd
        if gap > 0 {
            bytes.removeSubrange(bodyEnd..<position)
            position -= gap
            scanned -= gap
        }
        return starve()
    }
}

extension [UInt8] {
    /// Copies the bytes in `range` down to `destination`; the ranges may overlap.
    fileprivate mutating func move(_ range: Range<Int>, to destination: Int) {
        precondition(destination <= range.lowerBound && range.upperBound <= count, "\(range)")
        guard destination < range.lowerBound else { return }
        unsafe withUnsafeMutableBytes { buffer in
            unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[destination...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: buffer[range]))
        }
    }
}
