internal import CLinux

/// What a descriptor is watched for.
package struct Interest: OptionSet, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let read = Interest(rawValue: UInt32(DAYBOOK_READY_READ))
    package static let write = Interest(rawValue: UInt32(DAYBOOK_READY_WRITE))
}

/// A registered descriptor on which a call would not block now.
package struct Readiness: Equatable, Sendable {
    /// As registered.
    package let token: UInt64
    /// Bytes, a connection, or the end of the stream can be read; also after an error.
    package let isReadable: Bool
    /// Bytes can be written, or the attempt to connect is decided; also after an error.
    package let isWritable: Bool
    /// Both directions are over, or the descriptor failed. Reported whatever the interest.
    package let isHangUp: Bool

    package init(token: UInt64, isReadable: Bool, isWritable: Bool, isHangUp: Bool) {
        self.token = token
        self.isReadable = isReadable
        self.isWritable = isWritable
        self.isHangUp = isHangUp
    }
}

/// Waits for many descriptors at once: epoll, level-triggered. Not Sendable: one thread's own.
package final class Poller {
    /// Most descriptors that one wait reports; the rest come with the next one.
    package static let batch = Int(DAYBOOK_EPOLL_BATCH)

    private let descriptor: FileDescriptor
    private var events: [daybook_readiness]

    package init() throws(SystemError) {
        descriptor = FileDescriptor(adopting: try checked(daybook_epoll_create(), "epoll_create"))
        events = Array(repeating: daybook_readiness(token: 0, bits: 0), count: Self.batch)
    }

    /// Begins to watch. Closing the descriptor's last copy ends it, too.
    package func register(
        _ watched: borrowing FileDescriptor, token: UInt64, interest: Interest
    ) throws(SystemError) {
        _ = try checked(
            daybook_epoll_add(descriptor.number, watched.number, token, interest.rawValue),
            "epoll_ctl add")
    }

    /// Replaces token and interest. An empty interest reports hang-ups only.
    package func modify(
        _ watched: borrowing FileDescriptor, token: UInt64, interest: Interest
    ) throws(SystemError) {
        _ = try checked(
            daybook_epoll_modify(descriptor.number, watched.number, token, interest.rawValue),
            "epoll_ctl modify")
    }

    package func remove(_ watched: borrowing FileDescriptor) throws(SystemError) {
        _ = try checked(
            daybook_epoll_remove(descriptor.number, watched.number), "epoll_ctl remove")
    }

    /// Waits until something is ready or the time is over (nil: without end), and replaces the
    /// contents of `ready`. A signal may end it early, with nothing.
    package func wait(
        timeoutNanoseconds: UInt64?, into ready: inout [Readiness]
    ) throws(SystemError) {
        ready.removeAll(keepingCapacity: true)
        let timeout = timeoutNanoseconds.map { Int64(clamping: $0) } ?? -1
        let count = try checked(
            unsafe daybook_epoll_wait(
                descriptor.number, &events, Int32(Self.batch), timeout), "epoll_wait")
        for position in 0..<Int(count) {
            let (token, bits) = (events[position].token, events[position].bits)
            ready.append(
                Readiness(
                    token: token,
                    isReadable: bits & UInt32(DAYBOOK_READY_READ) != 0,
                    isWritable: bits & UInt32(DAYBOOK_READY_WRITE) != 0,
                    isHangUp: bits & UInt32(DAYBOOK_READY_HANG_UP) != 0))
        }
    }
}
