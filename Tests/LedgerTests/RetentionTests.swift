import Bytes
import Crypto
import Testing

@testable import Ledger
@testable import Records

@Suite struct RetentionTests {
    private static let id = Array("x".utf8)
    private static let mark = {
        let marks = ClosedMark(genesis: TestLog.genesis.clusterID)
        return marks.mark(of: id)
    }()

    private static func request(_ number: UInt64) -> Identifier {
        Identifier(high: 3, low: number)
    }

    private static func command(
        _ number: UInt64, _ change: DirectoryCommand.Change
    ) -> DirectoryCommand {
        DirectoryCommand(request: request(number), author: TokenID(1), change: change)
    }

    private static func digests(_ count: Int, _ byte: UInt8 = 1) -> [Digest] {
        (0..<count).map { place in
            Digest([UInt8](repeating: byte &+ UInt8(place), count: 32))
        }
    }

    /// A ledger with three events, of which two are of "x", and so many SEALs behind them.
    private func begin(seals: Int = 3) throws -> (Ledger, TestLog) {
        var (ledger, log) = try TestLog.begin()
        try ledger.apply(log.events([("x", "a", 1), ("y", "a", 1), ("x", "b", 2)]))
        for _ in 0..<seals { try ledger.apply(log.entry(.seal)) }
        return (ledger, log)
    }

    private func control(
        _ payload: ControlPayload, _ ledger: inout Ledger, _ log: inout TestLog
    ) throws -> LogIndex {
        var body: [UInt8] = []
        payload.append(to: &body)
        let entry = log.entry(payload.kind, body)
        try ledger.apply(entry)
        return entry.header.index
    }

    private func run(
        _ ledger: inout Ledger, _ log: inout TestLog, _ policy: CompactionPolicy = .latest,
        kept: UInt64 = 0, sealsFirst: Bool = true
    ) throws {
        let order = CompactionOrder(
            policy: policy, keptMicroseconds: kept, sealsFirst: sealsFirst)
        try ledger.apply(log.directory(Self.command(1, .compact(order))))
    }

    private func step(
        _ ledger: Ledger, inputs: Int = 2, version: UInt32? = nil, cut: Sequence? = nil
    ) -> ControlPayload {
        .compact(
            Compaction(
                inputs: Self.digests(inputs), cut: cut ?? ledger.retention.run?.cut ?? .zero,
                policy: (ledger.retention.run?.policy ?? .erasures).rawValue,
                policyVersion: version ?? ledger.retention.version,
                timeBound: ledger.retention.run?.timeBound ?? Timestamp(microseconds: .max),
                generation: 1))
    }

    private func erase(_ ledger: inout Ledger, _ log: inout TestLog) throws -> LogIndex {
        var body: [UInt8] = []
        RecordEncoder.appendAdministration(
            action: "erase", subject: "s", details: Array("{}".utf8), application: "",
            writtenBy: "w", to: &body)
        ControlPayload.erase(
            Erasure(
                request: Self.request(9), author: TokenID(1), closedMark: Self.mark,
                uniqueID: Self.id, reason: "r")
        ).append(to: &body)
        let entry = log.entry(.erase, body, recordCount: 1)
        try ledger.apply(entry)
        return entry.header.index
    }

