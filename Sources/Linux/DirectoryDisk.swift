internal import CLinux
internal import Glibc
package import SegmentLog

/// The files of one directory, written through O_DSYNC. Not Sendable: one instance per thread.
///
/// A write or sync that failed leaves it unknown what is on the disk: the caller ends the process
/// and never tries again (a second fsync may report success for pages that are lost).
package final class DirectoryDisk: Disk {
    /// Descriptors kept open; at the limit the one longest unused is closed.
    package static let openFileLimit = 64

    package let path: String

    private let directory: FileDescriptor
    private let isReadOnly: Bool
    private var openFiles: [String: OpenFile] = [:]
    private var uses: UInt64 = 0

    /// Opens the directory, which must exist. Read-only, nothing more than permission to read is
    /// needed, and what would change a file traps.
    package init(path: String, isReadOnly: Bool = false) throws(SystemError) {
        self.path = path
        self.isReadOnly = isReadOnly
        directory = try SmallFile.open(path, O_RDONLY | O_DIRECTORY)
    }

    /// Names of the regular files, sorted.
    package func list() throws(DiskError) -> [String] {
        guard let stream = unsafe daybook_directory_open(directory.number) else {
            throw DiskError(operation: "list", file: path, code: errno)
        }
        defer { unsafe daybook_directory_close(stream) }
        var names: [String] = []
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            var isRegular: Int32 = 0
            let code = unsafe buffer.withUnsafeMutableBytes { buffer in
                unsafe daybook_directory_next(
                    stream, buffer.baseAddress, buffer.count, &isRegular)
            }
            guard try check(code, "list", path) == 1 else { return names.sorted() }
            guard isRegular == 1 else { continue }
            names.append(String(decoding: buffer.prefix { $0 != 0 }, as: UTF8.self))
        }
    }

    package func byteCount(of name: String) throws(DiskError) -> Int? {
        var status = daybook_file_status()
        let code = unsafe daybook_file_status_at(directory.number, checkedName(name), &status)
        if -code == ENOENT { return nil }
        _ = try check(code, "stat", name)
        return Int(status.byte_count)
    }

    package func create(_ name: String, byteCount: Int) throws(DiskError) {
        precondition(byteCount >= 0, "a file of \(byteCount) bytes")
        precondition(!isReadOnly, "create \(name) in a directory that is only read")
        // Zeros that turn out not to fit would take the last room from others' writes meanwhile.
        let free = try freeByteCount()
        guard byteCount == 0 || byteCount + byteCount / 8 < free else {
            throw DiskError(operation: "create", file: name, code: ENOSPC)
        }
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
        let number = unsafe openat(directory.number, checkedName(name), flags, 0o600 as mode_t)
        let file = FileDescriptor(adopting: try checkErrno(number, "create", name))
        do throws(DiskError) {
            try writeZeros(file, name, byteCount: byteCount)
            _ = try checkErrno(fsync(file.number), "create", name)
        } catch {
            // Not a file of the size asked for: it must not be found later.
            _ = unsafe unlinkat(directory.number, name, 0)
            throw error
        }
        try syncDirectory("create", name)
    }

    package func read(_ name: String, at offset: Int, count: Int) throws(DiskError) -> [UInt8] {
        precondition(offset >= 0 && count >= 0, "\(count) bytes at \(offset) of \(name)")
        let number = try openFile(name, "read").descriptor.number
        var bytes: [UInt8] = []
        var code: Int32 = 0
        bytes.append(addingCapacity: count) { output in
            unsafe output.withUnsafeMutableBufferPointer { buffer, filled in
                while filled < count {
                    let rest = UnsafeMutableRawBufferPointer(buffer)
                    let result = unsafe pread(
                        number, rest.baseAddress.map { unsafe $0 + filled }, count - filled,
                        offset + filled)
                    if result < 0, errno == EINTR { continue }
                    if result < 0 { code = errno }
                    if result <= 0 { return }
                    filled += result
                }
            }
        }
        guard code == 0 else { throw DiskError(operation: "read", file: name, code: code) }
        return bytes
    }

    package func write(
        _ parts: [[UInt8]], to name: String, at offset: Int
    ) throws(DiskError) {
        precondition(offset >= 0, "a write at \(offset) of \(name)")
        let number = try openFile(name, "write").descriptor.number
        var first = 0
        var position = offset
        while first < parts.count {
            let group = parts[first..<min(first + GatheredWrite.partLimit, parts.count)]
            var pending = GatheredWrite(descriptor: number, offset: position)
            _ = try check(pending.write(group), "write", name)
            first += group.count
            position += group.reduce(0) { $0 + $1.count }
        }
    }

    package func resize(_ name: String, byteCount: Int) throws(DiskError) {
        precondition(byteCount >= 0, "a file of \(byteCount) bytes")
        let number = try openFile(name, "resize").descriptor.number
        _ = try checkErrno(ftruncate(number, byteCount), "resize", name)
        _ = try checkErrno(fsync(number), "resize", name)
    }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        precondition(!isReadOnly, "rename \(name) in a directory that is only read")
        openFiles[name] = nil
        openFiles[newName] = nil
        let result = unsafe renameat(
            directory.number, checkedName(name), directory.number, checkedName(newName))
        _ = try checkErrno(result, "rename", name)
        try syncDirectory("rename", name)
    }

    package func remove(_ names: [String]) throws(DiskError) {
        precondition(!isReadOnly, "remove \(names) from a directory that is only read")
        guard let last = names.last else { return }
        for name in names {
            openFiles[name] = nil
            _ = try checkErrno(
                unsafe unlinkat(directory.number, checkedName(name), 0), "remove", name)
        }
        try syncDirectory("remove", last)
    }

    /// Bytes that may still be written to the file system.
    package func freeByteCount() throws(DiskError) -> Int {
        Int(try check(daybook_free_bytes(directory.number), "free space", path))
    }

    /// Bytes of the file system.
    package func totalByteCount() throws(DiskError) -> Int {
        Int(try check(daybook_total_bytes(directory.number), "free space", path))
    }

    /// Lets go of all open descriptors.
    package func closeFiles() { openFiles.removeAll() }

    // MARK: Descriptors

    /// The open file behind `name`, opened again when another thread replaced or removed it.
    private func openFile(_ name: String, _ operation: String) throws(DiskError) -> OpenFile {
        uses += 1
        var status = daybook_file_status()
        let code = unsafe daybook_file_status_at(directory.number, checkedName(name), &status)
        if code < 0 { openFiles[name] = nil }
        _ = try check(code, operation, name)
        if let file = openFiles[name], file.device == status.device, file.inode == status.inode {
            file.lastUse = uses
            return file
        }
        precondition(
            !isReadOnly || operation == "read",
            "\(operation) of \(name) in a directory that is only read")
        let flags = isReadOnly ? O_RDONLY | O_CLOEXEC : O_RDWR | O_DSYNC | O_CLOEXEC
        let number = unsafe openat(directory.number, name, flags)
        let descriptor = FileDescriptor(adopting: try checkErrno(number, operation, name))
        _ = try check(
            unsafe daybook_file_status_of(descriptor.number, &status), operation, name)
        let file = OpenFile(descriptor, status, lastUse: uses)
        openFiles[name] = file
        closeLongestUnused()
        return file
    }

    private func closeLongestUnused() {
        guard openFiles.count > Self.openFileLimit else { return }
        let oldest = openFiles.min { $0.value.lastUse < $1.value.lastUse }
        if let oldest { openFiles[oldest.key] = nil }
    }

    /// Names stay in this directory: a slash, or one of the dots, is our bug.
    private func checkedName(_ name: String) -> String {
        precondition(
            !name.isEmpty && name != "." && name != ".." && !name.utf8.contains(47)
                && !name.utf8.contains(0), "the file name \"\(name)\"")
        return name
    }

    private func writeZeros(
        _ file: borrowing FileDescriptor, _ name: String, byteCount: Int
    ) throws(DiskError) {
        let piece = [UInt8](repeating: 0, count: min(byteCount, 1_048_576))
        var offset = 0
        while offset < byteCount {
            let rest = byteCount - offset
            let part = rest >= piece.count ? piece : Array(piece[..<rest])
            var pending = GatheredWrite(descriptor: file.number, offset: offset)
            _ = try check(pending.write([part]), "create", name)
            offset += part.count
        }
    }

    private func syncDirectory(_ operation: String, _ name: String) throws(DiskError) {
        _ = try checkErrno(fsync(directory.number), operation, name)
    }

    private func check<Number: SignedInteger & FixedWidthInteger>(
        _ result: Number, _ operation: String, _ file: String
    ) throws(DiskError) -> Number {
        guard result < 0 else { return result }
        let code = Int32(truncatingIfNeeded: -result)
        throw DiskError(operation: operation, file: file, code: code)
    }

    private func checkErrno(
        _ result: Int32, _ operation: String, _ file: String
    ) throws(DiskError) -> Int32 {
        guard result < 0 else { return result }
        throw DiskError(operation: operation, file: file, code: errno)
    }
}

