package import Bytes
package import Records

/// The members: those that elect and commit, and those that only receive the log. Both in ascending
/// order; nobody is both.
///
/// An entry of the log may set it, for itself and everything behind it (dissertation 4.1).
package struct Configuration: Equatable, Sendable {
    package let voters: [NodeID]
    /// They get entries like followers, and neither vote nor count (dissertation 4.2.1).
    package let learners: [NodeID]

    /// Traps without a voter, on a repeated member, or on more than `Limits.members`.
    package init(voters: [NodeID], learners: [NodeID] = []) {
        precondition(!voters.isEmpty, "a cluster without voters")
        let all = (voters + learners).sorted()
        precondition(all.count <= Limits.members, "\(all.count) members")
        for (left, right) in zip(all, all.dropFirst()) {
            precondition(left != right, "member \(left) is named twice")
        }
        self.voters = voters.sorted()
        self.learners = learners.sorted()
    }

    /// Voters that make a majority.
    package var quorum: Int { voters.count / 2 + 1 }

    package func hasVoter(_ id: NodeID) -> Bool { voters.contains(id) }

    package func hasLearner(_ id: NodeID) -> Bool { learners.contains(id) }

    package func hasMember(_ id: NodeID) -> Bool { hasVoter(id) || hasLearner(id) }

    /// Voters that one of the two has and the other has not.
    package func votersChanged(to other: Configuration) -> [NodeID] {
        voters.filter { !other.hasVoter($0) } + other.voters.filter { !hasVoter($0) }
    }

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

// MARK: - The changes of an operator

extension Configuration {
    /// With one more learner.
    package func adding(_ id: NodeID) -> Configuration {
        Configuration(voters: voters, learners: learners + [id])
    }

    /// With a learner that votes from now on.
    package func promoting(_ id: NodeID) -> Configuration {
        Configuration(voters: voters + [id], learners: learners.filter { $0 != id })
    }

    /// Without a member. Traps when it is the last voter.
    package func removing(_ id: NodeID) -> Configuration {
        Configuration(
            voters: voters.filter { $0 != id }, learners: learners.filter { $0 != id })
    }
}

// MARK: - Entries

extension Configuration {
    package init(_ membership: Membership) {
        self.init(
            voters: membership.members.filter { $0.role == .voter }.map(\.id),
            learners: membership.members.filter { $0.role == .learner }.map(\.id))
    }
}

extension EntryDescriptor {
    /// What the core knows of `entry`. Throws when that changes the members and cannot be read.
    package init(_ entry: Entry) throws(ByteDefect) {
        self.init(
            position: entry.header.position, byteCount: entry.header.byteCount,
            configuration: try entry.membership().map { Configuration($0) })
    }
}
