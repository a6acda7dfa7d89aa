/// What the kernel, or a simulated disk, answered instead of doing what it was asked.
///
/// After one of these from a write nothing about the file is known: the process ends
/// (a failed sync is never retried).
package struct DiskError: Error, Equatable, Sendable {
    package let operation: String
    package let file: String
    /// The errno; ENOSPC is 28, EIO is 5.
    package let code: Int32

    package init(operation: String, file: String, code: Int32) {
        self.operation = operation
        self.file = file
        self.code = code
    }
}

/// The seam to one directory of files. Names are plain file names inside it.
///
/// Reference-like: methods do not mutate the value. One instance belongs to one thread.
package protocol Disk {
    /// The names of all files, sorted.
    func list() throws(DiskError) -> [String]

    /// Bytes of the file; nil when there is none of this name.
    func byteCount(of name: String) throws(DiskError) -> Int?

    /// Makes a file of zeros that are really written. Contents and directory entry are durable on
    /// return. Fails with EEXIST when the name is taken.
    func create(_ name: String, byteCount: Int) throws(DiskError)

    /// The bytes at `offset`; fewer than `count` only at the end of the file.
    func read(_ name: String, at offset: Int, count: Int) throws(DiskError) -> [UInt8]

    /// One gathered write, durable on return; grows the file when it reaches beyond its end.
    func write(_ parts: [[UInt8]], to name: String, at offset: Int) throws(DiskError)

    /// Cuts the file, or grows it with zeros. Durable on return.
    func resize(_ name: String, byteCount: Int) throws(DiskError)

    /// Renames, replacing what had the new name. The directory is synced on return.
    func rename(_ name: String, to newName: String) throws(DiskError)

    /// Unlinks the files, one after the other. The directory is synced on return, once: a crash may
    /// leave the later ones.
    func remove(_ names: [String]) throws(DiskError)
}

extension Disk {
    /// Unlinks the file. The directory is synced on return.
    package func remove(_ name: String) throws(DiskError) { try remove([name]) }
}
