import Bytes
import Records
import Testing

@testable import Consensus

struct LogOutlineTests {
    private func entry(_ term: UInt64, _ index: UInt64, bytes: Int = 10) -> EntryDescriptor {
        EntryDescriptor(
            position: LogPosition(term: Term(term), index: LogIndex(index)), byteCount: bytes)
    }

    @Test func `random appends, cuts and releases agree with a plain array`() {
        for seed in 1...50 {
            var random = RandomSource(seed: UInt64(seed))
            var outline = LogOutline()
            var naive: [EntryDescriptor] = []
            var term: UInt64 = 1
            for _ in 0..<200 {
                let index = (naive.last?.position ?? outline.base).index.value + 1
                switch random.below(20) {
                case 0:
                    let from = LogIndex(outline.base.index.value + 1 + random.below(10))
                    outline.truncate(from: from)
                    naive.removeAll { $0.position.index >= from }
                    term += 1
                case 1 where !naive.isEmpty:
                    let through = naive[Int(random.below(UInt64(naive.count)))].position.index
                    outline.release(through: through)
                    naive.removeAll { $0.position.index <= through }
                default:
                    term += random.below(5) / 4
                    let added = entry(term, index, bytes: Int(random.below(100)) + 1)
                    outline.append(added)
                    naive.append(added)
                }
                compare(outline, naive)
            }
        }
    }

    private func compare(_ outline: LogOutline, _ naive: [EntryDescriptor]) {
        #expect(outline.last == naive.last?.position ?? outline.base)
        for entry in naive {
            #expect(outline.descriptor(at: entry.position.index) == entry)
        }
        #expect(outline.term(at: outline.last.index.next) == nil)
        let bytes = naive.reduce(0) { $0 + $1.byteCount }
        #expect(outline.byteCount(after: outline.base.index, through: outline.last.index) == bytes)
        guard let middle = naive.dropFirst(naive.count / 2).first else { return }
        let term = Term(middle.position.term.value - 1)
        let hint = outline.lastPosition(through: middle.position.index, termAtMost: term)
        let expected = naive.last {
            $0.position.index <= middle.position.index
                && $0.position.term <= term
        }
        #expect(hint == expected?.position ?? outline.base)
    }

    @Test func `a gap in the log is refused`() async {
        await #expect(processExitsWith: .failure) {
            var outline = LogOutline()
            outline.append(
                EntryDescriptor(
                    position: LogPosition(term: Term(1), index: LogIndex(2)), byteCount: 1))
        }
    }

    @Test func `a term that falls is refused`() async {
        await #expect(processExitsWith: .failure) {
            var outline = LogOutline(
                base: LogPosition(term: Term(3), index: LogIndex(1)))
            outline.append(
                EntryDescriptor(
                    position: LogPosition(term: Term(2), index: LogIndex(2)), byteCount: 1))
        }
    }

    @Test func `a cut at the base is refused`() async {
        await #expect(processExitsWith: .failure) {
            var outline = LogOutline(
                base: LogPosition(term: Term(3), index: LogIndex(7)))
            outline.truncate(from: LogIndex(7))
        }
    }
}
