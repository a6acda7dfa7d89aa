import JSON
import Linux

/// The line to go on from, kept in a file from run to run.
struct AppendCheckpoint {
    static let limit = 64 * 1_024
    /// Least time between two writes: the lines of the last moment are sent again, which is safe.
    static let intervalNanoseconds: UInt64 = 200_000_000

    let path: String
    /// What the lines are of; a checkpoint of another input is refused.
    let input: String
    private var writtenLine: UInt64?
    private var writtenAt: UInt64 = 0

    init(path: String, input: String) {
        self.path = path
        self.input = input
    }

    /// The line that the file names; nil when there is no file yet.
    mutating func read() throws -> UInt64? {
        guard SmallFile.exists(path) else { return nil }
        let bytes = try SmallFile.read(path, limit: Self.limit)
        let line = try Self.line(bytes, path: path, input: input)
        writtenLine = line
        return line
    }

    /// Keeps `nextLine`, unless it was done a moment ago. Durable on return when `isLast`.
    mutating func write(
        nextLine: UInt64, now: UInt64, isLast: Bool
    ) throws(SystemError) {
        guard nextLine != writtenLine else { return }
        guard isLast || now >= writtenAt + Self.intervalNanoseconds else { return }
        try SmallFile.writeDurably(path, Self.text(nextLine: nextLine, input: input))
        writtenLine = nextLine
        writtenAt = now
    }

    static func text(nextLine: UInt64, input: String) -> [UInt8] {
        var text: [UInt8] = []
        var object = JSONObjectWriter(to: &text)
        object.member("input", input, to: &text)
        object.member("next_line", nextLine, to: &text)
        object.close(to: &text)
        return text + [0x0A]
    }

    static func line(
        _ bytes: [UInt8], path: String, input: String
    ) throws(CommandFailure) -> UInt64 {
        var document = JSONDocument()
        guard (try? document.parse(bytes.span)) != nil,
            let name = document.member("input", of: document.root, in: bytes.span),
            let line = document.member("next_line", of: document.root, in: bytes.span),
            let origin = document.string(name, from: bytes.span),
            let number = document.integer(line, from: bytes.span), number >= 1
        else { throw CommandFailure(.local, "\(path) is no checkpoint") }
        guard origin == input else {
            throw CommandFailure(.local, "\(path) is the checkpoint of \(origin), not of \(input)")
        }
        return UInt64(number)
    }
}
