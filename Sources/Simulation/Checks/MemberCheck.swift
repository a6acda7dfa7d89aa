import PeerWire
import Records

/// Who was told that the members are other ones now was told the truth.
struct MemberCheck {
    let history: History
    let members: MemberRecords

    func check() throws(Violation) {
        for operation in history.operations {
            guard case .members(let change) = operation.request,
                case .cluster(.members(let report)) = operation.answer
            else { continue }
            guard let rows = members.rows(setAt: report.index) else {
                throw Violation("entry \(report.index) is said to set the members, and does not")
            }
            let told = report.members.map { "\($0.id) \($0.role)" }
            guard told == rows.map({ "\($0.id) \($0.role)" }) else {
                throw Violation("the members of entry \(report.index) are not \(told)")
            }
            let row = rows.first { $0.id == change.node }
            let isSo =
                switch change {
                case .add: row != nil
                case .promote: row?.role == .voter
                case .remove: row == nil
                }
            guard isSo else { throw Violation("\(change) is said to be done, and is not") }
        }
    }
}
