internal import CLinux
internal import Glibc

/// A file, or standard input, that is read from its beginning to its end.
package struct InputFile: ~Copyable {
    private let descriptor: FileDescriptor
    private let name: String
    /// Bytes of a regular file when it was opened; nil for pipes and terminals.
    package let size: UInt64?

    /// Opens `path`; `-` is standard input.
    package init(_ path: String) throws(SystemError) {
        let name = path == "-" ? "read standard input" : "read \(path)"
        let opened =
            try path == "-" ? duplicate(.input, name) : SmallFile.open(path, O_RDONLY)
        var status = stat()
        _ = try checkedByErrno(unsafe fstat(opened.number, &status), name)
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw SystemError(call: name, code: EISDIR)
        }
        size = status.st_mode & S_IFMT == S_IFREG ? UInt64(clamping: status.st_size) : nil
        descriptor = opened
        self.name = name
    }

    /// Appends at most `limit` bytes that follow, waiting for them; false at the end.
    package mutating func read(
        into bytes: inout [UInt8], limit: Int
    ) throws(SystemError) -> Bool {
        precondition(limit > 0, "a read of \(limit) bytes")
        let number = descriptor.number
        while true {
            var count = 0
            var code: Int32 = 0
            bytes.append(addingCapacity: limit) { output in
                unsafe output.withUnsafeMutableBufferPointer { buffer, written in
                    count = unsafe Glibc.read(number, buffer.baseAddress, limit)
                    code = count < 0 ? errno : 0
                    written = max(count, 0)
                }
            }
            if code == EINTR { continue }
            guard code == 0 else { throw SystemError(call: name, code: code) }
            return count > 0
        }
    }
}

/// A new file, or standard output, that is written from its beginning to its end.
package struct OutputFile: ~Copyable {
    private let descriptor: FileDescriptor
    private let name: String
    private let isFile: Bool

    /// Standard output.
    package init() throws(SystemError) {
        name = "write standard output"
        isFile = false
        descriptor = try duplicate(.output, name)
    }

    /// Makes `path`, which must not exist.
    package init(creating path: String, mode: UInt32 = 0o600) throws(SystemError) {
        name = "write \(path)"
        isFile = true
        descriptor = try SmallFile.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
    }

    /// Writes all bytes in `range`, waiting for room. Durable after `finish` alone.
    package mutating func write(
        _ bytes: [UInt8], _ range: Range<Int>
    ) throws(SystemError) {
        let number = descriptor.number
        var offset = range.lowerBound
        let end = range.upperBound
        while offset < end {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset..<end])
                return unsafe Glibc.write(number, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EINTR { continue }
            offset += try checkedByErrno(count, name)
        }
    }

    /// Makes a file durable; of standard output nothing is promised.
    package mutating func finish() throws(SystemError) {
        guard isFile else { return }
        _ = try checkedByErrno(fsync(descriptor.number), name)
    }
}

/// A file, or standard output, that grows at its end: a log.
package struct AppendedFile: ~Copyable, Sendable {
    private let descriptor: FileDescriptor
    private let name: String

    /// Opens `path`, making it when it is missing; `-` is standard output.
    package init(_ path: String, mode: UInt32 = 0o640) throws(SystemError) {
        name = path == "-" ? "write standard output" : "write \(path)"
        descriptor =
            try path == "-"
            ? duplicate(.output, name)
            : SmallFile.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: mode)
    }

    /// Writes all of `bytes`, waiting for room. Not durable: a power cut may take it.
    package func write(_ bytes: [UInt8]) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset...])
                return unsafe Glibc.write(descriptor.number, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EINTR { continue }
            offset += try checkedByErrno(count, name)
        }
    }
}

/// A descriptor of its own for a standard stream, so that closing it leaves the stream open.
private func duplicate(
    _ stream: StandardStream, _ name: String
) throws(SystemError) -> FileDescriptor {
    FileDescriptor(adopting: try checkedByErrno(fcntl(stream.rawValue, F_DUPFD_CLOEXEC, 3), name))
}
