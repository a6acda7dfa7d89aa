import Linux
import Testing

struct MailboxTests {
    @Test func `messages come out in order, all at once, and once`() throws {
        let box = try Mailbox<Int>()
        box.put(1)
        box.put(contentsOf: [2, 3])
        box.put(contentsOf: [])
        var messages: [Int] = []
        box.take(into: &messages)
        #expect(messages == [1, 2, 3])
        messages.removeAll(keepingCapacity: true)
        box.take(into: &messages)
        #expect(messages.isEmpty)
    }

    @Test func `the wakeup is readable exactly while messages wait`() throws {
        let box = try Mailbox<Int>()
        let poller = try Poller()
        var ready: [Readiness] = []
        try poller.register(box.wakeup.descriptor, token: 1, interest: .read)
        try poller.wait(timeoutNanoseconds: 0, into: &ready)
        #expect(ready.isEmpty)
        for _ in 0..<3 {
            box.put(7)
            box.put(8)
            try poller.wait(timeoutNanoseconds: nil, into: &ready)
            #expect(ready.count == 1)
            var messages: [Int] = []
            box.take(into: &messages)
            #expect(messages == [7, 8])
            try poller.wait(timeoutNanoseconds: 0, into: &ready)
            #expect(ready.isEmpty)
        }
    }

    /// Writers race one reader; each writer's own order must survive and nothing may be lost.
    @Test(arguments: [false, true])
    func `nothing is lost or reordered between four writers and a reader`(
        isBlocking: Bool
    ) throws {
        let (writers, each) = (4, 20_000)
        let box = try Mailbox<Int>(isBlocking: isBlocking)
        let result = try Mailbox<[Int]>(isBlocking: true)
        let reader = try Thread.start(name: "reader") {
            let received = receive(writers * each, from: box, isBlocking: isBlocking)
            result.put(received)
        }
        for writer in 0..<writers {
            let thread = try Thread.start(name: "writer") {
                for number in 0..<each { box.put(writer * each + number) }
            }
            // Detached: the reader's count ends the test.
            _ = consume thread
        }
        reader.join()
        var received: [[Int]] = []
        result.waitAndTake(into: &received)
        #expect(received[0].sorted() == Array(0..<(writers * each)))
        for writer in 0..<writers {
            let own = received[0].filter { $0 / each == writer }
            #expect(own == own.sorted())
        }
    }

    @Test func `two threads hand a number back and forth`() throws {
        let (there, back) = try (Mailbox<Int>(isBlocking: true), Mailbox<Int>(isBlocking: true))
        let echo = try Thread.start(name: "echo") {
            var messages: [Int] = []
            while messages.last != 1_000 {
                messages.removeAll(keepingCapacity: true)
                there.waitAndTake(into: &messages)
                back.put(contentsOf: messages)
            }
        }
        for number in 1...1_000 {
            there.put(number)
            var messages: [Int] = []
            back.waitAndTake(into: &messages)
            #expect(messages == [number])
        }
        echo.join()
    }

    @Test func `signals before the wait are not lost and do not add up`() throws {
        let wakeup = try Wakeup(isBlocking: true)
        wakeup.signal()
        wakeup.signal()
        wakeup.clear()
        let poller = try Poller()
        var ready: [Readiness] = []
        try poller.register(wakeup.descriptor, token: 1, interest: .read)
        try poller.wait(timeoutNanoseconds: 0, into: &ready)
        #expect(ready.isEmpty)
    }

    @Test func `more messages than the limit end the process`() async {
        await #expect(processExitsWith: .failure) {
            let box = try Mailbox<Int>(limit: 2)
            box.put(contentsOf: [1, 2, 3])
        }
    }
}

/// Takes `count` messages, by poller or by blocking.
private func receive(_ count: Int, from box: Mailbox<Int>, isBlocking: Bool) -> [Int] {
    var received: [Int] = []
    var messages: [Int] = []
    var ready: [Readiness] = []
    guard let poller = try? Poller() else { return [] }
    try? poller.register(box.wakeup.descriptor, token: 1, interest: .read)
    while received.count < count {
        messages.removeAll(keepingCapacity: true)
        if isBlocking {
            box.waitAndTake(into: &messages)
        } else {
            try? poller.wait(timeoutNanoseconds: nil, into: &ready)
            box.take(into: &messages)
        }
        received.append(contentsOf: messages)
    }
    return received
}
