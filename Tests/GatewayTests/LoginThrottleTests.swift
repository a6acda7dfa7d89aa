import Crypto
import Ledger
import Records
import Testing

@testable import Gateway

/// Guessing of passwords, on a virtual clock.
@Suite struct LoginThrottleTests {
    private static let second: UInt64 = 1_000_000_000
    private static let eve = LimitKey(high: 1, low: 1)
    private static let max = LimitKey(high: 2, low: 2)

    private func source(_ number: UInt64) -> RequestSource {
        RequestSource(
            address: ClientAddress(high: 0, low: 0xFFFF << 32 | number), isForwarded: false)
    }

    @Test func `delays double behind the free failures, up to the longest`() {
        var throttle = LoginThrottle(seed: 1)
        var now = Instant(nanoseconds: 1)
        for _ in 0..<LoginThrottle.freeForEmail {
            #expect(throttle.attempt(email: Self.eve, from: source(1), at: now) == nil)
        }
        var delays: [UInt64] = []
        for _ in 0..<14 {
            #expect(throttle.attempt(email: Self.eve, from: .local, at: now) == nil)
            let wait = throttle.attempt(email: Self.eve, from: .local, at: now) ?? 0
            delays.append(wait / Self.second)
            now = now.advanced(byNanoseconds: wait)
        }
        #expect(delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900, 900])
    }

    @Test func `many addresses do not help against one user`() {
        var throttle = LoginThrottle(seed: 1)
        let judged = (0..<1_000).count {
            throttle.attempt(email: Self.eve, from: source(UInt64($0)), at: .zero) == nil
        }
        #expect(judged == LoginThrottle.freeForEmail + 1)
    }

    @Test func `many users do not help one address`() {
        var throttle = LoginThrottle(seed: 1)
        let judged = (0..<1_000).count {
            let email = LimitKey(high: 9, low: UInt64($0))
            return throttle.attempt(email: email, from: source(1), at: .zero) == nil
        }
        #expect(judged == LoginThrottle.freeForAddress + 1)
    }

    @Test func `attempts at the same time are counted before any of them failed`() {
        var throttle = LoginThrottle(seed: 1)
        let judged = (0..<64).count { _ in
            throttle.attempt(email: Self.eve, from: source(1), at: .zero) == nil
        }
        #expect(judged == LoginThrottle.freeForEmail + 1)
    }

    @Test func `success forgets the user's failures and not the address's`() {
        var throttle = LoginThrottle(seed: 1)
        for number in 0..<LoginThrottle.freeForAddress {
            _ = throttle.attempt(
                email: LimitKey(high: 3, low: UInt64(number)), from: source(1), at: .zero)
        }
        #expect(throttle.attempt(email: Self.max, from: source(1), at: .zero) == nil)
        throttle.succeeded(email: Self.max, from: source(1), at: .zero)
        #expect(throttle.attempt(email: Self.eve, from: source(1), at: .zero) == nil)
        #expect(throttle.attempt(email: Self.eve, from: source(1), at: .zero) != nil)
        #expect(throttle.attempt(email: Self.eve, from: source(2), at: .zero) == nil)
    }

    @Test func `who guesses elsewhere does not lock a user out where they logged in before`() {
        var throttle = LoginThrottle(seed: 1)
        let time = Instant(nanoseconds: 5)
        #expect(throttle.attempt(email: Self.eve, from: source(1), at: time) == nil)
        throttle.succeeded(email: Self.eve, from: source(1), at: time)
        for number in UInt64(100)..<200 {
            _ = throttle.attempt(email: Self.eve, from: source(number), at: time)
        }
        #expect(throttle.attempt(email: Self.eve, from: source(7), at: time) != nil)
        #expect(throttle.attempt(email: Self.eve, from: source(1), at: time) == nil)
        // There guessing is slowed down as well.
        let judged = (0..<50).count { _ in
            throttle.attempt(email: Self.eve, from: source(1), at: time) == nil
        }
        #expect(judged == LoginThrottle.freeForEmail)
    }

    @Test func `failures are forgotten after an hour without attempts`() {
        var throttle = LoginThrottle(seed: 1)
        for _ in 0..<6 { _ = throttle.attempt(email: Self.eve, from: .local, at: .zero) }
        let later = Instant(nanoseconds: LoginThrottle.memoryNanoseconds + 1)
        for _ in 0..<6 {
            #expect(throttle.attempt(email: Self.eve, from: .local, at: later) == nil)
        }
    }

    @Test func `a table full of others forgets the one with the fewest failures`() {
        var throttle = LoginThrottle(seed: 1)
        for _ in 0..<6 { _ = throttle.attempt(email: Self.eve, from: .local, at: .zero) }
        for number in 0..<UInt64(GatewayLimits.loginSlots * 4) {
            _ = throttle.attempt(email: LimitKey(high: 4, low: number), from: .local, at: .zero)
        }
        #expect(throttle.attempt(email: Self.eve, from: .local, at: .zero) != nil)
    }

    private func login(_ email: String, _ gateway: inout TestGateway) -> Answer {
        gateway.answer(
            .post(
                "sessions/create",
                [
                    "email": "\"\(email)\"", "password": "\"wrong\"",
                    "application": "\"planox2\"",
                ], token: nil))
    }

    @Test func `being slowed down does not tell whether the user exists`() throws {
        var answers: [[String]] = []
        for email in ["eve@example.com", "nobody@example.com"] {
            var gateway = TestGateway()
            let cost = PasswordHash.Cost(logN: 4, r: 1, p: 1)
            var change = UserChange(id: UserID(10))
            change.password = PasswordHash(
                cost: cost, salt: [UInt8](repeating: 1, count: PasswordHash.saltByteCount),
                digest: [UInt8](repeating: 2, count: PasswordHash.digestByteCount))
            gateway.make(.updateUser(change), at: gateway.wall)
            for _ in 0...LoginThrottle.freeForEmail {
                #expect(login(email, &gateway).status == 400)
            }
            let answer = login(email, &gateway)
            #expect(answer.status == 429)
            answers.append(
                answer.headers.map { "\($0.0): \($0.1)" }
                    + [String(decoding: answer.body, as: UTF8.self)])
            // Spelled otherwise it is the same user.
            #expect(login(email.uppercased(), &gateway).status == 429)
            gateway.now = Instant(nanoseconds: Self.second)
            #expect(login(email, &gateway).status == 400)
        }
        #expect(answers[0] == answers[1])
    }
}
