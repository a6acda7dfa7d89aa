import Glibc
import Linux

/// A directory of one test, removed with what is in it when the test lets go of it.
struct TemporaryDirectory: ~Copyable {
    let path: String

    init(_ name: String) throws {
        let unique = "\(Process.identifier)-\(Clock.monotonicNanoseconds())"
        path = "\(Environment.value("TMPDIR") ?? "/tmp")/daybook-\(name)-\(unique)"
        try SmallFile.createDirectory(path)
    }

    deinit { _ = unsafe system("rm -rf '\(path)'") }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Bytes that the file system keeps for the file: fewer than its size when it is sparse.
    func allocatedByteCount(of name: String) -> Int {
        var status = stat()
        precondition(unsafe stat(file(name), &status) == 0, "no file \(name)")
        return Int(status.st_blocks) * 512
    }

    /// How many of this process's descriptors lie below this directory.
    func openDescriptorCount() -> Int {
        (0..<4_096).count { number in
            var target = [CChar](repeating: 0, count: 4_096)
            let link = "/proc/self/fd/\(number)"
            let count = unsafe readlink(link, &target, target.count)
            guard count > 0 else { return false }
            let name = String(
                decoding: target[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return name.hasPrefix(path)
        }
    }
}
