import Linux

/// Ending a server cleanly on SIGTERM or SIGINT.
enum Signals {
    /// Takes over the signals. Make it on the first thread, before any other thread is started:
    /// threads inherit which signals are blocked.
    final class Watch: Sendable {
        private let watch: SignalWatch
        private let current = Locked<(@Sendable () -> Void)?>(nil)
        private let hangUp = Locked<[@Sendable () -> Void]>([])

        init() throws { watch = try SignalWatch() }

        /// Calls `action` too, on that thread, whenever SIGHUP comes.
        func onHangUp(_ action: @escaping @Sendable () -> Void) {
            hangUp.withLock { $0.append(action) }
        }

        /// Calls `stop` on a thread of its own when the first SIGTERM or SIGINT comes; the one given
        /// last, when it is called again.
        func stop(_ stop: @escaping @Sendable () -> Void) throws {
            let isFirst = current.withLock { known in
                defer { known = stop }
                return known == nil
            }
            guard isFirst else { return }
            let thread = try Thread.start(name: "signals") { [self] in
                guard let poller = try? Poller() else { return }
                try? poller.register(watch.descriptor, token: 0, interest: .read)
                var ready: [Readiness] = []
                while true {
                    try? poller.wait(timeoutNanoseconds: nil, into: &ready)
                    guard !ready.isEmpty, let signal = try? watch.next() else { continue }
                    if signal == .hangUp {
                        for action in hangUp.withLock({ $0 }) { action() }
                    } else {
                        return current.withLock { $0 }?() ?? ()
                    }
                }
            }
            _ = consume thread
        }
    }
}