    /// What a table of the state says is the whole of it.
    private func expectTable(of ledger: Ledger) throws {
        var bytes: [UInt8] = []
        ledger.appendState(to: &bytes)
        var cursor = ByteCursor(0..<bytes.count)
        let read = try Ledger(
            state: &cursor, bytes.span, seed: RevisionKey.Seed(1),
            archive: TestArchive())
        #expect(cursor.remaining == 0)
        #expect(read.retention == ledger.retention)
        #expect(read.isClosed(Self.id) == ledger.isClosed(Self.id))
        var again: [UInt8] = []
        read.appendState(to: &again)
        #expect(again == bytes)
        for count in stride(from: 0, to: bytes.count, by: 7) {
            var cursor = ByteCursor(0..<count)
            #expect(throws: ByteDefect.self) {
                _ = try Ledger(
                    state: &cursor, bytes.span, seed: RevisionKey.Seed(1),
                    archive: TestArchive())
            }
        }
    }

    @Test func `an erasure takes its unique_id out of the holds of a compaction that is done`()
        throws
    {
        var (ledger, log) = try begin()
        let named = NamedID(mark: Self.mark, uniqueID: Self.id)
        try ledger.apply(log.directory(Self.command(2, .addHold(named, reason: "r"))))
        try run(&ledger, &log)
        let compaction = try control(step(ledger), &ledger, &log)
        _ = try control(
            .compactDone(compaction: compaction, outputs: Self.digests(2, 9)), &ledger, &log)
        try ledger.apply(log.directory(Self.command(3, .removeHold(named))))
        #expect(ledger.retention.open?.held == [Self.id])
        _ = try erase(&ledger, &log)
        #expect(ledger.retention.open?.index == compaction)
        #expect(ledger.retention.open?.held == [])
        try expectTable(of: ledger)
    }

    // MARK: - Runs

    @Test func `a run goes over the sealed segments in steps, each made, swapped and collected`()
        throws
    {
        var (ledger, log) = try begin()
        try run(&ledger, &log)
        let run = try #require(ledger.retention.run)
        #expect(run.segmentCount == 3 && run.cut == Sequence(3) && run.needsSeal)
        #expect(run.timeBound == Timestamp(microseconds: .max))
        #expect(
            ledger.answers.answer(to: Self.request(1))?.answer == .compacting(run.index))
        var index = try control(step(ledger), &ledger, &log)
        #expect(ledger.retention.open?.index == index)
        try expectTable(of: ledger)
        _ = try control(
            .compactDone(compaction: index, outputs: Self.digests(2, 9)), &ledger, &log)
        #expect(ledger.retention.open?.isDone == true)
        #expect(ledger.retention.compactedThrough == index)
        try expectTable(of: ledger)
        _ = try control(.collect(compaction: index), &ledger, &log)
        #expect(ledger.retention.open == nil)
        #expect(ledger.retention.run?.doneCount == 2)
        // More than is left is void.
        _ = try control(step(ledger, inputs: 2), &ledger, &log)
        #expect(ledger.retention.open == nil)
        index = try control(step(ledger, inputs: 1), &ledger, &log)
        _ = try control(
            .compactDone(compaction: index, outputs: Self.digests(1, 9)), &ledger, &log)
        _ = try control(.collect(compaction: index), &ledger, &log)
        #expect(ledger.retention.run == nil)
        let result = try #require(ledger.retention.lastResult)
        #expect(result.outcome == .completed && result.segmentCount == 3)
        try expectTable(of: ledger)
    }

    @Test func `a run that does not seal leaves the newest segment alone`() throws {
        var (ledger, log) = try begin()
        try ledger.apply(log.entry(.noOperation))
        try run(&ledger, &log, .newerThan, kept: 5_000, sealsFirst: false)
        let run = try #require(ledger.retention.run)
        #expect(run.segmentCount == 2 && !run.needsSeal)
        #expect(run.timeBound == run.startedAt.advanced(byMicroseconds: -5_000))
        var (empty, log2) = try begin(seals: 0)
        try self.run(&empty, &log2, sealsFirst: false)
        #expect(empty.retention.run == nil)
        #expect(empty.retention.lastResult?.outcome == .completed)
    }

    @Test func `entries of compactions that nobody asked for, or too late, change nothing`() throws
    {
        var (ledger, log) = try begin()
        _ = try control(step(ledger), &ledger, &log)
        #expect(ledger.retention.open == nil, "no run")
        try run(&ledger, &log)
        _ = try control(step(ledger, version: 7), &ledger, &log)
        #expect(ledger.retention.open == nil, "another version")
        _ = try control(step(ledger, cut: Sequence(2)), &ledger, &log)
        #expect(ledger.retention.open == nil, "another cut")
        let index = try control(step(ledger), &ledger, &log)
        let open = ledger.retention
        _ = try control(step(ledger), &ledger, &log)
        _ = try control(
            .compactDone(compaction: index.next, outputs: Self.digests(2)), &ledger, &log)
        _ = try control(
            .compactDone(compaction: index, outputs: Self.digests(1)), &ledger, &log)
        _ = try control(.collect(compaction: index), &ledger, &log)
        _ = try control(.compactAbandoned(compaction: .zero, .noMajority), &ledger, &log)
        #expect(ledger.retention == open)
        _ = try control(
            .compactDone(compaction: index, outputs: Self.digests(2)), &ledger, &log)
        let done = ledger.retention
        _ = try control(.compactAbandoned(compaction: index, .noMajority), &ledger, &log)
        #expect(ledger.retention == done)
    }

    @Test func `without a majority the run ends and says so`() throws {
        var (ledger, log) = try begin()
        try run(&ledger, &log)
        let index = try control(step(ledger), &ledger, &log)
        _ = try control(.compactAbandoned(compaction: index, .noMajority), &ledger, &log)
        #expect(ledger.retention.open == nil && ledger.retention.run == nil)
        #expect(ledger.retention.lastResult?.outcome == .noMajority)
        #expect(ledger.retention.compactedThrough == .zero)
        try expectTable(of: ledger)
    }

    // MARK: - Holds

    @Test func `a hold voids a compaction that is not done, and the run goes on`() throws {
        var (ledger, log) = try begin()
        try run(&ledger, &log)
        var index = try control(step(ledger), &ledger, &log)
        let id = NamedID(mark: Self.mark, uniqueID: Self.id)
        try ledger.apply(log.directory(Self.command(2, .addHold(id, reason: "case 7"))))
        #expect(ledger.retention.open == nil && ledger.retention.run != nil)
        #expect(ledger.retention.hold(of: Self.id)?.reason == "case 7")
        #expect(ledger.answers.answer(to: Self.request(2))?.answer == .held)
        _ = try control(
            .compactDone(compaction: index, outputs: Self.digests(2)), &ledger, &log)
        #expect(ledger.retention.compactedThrough == .zero)
        index = try control(step(ledger), &ledger, &log)
        #expect(ledger.retention.open?.held == [Self.id])
        _ = try control(
            .compactDone(compaction: index, outputs: Self.digests(2)), &ledger, &log)
        // Too late for what is done.
        try ledger.apply(log.directory(Self.command(3, .removeHold(id))))
        #expect(ledger.retention.open?.index == index)
        #expect(ledger.retention.holds.isEmpty)
        #expect(ledger.answers.answer(to: Self.request(3))?.answer == .released)
        try expectTable(of: ledger)
    }

    // MARK: - Erasures

    @Test func `an erasure hides all events, closes the id, and comes before any run`() throws {
        var (ledger, log) = try begin()
        #expect(!ledger.isClosed(Self.id))
        try run(&ledger, &log)
        let open = try control(step(ledger), &ledger, &log)
        let erase = try erase(&ledger, &log)
        #expect(ledger.retention.open == nil, "\(open) is void")
        #expect(ledger.isClosed(Self.id))
        #expect(!ledger.isClosed(Array("y".utf8)))
        #expect(ledger.answers.answer(to: Self.request(9))?.answer == .erased(2))
        let erased = try #require(ledger.erased(Self.id))
        #expect(erased.sequences == [Sequence(0), Sequence(2)])
        #expect(ledger.retention.hidden(in: Sequence(1)..<Sequence(9)) == [Sequence(2)])
        #expect(ledger.retention.hidden(in: Sequence(0)..<Sequence(2)) == [Sequence(0)])
        let places = ledger.retention.pendingPlaces
        #expect(places.sequences == erased.sequences && places.entries == [erase])
        try expectTable(of: ledger)
        // A step of the run has to wait.
        _ = try control(step(ledger), &ledger, &log)
        #expect(ledger.retention.open == nil)
        let index = try control(
            .compact(
                Compaction(
                    inputs: Self.digests(2), cut: Sequence(3), policy: 0,
                    policyVersion: ledger.retention.version,
                    timeBound: Timestamp(microseconds: .max), generation: 1)), &ledger, &log)
        #expect(ledger.retention.open?.index == index)
        #expect(ledger.retention.erased(before: index).map(\.mark) == [Self.mark])
        _ = try control(
            .compactDone(compaction: index, outputs: Self.digests(2, 5)), &ledger, &log)
        _ = try control(.collect(compaction: index), &ledger, &log)
        #expect(ledger.retention.pending.isEmpty)
        #expect(ledger.retention.erased.first?.removedBy == index)
        #expect(ledger.retention.pendingPlaces.entries.isEmpty)
        #expect(ledger.isClosed(Self.id))
        #expect(ledger.retention.run?.doneCount == 0)
        _ = try control(step(ledger), &ledger, &log)
        #expect(ledger.retention.open != nil, "the run goes on")
        try expectTable(of: ledger)
    }

    @Test func `entries that name a held unique_id are among what its erasure reaches`() throws {
        var (ledger, log) = try begin()
        let id = NamedID(mark: Self.mark, uniqueID: Self.id)
        try ledger.apply(log.directory(Self.command(2, .addHold(id, reason: "r"))))
        try ledger.apply(log.directory(Self.command(3, .removeHold(id))))
        let erase = try erase(&ledger, &log)
        #expect(
            ledger.retention.pendingPlaces.entries == [
                LogIndex(erase.value - 2), LogIndex(erase.value - 1), erase,
            ])
    }

    @Test func `malformed entries of retention stop the node`() throws {
        var (ledger, log) = try begin()
        let bad = log.entry(.compact, [1, 2, 3])
        #expect(throws: Ledger.Defect.malformed(bad.header.index, offset: 56)) {
            try ledger.apply(bad)
        }
        var (other, log2) = try begin()
        var body: [UInt8] = []
        ControlPayload.erase(
            Erasure(
                request: Self.request(9), author: TokenID(1), closedMark: Self.mark,
                uniqueID: Self.id, reason: "r")
        ).append(to: &body)
        let erase = log2.entry(.erase, body)
        #expect(throws: Ledger.Defect.self, "an erasure without its record") {
            try other.apply(erase)
        }
        var (third, log3) = try begin()
        let order = log3.directory(
            Self.command(4, .erase(uniqueID: Self.id, reason: "in the wrong kind")))
        #expect(throws: Ledger.Defect.self) { try third.apply(order) }
    }
}
