import Glibc
import Linux
import Testing

struct ProcessTests {
    @Test func `a joined thread has run to its end`() throws {
        let box = try Mailbox<Int>()
        let thread = try Thread.start(name: "a name that is longer than fifteen bytes") {
            box.put(42)
        }
        thread.join()
        var messages: [Int] = []
        box.take(into: &messages)
        #expect(messages == [42])
    }

    @Test func `facts about the process are plausible`() throws {
        #expect(Process.identifier > 0)
        #expect(Process.coreCount >= 1)
        #expect(Process.residentBytes > 1_048_576)
        #expect(try Process.raiseDescriptorLimit() >= 256)
        let before = Process.processorNanoseconds
        var number: UInt64 = 1
        while Process.processorNanoseconds == before { number = number &* 3 &+ 1 }
        #expect(Process.processorNanoseconds > before)
    }

    @Test func `the monotonic clock does not go back and the wall clock is of this century`() {
        var last = Clock.monotonicNanoseconds()
        for _ in 0..<1_000 {
            let now = Clock.monotonicNanoseconds()
            #expect(now >= last)
            last = now
        }
        #expect(Clock.wallMicroseconds() > 1_600_000_000_000_000)
        #expect(Clock.wallMicroseconds() < 4_102_444_800_000_000)
    }

    @Test func `environment variables are found by name and by prefix`() {
        #expect(Environment.value("PATH")?.isEmpty == false)
        #expect(Environment.value("DAYBOOK_NO_SUCH_VARIABLE") == nil)
        let found = Environment.variables(prefix: "PAT")
        #expect(found.contains { $0.name == "PATH" && $0.value == Environment.value("PATH") })
        #expect(found.map(\.name) == found.map(\.name).sorted())
        #expect(Environment.variables(prefix: "DAYBOOK_NO_SUCH_VARIABLE").isEmpty)
    }

    @Test func `an error says what was tried and what the kernel said`() {
        let known = SystemError(call: "open /x", code: 2)
        #expect(known.description == "open /x: No such file or directory (ENOENT)")
        #expect(known.isAbsent)
        #expect(SystemError(call: "x", code: 99_999).description == "x: unknown error (E?)")
    }

    /// In a process of its own, because it changes how this one takes signals.
    @Test func `watched signals arrive as events and a broken pipe is survived`() async {
        await #expect(processExitsWith: .success) {
            let watch = try SignalWatch()
            try #require(try watch.next() == nil)
            for (number, signal) in [(15, Signal.terminate), (2, .interrupt), (1, .hangUp)] {
                raise(Int32(number))
                let poller = try Poller()
                var ready: [Readiness] = []
                try poller.register(watch.descriptor, token: 1, interest: .read)
                while ready.isEmpty { try poller.wait(timeoutNanoseconds: nil, into: &ready) }
                try #require(try watch.next() == signal)
                try #require(try watch.next() == nil)
            }
            raise(SIGPIPE)
        }
    }
}
