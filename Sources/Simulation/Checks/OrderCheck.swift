import PeerWire
import Records

/// Real-time order: what was acknowledged before something else began stands before it. And the
/// order of one gateway: what it took first stands first.
struct OrderCheck {
    let history: History
    /// How often each content was asked for: the order of one that was asked for twice is open.
    private let askedOnce: [Bool]

    init(history: History) {
        self.history = history
        var counts = [Int](repeating: 0, count: history.contents.count)
        for operation in history.operations {
            if case .append(let content, _) = operation.request { counts[content] += 1 }
        }
        askedOnce = counts.map { $0 == 1 }
    }

    func check() throws(Violation) {
        try checkRealTime()
        try checkGateways()
    }

    private func appended(_ operation: History.Operation) -> (content: Int, sequence: UInt64)? {
        guard case .append(let content, _) = operation.request,
            case .receipt(let receipt) = operation.answer, receipt.verdict == .appended
        else { return nil }
        return (content, receipt.sequence.value)
    }

    /// Walks all invocations and completions in order; an operation that begins must end up behind
    /// the highest sequence acknowledged so far.
    private func checkRealTime() throws(Violation) {
        var completions: [(moment: Int, sequence: UInt64)] = []
        for operation in history.operations {
            guard let (_, sequence) = appended(operation), let moment = operation.completed else {
                continue
            }
            completions.append((moment, sequence))
        }
        completions.sort { $0.moment < $1.moment }
        var next = 0
        var highest: UInt64?
        // Operations stand in the order of their invocations.
        for operation in history.operations {
            while next < completions.count, completions[next].moment < operation.invoked {
                highest = max(highest ?? 0, completions[next].sequence)
                next += 1
            }
            // An earlier attempt at the same content may have been the one that was appended.
            guard let (content, sequence) = appended(operation), askedOnce[content],
                let highest, sequence <= highest
            else { continue }
            throw Violation(
                "sequence \(sequence) was asked for after sequence \(highest) was acknowledged")
        }
    }

    private func checkGateways() throws(Violation) {
        var highest: [[Int]: UInt64] = [:]
        for operation in history.operations {
            guard let (content, sequence) = appended(operation), askedOnce[content] else {
                continue
            }
            let gateway = [operation.gateway, operation.gatewayLife]
            if let before = highest[gateway], sequence <= before {
                throw Violation(
                    "sequence \(sequence) was posted to gateway \(operation.gateway) after "
                        + "sequence \(before)")
            }
            highest[gateway] = sequence
        }
    }
}
