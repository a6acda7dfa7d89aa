internal import CLinux
internal import Glibc

/// A signal that asks the process for something.
package enum Signal: Equatable, Sendable {
    case terminate
    case interrupt
    case hangUp
}

/// SIGTERM, SIGINT and SIGHUP as readable events; SIGPIPE is ignored from then on.
package struct SignalWatch: ~Copyable, Sendable {
    /// Becomes readable when a signal waits; for a poller.
    package let descriptor: FileDescriptor

    /// Make it on the first thread, before any other is started: they inherit what is blocked.
    package init() throws(SystemError) {
        descriptor = FileDescriptor(adopting: try checked(daybook_signal_watch(), "signalfd"))
    }

    /// The next signal that came, nil when none waits.
    package func next() throws(SystemError) -> Signal? {
        let number = try checked(daybook_signal_next(descriptor.number), "read signalfd")
        switch number {
        case 0: return nil
        case SIGTERM: return .terminate
        case SIGINT: return .interrupt
        case SIGHUP: return .hangUp
        default: preconditionFailure("signal \(number) is not watched")
        }
    }
}

/// Facts about this process, and its end.
package enum Process {
    package static var identifier: Int32 { getpid() }

    /// Bytes of physical memory in use; 0 where /proc is not mounted.
    package static var residentBytes: Int {
        guard let bytes = try? SmallFile.read("/proc/self/statm", limit: 4_096),
            case let fields = String(decoding: bytes, as: UTF8.self).split(separator: " "),
            fields.count > 1, let pages = Int(fields[1])
        else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    /// Processor time of all threads since the start, user and kernel.
    package static var processorNanoseconds: UInt64 { daybook_clock(2) }

    /// Cores that this process may run on, at least 1.
    package static var coreCount: Int { max(1, Int(daybook_processor_count())) }

    /// Raises the limit of open descriptors to what the system allows, and returns it.
    package static func raiseDescriptorLimit() throws(SystemError) -> Int {
        Int(try checked(daybook_raise_file_limit(), "raise the limit of open files"))
    }

    /// Ends the process, flushing standard output.
    package static func exit(_ code: Int32) -> Never { Glibc.exit(code) }
}

/// The process's environment variables.
package enum Environment {
    /// The variable's value; nil when it is not set.
    package static func value(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// All variables whose names begin with `prefix`, sorted by name.
    package static func variables(prefix: String) -> [(name: String, value: String)] {
        var found: [(name: String, value: String)] = []
        var position = 0
        while let text = unsafe daybook_environment(position) {
            position += 1
            let parts = unsafe String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].hasPrefix(prefix) else { continue }
            found.append((String(parts[0]), String(parts[1])))
        }
        return found.sorted { $0.name < $1.name }
    }
}

/// A standard stream of the process.
package enum StandardStream: Int32, Sendable {
    case input = 0
    case output = 1
    case error = 2

    /// Whether a person sits at it.
    package var isTerminal: Bool { isatty(rawValue) == 1 }

    /// Characters in a line of the terminal; nil when it is none.
    package var terminalColumns: Int? {
        let columns = Int(daybook_terminal_columns(rawValue))
        return columns > 0 ? columns : nil
    }

    /// Writes all of `text` in one call where the kernel takes it whole, so that lines of several
    /// threads stay apart. A reader that is gone is not an error: there is nobody to tell.
    package func write(_ text: String) {
        write(Array(text.utf8))
    }

    package func write(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[offset...])
                let count = unsafe Glibc.write(rawValue, rest.baseAddress, rest.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                offset += count
            }
        }
    }

    /// All bytes up to the end; throws EFBIG beyond `limit`.
    package func readAll(limit: Int) throws(SystemError) -> [UInt8] {
        try SmallFile.readAll(rawValue, limit: limit, "read standard stream \(rawValue)")
    }
}
