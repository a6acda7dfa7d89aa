import Gateway
package import Linux

/// The access log's file and the thread that writes it, so that a slow disk or a reader that stands
/// still never holds up the loop: lines beyond what may wait are dropped, and counted.
package final class AccessLog: Sendable {
    private struct Waiting: Sendable {
        var lines: [UInt8] = []
        var dropped: UInt64 = 0
        var reopens = false
        var ends = false
    }

    private let path: String
    private let limit: Int
    private let waiting = Locked(Waiting())
    private let wakeup: Wakeup
    private let log = ServerLog(source: "gateway")

    /// Opens the file at `path` and starts the thread; `-` is standard output. Lines of more than
    /// `limit` bytes altogether do not wait.
    package init(
        _ path: String, limit: Int = GatewayLimits.accessLogBytes
    ) throws(SystemError) {
        self.path = path
        self.limit = limit
        wakeup = try Wakeup(isBlocking: true)
        // Whoever starts the gateway is told at once when it cannot be written.
        _ = try AppendedFile(path)
        let thread = try Thread.start(name: "access-log") { [self] in run() }
        _ = consume thread
    }

    /// Lines that were not written since the start.
    package var droppedLines: UInt64 { waiting.withLock { $0.dropped } }

    /// Hands over one line; it returns at once.
    package func write(_ line: [UInt8]) {
        let wasEmpty = waiting.withLock { waiting in
            guard waiting.lines.count + line.count <= limit else {
                waiting.dropped += 1
                return false
            }
            defer { waiting.lines += line }
            return waiting.lines.isEmpty
        }
        if wasEmpty { wakeup.signal() }
    }

    /// Opens the file anew before the next line: it was moved away to be kept.
    package func reopen() {
        waiting.withLock { $0.reopens = true }
        wakeup.signal()
    }

    /// Ends the thread once what waits is written.
    package func stop() {
        waiting.withLock { $0.ends = true }
        wakeup.signal()
    }

    /// The file shared by reference: a descriptor itself cannot be copied.
    private final class OpenFile {
        let file: AppendedFile

        init(_ path: String) throws(SystemError) { file = try AppendedFile(path) }
    }

    private func run() {
        var file: OpenFile?
        var hasFailed = false
        while true {
            wakeup.clear()
            let work = waiting.withLock { waiting in
                defer {
                    waiting.lines = []
                    waiting.reopens = false
                }
                return waiting
            }
            if work.reopens { file = nil }
            if !work.lines.isEmpty {
                do throws(SystemError) {
                    let open: OpenFile
                    if let file { open = file } else { open = try OpenFile(path) }
                    file = open
                    try open.file.write(work.lines)
                    hasFailed = false
                } catch {
                    if !hasFailed {
                        log.write(.error, "cannot write the access log", [("why", "\(error)")])
                    }
                    hasFailed = true
                    let lost = UInt64(work.lines.count { $0 == UInt8(ascii: "\n") })
                    waiting.withLock { $0.dropped += lost }
                }
            } else if work.reopens {
                // Whoever moved the file away may wait for the new one.
                file = try? OpenFile(path)
            }
            if work.ends { return }
        }
    }
}
