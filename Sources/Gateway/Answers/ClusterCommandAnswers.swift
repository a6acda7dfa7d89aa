import JSON
package import PeerWire
import Records

extension GatewayCore {
    /// The answer to a command about the cluster. `wasSo`: nothing had to be done for it.
    package func answer(
        _ outcome: ClusterReply.Outcome, wasSo: Bool, requestID: String
    ) -> Answer {
        switch outcome {
        case .leads(let node, let term):
            var body: [UInt8] = []
            var object = JSONObjectWriter(to: &body)
            object.member("leader", Int64(node.value), to: &body)
            object.member("term", Int64(clamping: term.value), to: &body)
            object.member("already", wasSo, to: &body)
            object.close(to: &body)
            return Answer(
                status: 200, contentType: "application/json; charset=utf-8", body: body)
        case .sealed(let seal, let next):
            var body: [UInt8] = []
            var object = JSONObjectWriter(to: &body)
            object.member("sealed_through", seal.value, to: &body)
            object.member("next_sequence", next.value, to: &body)
            object.close(to: &body)
            return Answer(
                status: 200, contentType: "application/json; charset=utf-8", body: body)
        case .estimate(let estimate): return answer(estimate)
        case .holds(let page): return answer(page)
        case .members(let report): return answer(report, wasSo: wasSo)
        case .refused(.notAllowed, let detail):
            return refuse(
                Refusal(.permissionDenied, detail), on: .native, requestID: requestID)
        case .refused(let reason, let detail):
            return problem(
                reason == .unknownMember ? 404 : 409, Self.slug(of: reason), detail, requestID)
        case .none, .unknown:
            return refuse(
                Refusal(
                    .notReady,
                    outcome == .unknown
                        ? "It may have been begun; no node that serves has said how it ended. "
                            + "Ask again." : nil,
                    isOutcomeUnknown: outcome == .unknown), on: .native, requestID: requestID)
        }
    }

    /// The answer to who asked for a piece of a node's files; nil: the node did not answer.
    package func answer(_ fetched: Fetched?, requestID: String) -> Answer {
        switch fetched?.outcome {
        case .found:
            Answer(
                status: 200, contentType: "application/octet-stream",
                body: fetched?.bytes ?? [])
        case .absent:
            problem(404, "no-such-piece", "The node has no such piece, or another one.", requestID)
        case .damaged: problem(409, "damaged-piece", "The node cannot read it any more.", requestID)
        case nil:
            refuse(
                Refusal(.notReady, "The node does not answer."), on: .native, requestID: requestID)
        }
    }

    private static func slug(of reason: ClusterReply.Reason) -> String {
        switch reason {
        case .notAllowed: "permission-denied"
        case .unknownMember: "unknown-member"
        case .underWay: "under-way"
        case .unreachable: "member-unreachable"
        case .lagging: "member-lags"
        case .abandoned: "transfer-abandoned"
        case .damaged: "damaged"
        case .alreadyMember: "already-member"
        case .lastVoter: "last-voter"
        case .losesQuorum: "would-lose-quorum"
        case .full: "too-many-members"
        }
    }
}
