package import Records

/// Election safety: at most one leader in a term (Raft paper figure 3).
package struct LeaderCheck {
    private var leaders: [Term: (node: NodeID, life: Int)] = [:]

    package init() {}

    /// `life`: which process of the node. One that starts again must not lead the same term again.
    package mutating func note(_ term: Term, leader: NodeID, life: Int) throws(Violation) {
        if let known = leaders[term], known != (leader, life) {
            throw Violation("term \(term) is led by node \(known.node) and by node \(leader)")
        }
        leaders[term] = (leader, life)
    }

    func leader(of term: Term) -> NodeID? { leaders[term]?.node }
}
