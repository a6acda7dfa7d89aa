internal import CLinux
internal import Glibc

/// An event counter of the kernel (eventfd) by which any thread wakes the one that waits.
package struct Wakeup: ~Copyable, Sendable {
    /// Becomes readable when signalled; for a poller.
    package let descriptor: FileDescriptor

    /// A blocking one makes `clear` wait for a signal: for a thread with nothing else to watch.
    package init(isBlocking: Bool = false) throws(SystemError) {
        descriptor = FileDescriptor(
            adopting: try checked(daybook_eventfd_create(isBlocking ? 1 : 0), "eventfd"))
    }

    /// Wakes the waiting thread, or keeps it from falling asleep. Any thread, any number of times.
    package func signal() {
        var one: UInt64 = 1
        repeat {
            let count = unsafe Glibc.write(descriptor.number, &one, 8)
            // EAGAIN: the counter is full, so it is readable, which is all a signal is for.
            if count == 8 || errno == EAGAIN { return }
            precondition(errno == EINTR, "write to an eventfd: \(errno)")
        } while true
    }

    /// Takes all signals given so far. When there is none, a blocking one waits.
    package func clear() {
        var signals: UInt64 = 0
        repeat {
            let count = unsafe Glibc.read(descriptor.number, &signals, 8)
            if count == 8 || errno == EAGAIN { return }
            precondition(errno == EINTR, "read from an eventfd: \(errno)")
        } while true
    }
}

/// Messages from any threads to one, in order of arrival.
///
/// The wakeup is signalled only when the box was empty, and the reader takes all at once by a
/// swap, so under load most messages cost a lock and an append.
package final class Mailbox<Message: Sendable>: Sendable {
    /// Signalled while messages wait.
    package let wakeup: Wakeup
    /// Messages that may wait at once. The senders' own windows keep below it; more is a bug.
    package let limit: Int

    private let waiting = Locked<[Message]>([])

    /// `isBlocking`: for a reader that waits with `waitAndTake` alone, without a poller.
    package init(isBlocking: Bool = false, limit: Int = 1_048_576) throws(SystemError) {
        wakeup = try Wakeup(isBlocking: isBlocking)
        self.limit = limit
    }

    /// Whether nothing waits at this moment.
    package var isEmpty: Bool { waiting.withLock { $0.isEmpty } }

    package func put(_ message: Message) {
        let count = waiting.withLock { messages in
            messages.append(message)
            return messages.count
        }
        precondition(count <= limit, "\(count) messages in a box of \(limit)")
        if count == 1 { wakeup.signal() }
    }

    /// Puts all of `messages` in at once, with at most one signal.
    package func put(contentsOf messages: [Message]) {
        guard !messages.isEmpty else { return }
        let count = waiting.withLock { waiting in
            waiting.append(contentsOf: messages)
            return waiting.count
        }
        precondition(count <= limit, "\(count) messages in a box of \(limit)")
        if count == messages.count { wakeup.signal() }
    }

    /// Swaps all that waits into `messages`, which must be empty (its capacity is used again).
    ///
    /// Call it when the wakeup is readable. It may find nothing.
    package func take(into messages: inout [Message]) {
        precondition(messages.isEmpty, "\(messages.count) messages would be lost")
        // In this order: a message that comes between the two has its signal still to give.
        wakeup.clear()
        waiting.withLock { swap(&$0, &messages) }
    }

    /// Waits for messages and takes them all. Only for a box that was made blocking.
    package func waitAndTake(into messages: inout [Message]) {
        repeat { take(into: &messages) } while messages.isEmpty
    }
}
