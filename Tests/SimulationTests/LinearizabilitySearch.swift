import PeerWire
import Records

@testable import Simulation

/// Whether a short history can be explained at all: tries every order of its operations that keeps
/// real time (Wing and Gong, "Testing and Verifying Concurrent Objects", 1993).
///
/// The object is the log itself: an append takes the next sequence, a linearizable page sees all
/// that is there, and in the end it is the log that was found. Exponential; for a dozen operations.
struct LinearizabilitySearch {
    private let history: History
    private let log: LogAudit
    private var tried: Set<[Int]> = []

    init(_ history: History, log: LogAudit) {
        self.history = history
        self.log = log
    }

    mutating func explains() -> Bool { search(done: 0, state: []) }

    /// `done`: a bit for each operation that was placed; `state`: contents in the log so far.
    private mutating func search(done: Int, state: [Int]) -> Bool {
        let all = history.operations.indices
        let open = all.filter { done & (1 << $0) == 0 }
        if open.allSatisfy({ mayBeLeftOut($0) }), isLog(state) { return true }
        guard tried.insert([done] + state).inserted else { return false }
        for place in open where mayBeNext(place, among: open) {
            guard let next = effect(of: place, on: state) else { continue }
            if search(done: done | 1 << place, state: next) { return true }
        }
        return false
    }

    /// What was not answered may have happened or not.
    private func mayBeLeftOut(_ place: Int) -> Bool {
        switch history.operations[place].answer {
        case nil, .notAppended, .noRows: true
        default: false
        }
    }

    /// Nothing that is open ended before it began.
    private func mayBeNext(_ place: Int, among open: [Int]) -> Bool {
        let begun = history.operations[place].invoked
        return open.allSatisfy { other in
            guard let ended = history.operations[other].completed else { return true }
            return ended > begun || mayBeLeftOut(other)
        }
    }

    /// The state behind the operation; nil when its answer does not fit.
    private func effect(of place: Int, on state: [Int]) -> [Int]? {
        let operation = history.operations[place]
        switch (operation.request, operation.answer) {
        case (.append(let content, _), .receipt(let receipt)):
            guard receipt.sequence.value == UInt64(state.count), receipt.verdict == .appended,
                !state.contains(content)
            else { return nil }
            return state + [content]
        case (.append(let content, _), .notAppended(isUnknown: true)),
            (.append(let content, _), nil):
            return state.contains(content) ? nil : state + [content]
        case (.page, .rows(let head, let rows)):
            guard head.end.value == UInt64(state.count), rows.count == state.count else {
                return nil
            }
            return state
        default: return nil
        }
    }

    private func isLog(_ state: [Int]) -> Bool {
        state.map { history.contents[$0].digest } == log.rows.map(\.digest)
    }
}
