internal import CLinux
internal import Glibc

/// A running thread of the operating system. Letting go of it without `join` lets it run on.
package struct Thread: ~Copyable, Sendable {
    private let handle: pthread_t

    /// Runs `body` on a thread of its own. Linux shows at most 15 bytes of `name`.
    package static func start(
        name: String, _ body: sending @escaping () -> Void
    ) throws(SystemError) -> Thread {
        let work = unsafe Unmanaged.passRetained(ThreadWork(name: name, body: body))
        var handle = pthread_t()
        let code = unsafe pthread_create(
            &handle, nil,
            { pointer in
                guard let pointer = unsafe pointer else { return nil }
                let work = unsafe Unmanaged<ThreadWork>.fromOpaque(pointer).takeRetainedValue()
                unsafe daybook_name_thread(work.name)
                work.body()
                return nil
            }, work.toOpaque())
        guard code == 0 else {
            unsafe work.release()
            throw SystemError(call: "start thread \(name)", code: code)
        }
        return Thread(handle: handle)
    }

    private init(handle: pthread_t) { self.handle = handle }

    deinit { pthread_detach(handle) }

    /// Lets the calling thread give way to others on busy cores (nice 10), for good.
    package static func giveWay() { daybook_lower_thread() }

    /// Waits until the thread's body has returned.
    package consuming func join() {
        let handle = handle
        discard self
        let code = pthread_join(handle, nil)
        precondition(code == 0, "pthread_join: \(code)")
    }
}

private final class ThreadWork {
    let name: String
    let body: () -> Void

    init(name: String, body: sending @escaping () -> Void) {
        self.name = name
        self.body = body
    }
}
