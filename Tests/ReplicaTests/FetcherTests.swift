import PeerWire
import Records
import Testing

@testable import Replica

struct FetcherTests {
    private let peers = [NodeID(2), NodeID(3)]
    private let patience: UInt64 = 500_000_000

    private func asked(
        _ fetcher: inout Fetcher, _ now: Instant
    ) -> [(peer: NodeID, question: Fetch)] {
        var asked: [(NodeID, Fetch)] = []
        fetcher.turn(now: now) { asked.append(($0, $1)) }
        return asked
    }

    @Test func `a peer that does not answer is asked last, until it is heard or nobody is`() {
        var now = Instant(nanoseconds: 1)
        var fetcher = Fetcher(bytesPerSecond: 1 << 30, answerNanoseconds: patience, seed: 1)
        fetcher.want(.stateTable(LogIndex(1)), from: peers)
        #expect(asked(&fetcher, now).map(\.peer) == [NodeID(2)])
        now = now.advanced(byNanoseconds: patience)
        let again = asked(&fetcher, now)
        #expect(again.map(\.peer) == [NodeID(3)])
        fetcher.want(.stateTable(LogIndex(2)), from: peers)
        #expect(asked(&fetcher, now).map(\.peer) == [NodeID(3)], "not the one that is silent")
        now = now.advanced(byNanoseconds: patience)
        let last = asked(&fetcher, now)
        #expect(last.map(\.peer) == [NodeID(2)], "nobody answers, so all are tried")
        let answer = Fetched(id: last[0].question.id, outcome: .found)
        #expect(fetcher.take(answer, from: NodeID(2), now: now) == .stateTable(LogIndex(2)))
        fetcher.want(.stateTable(LogIndex(3)), from: peers)
        #expect(asked(&fetcher, now).map(\.peer) == [NodeID(2)], "it was heard")
    }

    @Test func `a peer that speaks is asked again although it did not answer`() {
        for isHeard in [false, true] {
            var now = Instant(nanoseconds: 1)
            var fetcher = Fetcher(bytesPerSecond: 1 << 30, answerNanoseconds: patience, seed: 1)
            fetcher.want(.manifest, from: peers)
            #expect(asked(&fetcher, now).map(\.peer) == [NodeID(2)])
            now = now.advanced(byNanoseconds: patience)
            #expect(asked(&fetcher, now).map(\.peer) == [NodeID(3)])
            if isHeard { fetcher.heard(NodeID(2)) }
            fetcher.want(.manifest, from: peers)
            #expect(asked(&fetcher, now).map(\.peer) == [NodeID(isHeard ? 2 : 3)])
        }
    }
}
