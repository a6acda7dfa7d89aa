import PeerWire
import Records

/// Who was told that a node leads in a term was told the truth.
struct TransferCheck {
    let history: History
    let leaders: LeaderCheck

    func check() throws(Violation) {
        for operation in history.operations {
            guard case .transfer(let wanted) = operation.request,
                case .cluster(.leads(let node, let term)) = operation.answer
            else { continue }
            guard node == wanted, leaders.leader(of: term) == node else {
                throw Violation("node \(wanted) is said to lead term \(term)")
            }
        }
    }
}
