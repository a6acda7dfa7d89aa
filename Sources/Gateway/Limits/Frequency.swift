import Bytes
import Crypto
package import HTTPWire
package import Records

// How often somebody asks, as a part of judging a request.

extension GatewayCore {
    /// Judges how often requests come from the source, before anything else of this one is judged.
    package mutating func refusalOfAddress(
        _ head: HTTPHead, in bytes: Span<UInt8>, from source: RequestSource, requestID: String,
        at now: Instant
    ) -> Answer? {
        guard !source.isExempt else { return nil }
        do throws(Refusal) {
            try limits.judge(address: source.address, at: now)
            return nil
        } catch {
            let isCompatible = bytes.copy(head.path).starts(with: "/api/".utf8)
            return refuse(error, on: isCompatible ? .compatible : .native, requestID: requestID)
        }
    }

    /// Counts a request of the token, once.
    mutating func judgeFrequency(_ token: TokenID) throws(Refusal) {
        credentialID = token
        guard let source, !source.isExempt else { return }
        self.source = nil
        try limits.judge(token: token, at: moment.now)
    }

    /// Counts an attempt to log in.
    mutating func judgeLogin(_ email: String) throws(Refusal) -> LoginAttempt {
        let attempt = LoginAttempt(
            email: LimitKey(digest: hash.hash(Array("\(seed) \(email.lowercased())".utf8))),
            source: source ?? .local)
        try limits.judgeLogin(email: attempt.email, from: attempt.source, at: moment.now)
        return attempt
    }

    /// What was refused for its frequency.
    package var rateRefusals: RateRefusals { limits.refused }
}
