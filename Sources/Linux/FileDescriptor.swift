internal import Glibc

/// An open descriptor with one owner, closed when the owner lets go of it.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The kernel's number; valid while this value lives.
    package let number: Int32

    /// Takes over a descriptor that nobody else will close.
    package init(adopting number: Int32) {
        precondition(number >= 0, "descriptor \(number)")
        self.number = number
    }

    deinit { _ = Glibc.close(number) }

    /// Closes now and reports what the kernel says; the descriptor is gone either way.
    package consuming func close() throws(SystemError) {
        let number = number
        discard self
        _ = try checkedByErrno(Glibc.close(number), "close")
    }
}
