internal import CLinux
internal import Glibc

/// The kernel refused: which call, on what, and its errno.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The call and what it was about, such as `bind 127.0.0.1:7400`.
    package let call: String
    package let code: Int32

    package init(call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The kernel's words for `code`, such as `Address already in use`.
    package var text: String {
        guard let text = unsafe daybook_error_text(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }

    /// The symbol of `code`, such as `EADDRINUSE`.
    package var name: String {
        guard let name = unsafe daybook_error_name(code) else { return "E\(code)" }
        return unsafe String(cString: name)
    }

    package var description: String { "\(call): \(text) (\(name))" }

    /// Whether the file or address is not there.
    package var isAbsent: Bool { code == ENOENT }

    /// Whether somebody else has the address, the lock or the name.
    package var isInUse: Bool { code == EADDRINUSE || code == EWOULDBLOCK || code == EEXIST }
}

/// The result of a call that returns a negated errno.
@inline(__always)
func checked<Number: SignedInteger & FixedWidthInteger>(
    _ result: Number, _ call: @autoclosure () -> String
) throws(SystemError) -> Number {
    guard result < 0 else { return result }
    throw SystemError(call: call(), code: Int32(truncatingIfNeeded: -result))
}

/// The result of a call of the C library, which leaves its error in errno.
@inline(__always)
func checkedByErrno<Number: SignedInteger & FixedWidthInteger>(
    _ result: Number, _ call: @autoclosure () -> String
) throws(SystemError) -> Number {
    guard result < 0 else { return result }
    let code = errno
    throw SystemError(call: call(), code: code)
}
