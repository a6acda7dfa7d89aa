import Consensus
import Records

/// The members as the log has them, by what was appended and committed anywhere.
struct MemberRecords {
    typealias Rows = [Membership.Row]

    /// Committed entries that set them, oldest first; the genesis is the first.
    private(set) var committed: [(index: LogIndex, rows: Rows)] = []
    /// Entries that were appended somewhere, and of which it is open whether they are committed.
    private var open: [(position: LogPosition, rows: Rows)] = []

    /// Entries that were cut off again.
    private(set) var undoneCount = 0

    init(founders: [Member]) {
        committed = [
            (
                LogIndex(1),
                founders.map {
                    .init(id: $0.id, role: .voter, incarnation: .unknown, address: $0.address)
                }
            )
        ]
    }

    /// As the newest committed entry says.
    var rows: Rows { committed.last?.rows ?? [] }
    var voters: [NodeID] { rows.filter { $0.role == .voter }.map(\.id) }
    var learners: [NodeID] { rows.filter { $0.role == .learner }.map(\.id) }

    /// No entry is open.
    var isSettled: Bool { open.isEmpty }

    func hasMember(_ id: NodeID) -> Bool { rows.contains { $0.id == id } }

    /// Whether it is one by every entry that may count.
    func hasMemberForCertain(_ id: NodeID) -> Bool {
        hasMember(id) && open.allSatisfy { $0.rows.contains { $0.id == id } }
    }

    func rows(setAt index: LogIndex) -> Rows? { committed.last { $0.index == index }?.rows }

    mutating func append(_ rows: Rows, at position: LogPosition) {
        guard !open.contains(where: { $0.position == position }),
            position.index > committed.last?.index ?? .zero
        else { return }
        open.append((position, rows))
    }

    /// The entry is committed. Returns the members before it, where it has set them. Throws when more
    /// than one voter came or went (Ongaro's dissertation, section 4.1).
    mutating func commit(_ position: LogPosition) throws(Violation) -> Rows? {
        guard !open.isEmpty else { return nil }
        let found = open.first { $0.position == position }
        undoneCount += open.count { $0.position.index <= position.index && $0.position != position }
        open.removeAll { $0.position.index <= position.index }
        guard let found else { return nil }
        let before = rows
        let changed = Configuration(Membership(members: before))
            .votersChanged(to: Configuration(Membership(members: found.rows)))
        guard changed.count <= 1 else {
            throw Violation("entry \(position) changes \(changed.count) voters")
        }
        committed.append((position.index, found.rows))
        return before
    }
}
