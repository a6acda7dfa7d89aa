internal import CLinux
internal import Glibc

/// Whole files that fit into memory: configuration, secrets, identities.
package enum SmallFile {
    /// The file's bytes; throws EFBIG when it has more than `limit`.
    package static func read(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let descriptor = try open(path, O_RDONLY)
        return try readAll(descriptor.number, limit: limit, "read \(path)")
    }

    static func readAll(
        _ number: Int32, limit: Int, _ call: @autoclosure () -> String
    ) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let room = min(65_536, limit - bytes.count + 1)
            var count = 0
            var code: Int32 = 0
            bytes.append(addingCapacity: room) { output in
                unsafe output.withUnsafeMutableBufferPointer { buffer, written in
                    count = unsafe Glibc.read(number, buffer.baseAddress, min(room, buffer.count))
                    code = count < 0 ? errno : 0
                    written = max(count, 0)
                }
            }
            if code == EINTR { continue }
            guard code == 0 else { throw SystemError(call: call(), code: code) }
            guard bytes.count <= limit else { throw SystemError(call: call(), code: EFBIG) }
            if count == 0 { return bytes }
        }
    }

    /// Replaces the file as a whole: other processes see the old bytes or the new, also after a
    /// crash. File and directory entry are durable on return.
    ///
    /// Throws EPERM when the file exists with fewer permissions than `mode` grants: rewriting a
    /// secret must not publish it.
    package static func writeDurably(
        _ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600
    ) throws(SystemError) {
        var status = daybook_file_status()
        if unsafe daybook_file_status_at(-1, path, &status) == 0, mode & ~status.mode != 0 {
            let (wanted, present) = (String(mode, radix: 8), String(status.mode, radix: 8))
            throw SystemError(
                call: "write \(path) with mode \(wanted) over mode \(present)", code: EPERM)
        }
        let temporary = "\(path).\(getpid()).new"
        // A leftover of a process that died and had this number.
        _ = unsafe unlink(temporary)
        do throws(SystemError) {
            try writeNew(temporary, bytes, mode: mode)
            _ = try checkedByErrno(
                unsafe Glibc.rename(temporary, path), "rename \(temporary) to \(path)")
        } catch {
            _ = unsafe unlink(temporary)
            throw error
        }
        try syncDirectory(parent(of: path))
    }

    private static func writeNew(
        _ path: String, _ bytes: [UInt8], mode: UInt32
    ) throws(SystemError) {
        let descriptor = try open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
        // The mask may have taken bits away that were asked for.
        _ = try checkedByErrno(fchmod(descriptor.number, mode), "fchmod \(path)")
        let code = unsafe bytes.withUnsafeBytes { buffer in
            var part = unsafe iovec(
                iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress),
                iov_len: buffer.count)
            return unsafe daybook_write_at(descriptor.number, &part, buffer.isEmpty ? 0 : 1, 0)
        }
        _ = try checked(code, "write \(path)")
        _ = try checkedByErrno(fsync(descriptor.number), "fsync \(path)")
        try descriptor.close()
    }

    /// Makes the directory, its missing parents too, each durable. One that exists is kept.
    package static func createDirectory(
        _ path: String, mode: UInt32 = 0o700
    ) throws(SystemError) {
        var status = daybook_file_status()
        if unsafe daybook_file_status_at(-1, path, &status) == 0 {
            guard status.is_regular == 0 else {
                throw SystemError(call: "create directory \(path)", code: ENOTDIR)
            }
            return
        }
        let parent = parent(of: path)
        if parent != path { try createDirectory(parent, mode: mode) }
        if unsafe mkdir(path, mode) < 0, errno != EEXIST {
            throw SystemError(call: "create directory \(path)", code: errno)
        }
        try syncDirectory(parent)
    }

    /// Whether something is at `path`.
    package static func exists(_ path: String) -> Bool {
        var status = daybook_file_status()
        return unsafe daybook_file_status_at(-1, path, &status) == 0
    }

    /// The permission bits of the file at `path`.
    package static func mode(of path: String) throws(SystemError) -> UInt32 {
        var status = daybook_file_status()
        _ = try checked(unsafe daybook_file_status_at(-1, path, &status), "stat \(path)")
        return status.mode
    }

    /// Takes the one lock on `path` (made if missing) until the descriptor is let go of, also by
    /// a crash. Throws EWOULDBLOCK when another process, or another descriptor here, has it.
    package static func lock(_ path: String) throws(SystemError) -> FileDescriptor {
        let descriptor = try open(path, O_RDWR | O_CREAT, mode: 0o600)
        let result = flock(descriptor.number, LOCK_EX | LOCK_NB)
        _ = try checkedByErrno(result, "lock \(path), which another process holds")
        return descriptor
    }

    /// The directory that holds `path`.
    package static func parent(of path: String) -> String {
        var rest = path[...]
        while rest.count > 1, rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let slash = rest.lastIndex(of: "/") else { return "." }
        return slash == rest.startIndex ? "/" : String(rest[..<slash])
    }

    static func syncDirectory(_ path: String) throws(SystemError) {
        let descriptor = try open(path, O_RDONLY | O_DIRECTORY)
        _ = try checkedByErrno(fsync(descriptor.number), "fsync directory \(path)")
    }

    static func open(
        _ path: String, _ flags: Int32, mode: UInt32 = 0
    ) throws(SystemError) -> FileDescriptor {
        while true {
            let number = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
            if number < 0, errno == EINTR { continue }
            return FileDescriptor(adopting: try checkedByErrno(number, "open \(path)"))
        }
    }
}
