/// The current term and the vote given in it, stored as one record (Raft paper figure 2).
package struct DurableVote: Equatable, Sendable {
    package let term: Term
    package let votedFor: NodeID?

    package static let initial = DurableVote(term: .zero, votedFor: nil)

    package init(term: Term, votedFor: NodeID?) {
        self.term = term
        self.votedFor = votedFor
    }
}
