import PeerWire
import Records
import Testing

@testable import Simulation

struct MemberCheckTests {
    private static let founders = (1...3).map {
        Member(id: NodeID(UInt32($0)), address: "node-\($0):7400")
    }

    private static func row(_ id: UInt32, _ role: Membership.Role = .voter) -> Membership.Row {
        Membership.Row(
            id: NodeID(id), role: role, incarnation: .unknown, address: "node-\(id):7400")
    }

    private static func position(_ index: UInt64, term: UInt64 = 1) -> LogPosition {
        LogPosition(term: Term(term), index: LogIndex(index))
    }

    private static let withLearner = [row(1), row(2), row(3), row(4, .learner)]

    @Test func `what is committed counts, and what another entry replaced does not`() throws {
        var records = MemberRecords(founders: Self.founders)
        records.append(Self.withLearner, at: Self.position(5))
        #expect(!records.isSettled && records.learners.isEmpty)
        #expect(!records.hasMemberForCertain(NodeID(4)) && records.hasMemberForCertain(NodeID(1)))
        #expect(try records.commit(Self.position(4)) == nil)
        // Another entry 5 is committed: this one was cut off.
        #expect(try records.commit(Self.position(5, term: 2)) == nil)
        #expect(records.isSettled && records.undoneCount == 1 && records.learners.isEmpty)
        records.append(Self.withLearner, at: Self.position(6, term: 2))
        #expect(try records.commit(Self.position(6, term: 2))?.count == 3)
        #expect(records.learners == [NodeID(4)] && records.voters.count == 3)
    }

    @Test func `an entry that changes two voters is a violation`() throws {
        var records = MemberRecords(founders: Self.founders)
        records.append([Self.row(1), Self.row(2), Self.row(4)], at: Self.position(5))
        #expect(throws: Violation.self) { try records.commit(Self.position(5)) }
    }

    /// A history of one change and its answer: that entry `index` made `rows` the members.
    private func history(
        _ change: MemberChange, _ rows: [Membership.Row], index: UInt64 = 5
    ) -> History {
        var history = History()
        let operation = history.invoke(.members(change), gateway: 0, life: 1)
        let members = rows.map { row in
            var status = NodeStatus.Member(id: row.id, address: row.address, durable: .zero)
            status.role = row.role
            return status
        }
        history.complete(
            operation,
            .cluster(
                .members(
                    MemberReport(
                        index: LogIndex(index), lastIndex: LogIndex(index), members: members))))
        return history
    }

    @Test func `an answer about members has to be what the log says`() throws {
        var records = MemberRecords(founders: Self.founders)
        records.append(Self.withLearner, at: Self.position(5))
        _ = try records.commit(Self.position(5))
        let add = MemberChange.add(NodeID(4), address: "node-4:7400")
        try MemberCheck(history: history(add, Self.withLearner), members: records).check()
        let wrong = [
            history(add, Self.withLearner, index: 6), history(add, [Self.row(1), Self.row(2)]),
            history(.promote(NodeID(4)), Self.withLearner),
            history(.remove(NodeID(4)), Self.withLearner),
            history(.add(NodeID(5), address: "node-5:7400"), Self.withLearner),
        ]
        for history in wrong {
            #expect(throws: Violation.self) {
                try MemberCheck(history: history, members: records).check()
            }
        }
    }
}
