import Bytes
import Records
import SegmentLog
import Testing

/// A log as a plain list of headers, to compare the catalogue with.
private struct NaiveLog {
    var headers: [EntryHeader] = []

    func segmentStart(of position: Int) -> Int {
        var start = position
        while start > 0, headers[start - 1].kind != .seal { start -= 1 }
        return start
    }

    func offset(of position: Int) -> Int {
        headers[segmentStart(of: position)..<position].reduce(64) { $0 + $1.byteCount }
    }
}

private func header(after previous: EntryHeader?, _ random: inout RandomSource) -> EntryHeader {
    let term = Term((previous?.term.value ?? 1) + (random.below(8) == 0 ? 1 : 0))
    let kind: EntryKind = random.below(5) == 0 ? .seal : .events
    return Entry(
        kind: kind, term: term, after: previous,
        recordCount: kind == .seal ? 0 : random.below(4),
        timestamp: Timestamp(microseconds: Int64(random.below(1_000))),
        body: [UInt8](repeating: 7, count: random.below(40))
    ).header
}

struct CatalogueTests {
    @Test func `a random log is placed, cut and found as a plain list says`() {
        for seed in UInt64(0)..<40 {
            var random = RandomSource(seed: seed)
            var naive = NaiveLog()
            var catalogue = Catalogue(clusterID: testCluster)
            for _ in 0..<60 {
                if random.below(6) == 0, naive.headers.count > 1 {
                    let kept = 1 + random.below(naive.headers.count - 1)
                    check(catalogue.truncate(from: LogIndex(UInt64(kept + 1))), naive, kept)
                    naive.headers.removeSubrange(kept...)
                } else {
                    naive.headers.append(header(after: naive.headers.last, &random))
                    let place = catalogue.append(naive.headers[naive.headers.count - 1])
                    #expect(place.offset == naive.offset(of: naive.headers.count - 1))
                    #expect((place.opens != nil) == (place.offset == 64))
                }
                compare(catalogue, naive)
            }
        }
    }

    private func check(_ plan: TruncationPlan, _ naive: NaiveLog, _ kept: Int) {
        let starts = naive.headers.indices.filter { naive.segmentStart(of: $0) == $0 }
        let removed = starts.filter { $0 >= kept }.reversed()
        #expect(plan.removed == removed.map { LogIndex(UInt64($0 + 1)) })
        if naive.segmentStart(of: kept) == kept {
            #expect(plan.cut == nil)
        } else {
            #expect(plan.cut?.byteCount == naive.offset(of: kept))
        }
    }

    private func compare(_ catalogue: Catalogue, _ naive: NaiveLog) {
        let last = naive.headers.last
        #expect(catalogue.lastHeader == last)
        #expect(catalogue.lastIndex.value == UInt64(naive.headers.count))
        for (position, header) in naive.headers.enumerated() {
            let index = LogIndex(UInt64(position + 1))
            #expect(catalogue.header(at: index) == header)
            #expect(catalogue.term(at: index) == header.term)
            #expect(catalogue.place(of: index)?.offset == naive.offset(of: position))
        }
        for sequence in 0..<(last?.nextSequence.value ?? 0) {
            let holder = naive.headers.first {
                $0.firstSequence.value <= sequence && sequence < $0.nextSequence.value
            }
            #expect(catalogue.index(holding: Sequence(sequence)) == holder?.index)
        }
        #expect(catalogue.index(holding: last?.nextSequence ?? .zero) == nil)
        let isOpen = last != nil && last?.kind != .seal
        let end = isOpen ? naive.offset(of: naive.headers.count - 1) + (last?.byteCount ?? 0) : 0
        #expect(catalogue.activeSegmentByteCount == end)
    }

    @Test func `an empty log has no entries, and term zero before them`() {
        let catalogue = Catalogue(clusterID: testCluster)
        #expect(catalogue.isEmpty)
        #expect(catalogue.lastIndex == .zero)
        #expect(catalogue.lastPosition == .zero)
        #expect(catalogue.term(at: .zero) == .zero)
        #expect(catalogue.term(at: LogIndex(1)) == nil)
        #expect(catalogue.place(of: .zero) == nil)
        #expect(catalogue.place(of: LogIndex(1)) == nil)
        #expect(catalogue.index(holding: .zero) == nil)
    }
}
