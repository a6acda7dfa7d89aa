internal import CLinux
internal import Synchronization

/// A value that one thread at a time may touch.
///
/// It is `Mutex`, which ThreadSanitizer cannot see through: its slow path lies in a library that
/// is not instrumented, and every contended lock would be reported as a race.
package final class Locked<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    package init(_ value: Value) {
        mutex = Mutex(value)
    }

    /// Runs `body` alone. Keep it short: whoever waits, waits in the kernel.
    package func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
        mutex.withLock { value in
            let place = unsafe Unmanaged.passUnretained(self).toOpaque()
            unsafe daybook_sanitizer_acquire(place)
            defer { unsafe daybook_sanitizer_release(place) }
            return body(&value)
        }
    }
}
