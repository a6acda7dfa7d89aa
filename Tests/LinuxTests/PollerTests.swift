import Linux
import Testing

struct PollerTests {
    @Test func `readiness repeats until the bytes are read`() throws {
        let pair = try StreamSocket.pair()
        let poller = try Poller()
        var ready: [Readiness] = []
        try poller.register(pair.first.descriptor, token: .max, interest: .read)
        _ = try pair.second.write([1])
        for _ in 0..<2 {
            try poller.wait(timeoutNanoseconds: nil, into: &ready)
            #expect(
                ready == [
                    Readiness(token: .max, isReadable: true, isWritable: false, isHangUp: false)
                ])
        }
        var bytes: [UInt8] = []
        _ = try pair.first.read(into: &bytes)
        try poller.wait(timeoutNanoseconds: 0, into: &ready)
        #expect(ready.isEmpty)
    }

    @Test func `a wait ends no earlier than its time`() throws {
        let poller = try Poller()
        var ready = [Readiness(token: 1, isReadable: true, isWritable: true, isHangUp: true)]
        let start = Clock.monotonicNanoseconds()
        try poller.wait(timeoutNanoseconds: 1_500_000, into: &ready)
        #expect(Clock.monotonicNanoseconds() - start >= 1_500_000)
        #expect(ready.isEmpty)
    }

    @Test func `interest and token can be replaced and taken back`() throws {
        let pair = try StreamSocket.pair()
        let poller = try Poller()
        var ready: [Readiness] = []
        try poller.register(pair.first.descriptor, token: 1, interest: [.read, .write])
        try poller.wait(timeoutNanoseconds: 0, into: &ready)
        #expect(ready.map(\.token) == [1])
        #expect(ready.map(\.isWritable) == [true])
        try poller.modify(pair.first.descriptor, token: 2, interest: .read)
        try poller.wait(timeoutNanoseconds: 0, into: &ready)
        #expect(ready.isEmpty)
        _ = try pair.second.write([1])
        try poller.wait(timeoutNanoseconds: 0, into: &ready)
        #expect(ready.map(\.token) == [2])
        try poller.remove(pair.first.descriptor)
        try poller.wait(timeoutNanoseconds: 0, into: &ready)
        #expect(ready.isEmpty)
    }

    @Test func `a hang-up is reported without any interest`() throws {
        let poller = try Poller()
        var ready: [Readiness] = []
        try StreamSocket.pair().split { first, second in
            try poller.register(first.descriptor, token: 5, interest: [])
            try second.close()
            try poller.wait(timeoutNanoseconds: 0, into: &ready)
            #expect(ready.map(\.isHangUp) == [true])
        }
    }

    @Test func `a descriptor is registered once and known before it is changed`() throws {
        let pair = try StreamSocket.pair()
        let poller = try Poller()
        try poller.register(pair.first.descriptor, token: 1, interest: .read)
        let second = #expect(throws: SystemError.self) {
            try poller.register(pair.first.descriptor, token: 2, interest: .read)
        }
        #expect(second?.name == "EEXIST")
        let unknown = #expect(throws: SystemError.self) {
            try poller.modify(pair.second.descriptor, token: 2, interest: .read)
        }
        #expect(unknown?.name == "ENOENT")
    }
}
