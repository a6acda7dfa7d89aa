/// An answer that this program does not understand.
struct ResponseDefect: Error, CustomStringConvertible {
    let description: String
}

/// Reads one answer after the other from a connection: status, length, and the lines of the body,
/// counted and not kept. It trusts the server to keep to HTTP/1.1; the tests of HTTP are elsewhere.
struct ResponseReader {
    private enum State {
        case head
        case body(left: Int)
        case chunkSize
        case chunk(left: Int)
        case chunkEnd(left: Int)
        case trailer(isEmpty: Bool)
        case complete
    }

    private static let success = Array(#"{"code":200,"#.utf8)
    private static let version = Array("HTTP/1.1 ".utf8)
    // In small letters, as `begins` compares: it sets the bit that tells letters apart, which
    // the hyphen and the colon have anyway.
    private static let contentLength = Array("content-length:".utf8)
    private static let transferEncoding = Array("transfer-encoding:".utf8)

    private(set) var status = 0
    /// Lines of the body so far.
    private(set) var lineCount = 0
    /// Lines that begin as an accepted event does.
    private(set) var successCount = 0

    /// Whether lines are compared with `success`, or only counted.
    private let countsSuccesses: Bool
    private var state = State.head
    private var head: [UInt8] = []
    private var number = 0
    private var column = 0
    private var matches = true

    init(countsSuccesses: Bool) {
        self.countsSuccesses = countsSuccesses
    }

    /// Makes ready for the next answer.
    mutating func begin() {
        state = .head
        head.removeAll(keepingCapacity: true)
        status = 0
        lineCount = 0
        successCount = 0
        column = 0
        matches = true
    }

    /// Takes what was received and says whether the answer is complete.
    mutating func consume(_ bytes: [UInt8]) throws(ResponseDefect) -> Bool {
        var offset = 0
        while offset < bytes.count {
            switch state {
            case .head:
                offset = try takeHead(bytes, from: offset)
            case .body(let left):
                let end = min(bytes.count, offset + left)
                count(bytes, offset..<end)
                state = left == end - offset ? .complete : .body(left: left - (end - offset))
                offset = end
            case .chunk(let left):
                let end = min(bytes.count, offset + left)
                count(bytes, offset..<end)
                state =
                    left == end - offset ? .chunkEnd(left: 2) : .chunk(left: left - (end - offset))
                offset = end
            case .chunkSize, .chunkEnd, .trailer:
                try framing(bytes[offset])
                offset += 1
            case .complete:
                throw ResponseDefect(description: "\(bytes.count - offset) bytes too many")
            }
        }
        if case .complete = state { return true }
        return false
    }

    /// One byte between the chunks.
    private mutating func framing(_ byte: UInt8) throws(ResponseDefect) {
        switch state {
        case .chunkSize where byte == 10:
            state = number == 0 ? .trailer(isEmpty: true) : .chunk(left: number)
        case .chunkSize where byte != 13:
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw ResponseDefect(description: "byte \(byte) in the size of a chunk")
            }
            number = number << 4 | digit
        case .chunkEnd(let left):
            number = 0
            state = left == 1 ? .chunkSize : .chunkEnd(left: left - 1)
        case .trailer(let isEmpty) where byte == 10:
            state = isEmpty ? .complete : .trailer(isEmpty: true)
        case .trailer where byte != 13:
            state = .trailer(isEmpty: false)
        default: break
        }
    }

    /// Takes bytes up to the end of the head, which is an empty line, and returns what follows.
    private mutating func takeHead(_ bytes: [UInt8], from start: Int) throws(ResponseDefect) -> Int
    {
        for offset in start..<bytes.count where bytes[offset] == 10 {
            let end = offset + 1
            let isEmptyLine =
                end - start >= 4
                ? bytes[offset - 2] == 10 : (head + bytes[start..<end]).suffix(3).first == 10
            guard isEmptyLine else { continue }
            head.append(contentsOf: bytes[start..<end])
            try endHead()
            return end
        }
        head.append(contentsOf: bytes[start...])
        return bytes.count
    }

    private mutating func endHead() throws(ResponseDefect) {
        guard head.count > 12, head.starts(with: Self.version) else {
            throw ResponseDefect(description: "an answer without a status line")
        }
        status = decimal(at: 9)
        number = 0
        state = .complete
        for offset in 0..<(head.count - 1) where head[offset] == 10 {
            if begins(Self.transferEncoding, at: offset + 1) {
                state = .chunkSize
                return
            }
            guard begins(Self.contentLength, at: offset + 1) else { continue }
            let length = decimal(at: offset + 1 + Self.contentLength.count)
            state = length == 0 ? .complete : .body(left: length)
        }
    }

    /// Whether `name`, in small letters, stands at `offset` of the head in any letters.
    private func begins(_ name: [UInt8], at offset: Int) -> Bool {
        guard head.count - offset >= name.count else { return false }
        for position in 0..<name.count where head[offset + position] | 32 != name[position] {
            return false
        }
        return true
    }

    /// The digits at `offset` of the head, behind any spaces.
    private func decimal(at offset: Int) -> Int {
        var offset = offset
        while head[offset] == 32 { offset += 1 }
        var number = 0
        while (48...57).contains(head[offset]) {
            number = number * 10 + Int(head[offset] - 48)
            offset += 1
        }
        return number
    }

    /// Through the pointer, whose loop the compiler makes into vector code.
    private func newlines(_ bytes: Span<UInt8>) -> Int {
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe buffer.reduce(0) { $0 &+ ($1 == 10 ? 1 : 0) }
        }
    }

    private mutating func count(_ bytes: [UInt8], _ range: Range<Int>) {
        guard countsSuccesses else {
            lineCount += newlines(bytes.span.extracting(range))
            return
        }
        for offset in range {
            let byte = bytes[offset]
            if byte == 10 {
                lineCount += 1
                successCount += matches && column >= Self.success.count ? 1 : 0
                column = 0
                matches = true
            } else {
                if column < Self.success.count, byte != Self.success[column] { matches = false }
                column += 1
            }
        }
    }
}
