import Bytes
import PeerWire
import Records
import Testing

@testable import Simulation

/// The fast checks against a search through every order.
struct LinearizabilityTests {
    /// Operations of a short history that are under way at once, and what it did to the log.
    private struct Draft {
        var planted = PlantedHistory(events: 0)
        var random: RandomSource
        private var running: [(operation: Int, isRead: Bool, content: Int)] = []
        private var note = 0

        init(seed: UInt64) {
            random = RandomSource(seed: seed)
            for _ in 0..<(4 + random.below(9)) { step() }
            while !running.isEmpty { end(random.below(running.count)) }
        }

        private mutating func step() {
            if !running.isEmpty, random.chance(50) { return end(random.below(running.count)) }
            // Each at a gateway of its own: the order of one gateway is another promise.
            let gateway = planted.history.operations.count
            if random.chance(40) {
                let operation = planted.history.invoke(
                    .page(from: .zero, .linearizable), gateway: gateway, life: 1)
                return running.append((operation, true, 0))
            }
            note += 1
            let content = planted.add(note: note, id: "id \(note)")
            let operation = planted.history.invoke(
                .append(content: content, expected: nil), gateway: gateway, life: 1)
            running.append((operation, false, content))
        }

        /// Takes effect as it ends, or never.
        private mutating func end(_ place: Int) {
            let (operation, isRead, content) = running.remove(at: place)
            let count = planted.log.rows.count
            if isRead {
                planted.history.complete(operation, planted.page(0..<count, end: count))
            } else if random.chance(15) {
                if random.chance(50) { planted.append(content) }
                planted.history.complete(operation, .notAppended(isUnknown: true))
            } else {
                planted.append(content)
                planted.history.complete(operation, .receipt(planted.receipt(count)))
            }
        }

        /// One answer, or the log, is another one now.
        mutating func spoil() {
            let answered = planted.history.operations.indices.filter {
                if case .receipt = planted.history.operations[$0].answer { true } else { false }
            }
            let reads = planted.history.operations.indices.filter {
                if case .rows = planted.history.operations[$0].answer { true } else { false }
            }
            switch random.below(4) {
            case 0 where answered.count > 1: swapReceipts(answered)
            case 1 where !reads.isEmpty: reread(random.pick(reads))
            case 2 where !planted.log.rows.isEmpty: planted.log.rows.removeLast()
            case 3 where planted.log.rows.count > 1: swapRows()
            default: break
            }
        }

        /// Two events change places, in the log and in their receipts.
        private mutating func swapRows() {
            let (one, other) = (
                random.below(planted.log.rows.count), random.below(planted.log.rows.count)
            )
            planted.log.rows.swapAt(one, other)
            for place in planted.history.operations.indices {
                guard case .append(let content, _) = planted.history.operations[place].request,
                    case .receipt = planted.history.operations[place].answer,
                    let sequence = planted.log.rows.firstIndex(where: {
                        $0.digest == planted.history.contents[content].digest
                    })
                else { continue }
                planted.history.operations[place].answer = .receipt(planted.receipt(sequence))
            }
            for place in planted.history.operations.indices {
                guard case .rows(let head, _) = planted.history.operations[place].answer else {
                    continue
                }
                let end = Int(head.end.value)
                planted.history.operations[place].answer = planted.page(0..<end, end: end)
            }
        }

        private mutating func swapReceipts(_ answered: [Int]) {
            let (one, other) = (random.pick(answered), random.pick(answered))
            let answer = planted.history.operations[one].answer
            planted.history.operations[one].answer = planted.history.operations[other].answer
            planted.history.operations[other].answer = answer
        }

        private mutating func reread(_ place: Int) {
            let end = random.below(planted.log.rows.count + 1)
            planted.history.operations[place].answer = planted.page(0..<end, end: end)
        }
    }

    @Test func `the fast checks and a search through every order agree on short histories`() {
        var (good, bad) = (0, 0)
        for seed in UInt64(1)...4_000 {
            var draft = Draft(seed: seed)
            if seed % 3 > 0 { draft.spoil() }
            var search = LinearizabilitySearch(draft.planted.history, log: draft.planted.log)
            let isExplained = search.explains()
            let verdict = draft.planted.verdict
            #expect(
                isExplained == (verdict == nil),
                "seed \(seed): the search says \(isExplained), the checks \(verdict ?? "all holds")"
            )
            if isExplained { good += 1 } else { bad += 1 }
        }
        print("linearizability: \(good) short histories explained, \(bad) not")
        #expect(good > 1_000 && bad > 500)
    }
}