/// A descriptor in the cache, and which file it is.
private final class OpenFile {
    let descriptor: FileDescriptor
    let device: UInt64
    let inode: UInt64
    var lastUse: UInt64

    init(_ descriptor: consuming FileDescriptor, _ status: daybook_file_status, lastUse: UInt64) {
        self.descriptor = descriptor
        device = status.device
        inode = status.inode
        self.lastUse = lastUse
    }
}

/// One pwritev of several arrays, whose addresses are collected by nesting, one level an array.
@safe private struct GatheredWrite {
    /// Arrays in one call: the nesting must fit the stack, in a debug build too.
    static let partLimit = 256

    let descriptor: Int32
    let offset: Int
    private var parts: [iovec] = unsafe []

    init(descriptor: Int32, offset: Int) {
        self.descriptor = descriptor
        self.offset = offset
    }

    /// Writes all of `arrays`; 0, or the negated errno.
    mutating func write(_ arrays: ArraySlice<[UInt8]>) -> Int32 {
        guard let array = arrays.first else {
            return unsafe daybook_write_at(descriptor, &parts, Int32(parts.count), Int64(offset))
        }
        return unsafe array.withUnsafeBytes { buffer in
            if unsafe !buffer.isEmpty {
                unsafe parts.append(
                    iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: buffer.baseAddress),
                        iov_len: buffer.count))
            }
            return write(arrays.dropFirst())
        }
    }
}
