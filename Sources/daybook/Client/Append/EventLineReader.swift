import Linux

/// One line of an input that holds an event, or what should be one.
struct EventLine: Equatable, Sendable {
    /// From 1, blank lines counted.
    let number: UInt64
    /// Without the line feed; empty when it is too long.
    let content: [UInt8]
    let isTooLong: Bool
}

/// Cuts bytes into lines. Blank lines are counted and left out.
struct EventLineCutter {
    /// Bytes of a line. A longer one is not sent: no gateway takes an event of that size.
    static let lineLimit = 1_024 * 1_024

    var bytes: [UInt8] = []
    private var offset = 0
    /// Where the search for the next line feed goes on.
    private var searched = 0
    private var isSkipping = false
    private var number: UInt64 = 0

    /// Bytes that were cut off so far.
    private(set) var consumedBytes: UInt64 = 0

    /// The next line that is whole; at the end of the input the rest is one, too.
    mutating func next(isAtEnd: Bool) -> EventLine? {
        while true {
            guard let end = endOfLine(isAtEnd) else {
                compact()
                return nil
            }
            let content = bytes[offset..<end]
            let isTooLong = isSkipping || content.count > Self.lineLimit
            consumedBytes += UInt64(content.count + 1)
            offset = min(end + 1, bytes.count)
            searched = offset
            isSkipping = false
            number += 1
            if isTooLong { return EventLine(number: number, content: [], isTooLong: true) }
            if content.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            return EventLine(number: number, content: Array(content), isTooLong: false)
        }
    }

    private mutating func endOfLine(_ isAtEnd: Bool) -> Int? {
        if let feed = bytes[searched...].firstIndex(of: 0x0A) { return feed }
        searched = bytes.count
        return isAtEnd && (offset < bytes.count || isSkipping) ? bytes.count : nil
    }

    /// Drops what was handed out, and what has come of a line that is too long.
    private mutating func compact() {
        if bytes.count - offset > Self.lineLimit {
            consumedBytes += UInt64(bytes.count - offset)
            offset = bytes.count
            isSkipping = true
        }
        bytes.removeSubrange(0..<offset)
        offset = 0
        searched = bytes.count
    }
}

/// The lines of a file or of standard input, in order.
struct EventLineReader: ~Copyable {
    static let readBytes = 256 * 1_024

    private var input: InputFile
    private var cutter = EventLineCutter()
    private var isAtEnd = false

    /// Whether the input's end can be read without waiting for somebody.
    var isFile: Bool { input.size != nil }
    var size: UInt64? { input.size }
    var consumedBytes: UInt64 { cutter.consumedBytes }

    init(_ path: String) throws(SystemError) { input = try InputFile(path) }

    /// The next line that is not blank; nil at the end, or where it `mayWait` not and none has come.
    mutating func next(mayWait: Bool) throws(SystemError) -> EventLine? {
        while true {
            if let line = cutter.next(isAtEnd: isAtEnd) { return line }
            if isAtEnd || !mayWait { return nil }
            isAtEnd = try !input.read(into: &cutter.bytes, limit: Self.readBytes)
        }
    }
}
