package import Records

/// The members that elect and commit, in ascending order.
package struct Configuration: Equatable, Sendable {
    package let voters: [NodeID]

    /// Traps on an empty list, a repeated member, or more than `Limits.members`.
    package init(voters: [NodeID]) {
        let sorted = voters.sorted()
        precondition(!sorted.isEmpty, "a cluster without voters")
        precondition(sorted.count <= Limits.members, "\(sorted.count) voters")
        for (left, right) in zip(sorted, sorted.dropFirst()) {
            precondition(left != right, "voter \(left) is named twice")
        }
        self.voters = sorted
    }

    /// Voters that make a majority.
    package var quorum: Int { voters.count / 2 + 1 }

    package func contains(_ id: NodeID) -> Bool { voters.contains(id) }

    /// The greatest value that a majority has reached, given each voter's by `value`.
    ///
    /// Nothing is allocated; quadratic in the voters, of which there are few.
    func agreed<Value: Comparable>(_ value: (NodeID) -> Value) -> Value {
        var best: Value?
        for candidate in voters {
            let threshold = value(candidate)
            if let best, best >= threshold { continue }
            var reached = 0
            for voter in voters where value(voter) >= threshold { reached += 1 }
            if reached >= quorum { best = threshold }
        }
        guard let best else { preconditionFailure("a majority always agrees on the least value") }
        return best
    }
}
