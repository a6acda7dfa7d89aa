import Bytes
import JSON
import Simulation

/// What several seeds did together. Summaries of separate ranges can be merged.
struct Summary {
    struct Failure {
        let seed: UInt64
        let text: String
    }

    /// Violations that are kept with their texts.
    static let keptFailures = 1_000

    var seedCount = 0
    var failures: [Failure] = []
    var violationCount = 0
    var statistics = SimulationStatistics()

    /// The lowest seed that failed.
    var first: UInt64? { failures.map(\.seed).min() }

    var line: String {
        let tenths = statistics.virtualNanoseconds / 360_000_000_000
        return "\(seedCount) seeds, \(tenths / 10).\(tenths % 10) cluster-hours, "
            + "\(statistics.crashCount) crashes, \(statistics.diskFaultCount) disk faults, "
            + "\(violationCount) violations"
    }

    mutating func fail(_ seed: UInt64, _ text: String) {
        violationCount += 1
        if failures.count < Self.keptFailures { failures.append(Failure(seed: seed, text: text)) }
    }

    mutating func add(_ other: Summary) {
        seedCount += other.seedCount
        violationCount += other.violationCount
        failures += other.failures.prefix(max(0, Self.keptFailures - failures.count))
        statistics.add(other.statistics)
    }

    // MARK: Coverage

    /// One line for each situation, rarest last.
    var coverageLines: [String] {
        let rows = CoverageCase.allCases.map { (statistics.count(of: $0), $0) }
            .sorted { $0.0 > $1.0 }
        return rows.map { count, situation in
            let digits = String(count)
            return String(repeating: " ", count: max(0, 12 - digits.count)) + digits + "  "
                + situation.text
        }
    }

    /// Situations that a run of some thousands of seeds has to reach.
    var missed: [CoverageCase] {
        CoverageCase.allCases.filter { statistics.count(of: $0) == 0 && !$0.mayBeMissed }
    }

    // MARK: JSON

    var json: [UInt8] {
        var text: [UInt8] = []
        var object = JSONObjectWriter(to: &text)
        for (name, value) in numbers {
            object.name(name, to: &text)
            JSONWriter.append(value, to: &text)
        }
        object.name("failures", to: &text)
        var array = JSONArrayWriter(to: &text)
        for failure in failures {
            array.element(to: &text)
            var row = JSONObjectWriter(to: &text)
            row.member("seed", failure.seed, to: &text)
            row.member("text", failure.text, to: &text)
            row.close(to: &text)
        }
        array.close(to: &text)
        object.name("coverage", to: &text)
        var coverage = JSONObjectWriter(to: &text)
        for situation in CoverageCase.allCases {
            coverage.name(situation.rawValue, to: &text)
            JSONWriter.append(Int64(statistics.count(of: situation)), to: &text)
        }
        coverage.close(to: &text)
        object.close(to: &text)
        text.append(UInt8(ascii: "\n"))
        return text
    }

    private var numbers: [(String, Int64)] {
        [
            ("seeds", Int64(seedCount)),
            ("virtual_milliseconds", Int64(statistics.virtualNanoseconds / 1_000_000)),
            ("steps", Int64(statistics.eventCount)), ("crashes", Int64(statistics.crashCount)),
            ("disk_faults", Int64(statistics.diskFaultCount)),
            ("events", Int64(statistics.appendedCount)),
            ("leaders", Int64(statistics.leaderCount)), ("seals", Int64(statistics.sealCount)),
            ("repairs", Int64(statistics.repairCount)),
            ("compactions", Int64(statistics.compactionCount)),
            ("erasures", Int64(statistics.erasureCount)), ("violations", Int64(violationCount)),
        ]
    }

    init() {}

    /// Reads what `json` wrote. Throws when it is anything else.
    init(_ text: [UInt8]) throws {
        var document = JSONDocument()
        let bytes = text.span
        try document.parse(bytes)
        func number(_ name: StaticString) throws(UsageFault) -> Int {
            guard let node = document.member(name, of: document.root, in: bytes),
                let value = document.integer(node, from: bytes), value >= 0
            else { throw UsageFault(text: "no summary of --json: \(name) is missing") }
            return Int(value)
        }
        seedCount = try number("seeds")
        statistics.virtualNanoseconds = UInt64(try number("virtual_milliseconds")) * 1_000_000
        statistics.eventCount = try number("steps")
        statistics.crashCount = try number("crashes")
        statistics.diskFaultCount = try number("disk_faults")
        statistics.appendedCount = try number("events")
        statistics.leaderCount = try number("leaders")
        statistics.sealCount = try number("seals")
        statistics.repairCount = try number("repairs")
        statistics.compactionCount = try number("compactions")
        statistics.erasureCount = try number("erasures")
        violationCount = try number("violations")
        readFailures(document, bytes)
        readCoverage(document, bytes)
    }

    private mutating func readFailures(_ document: JSONDocument, _ bytes: Span<UInt8>) {
        guard let array = document.member("failures", of: document.root, in: bytes) else { return }
        var place = document.firstChild(of: array)
        while let row = place {
            if let seed = document.member("seed", of: row, in: bytes),
                let number = document.integer(seed, from: bytes),
                let text = document.member("text", of: row, in: bytes)
            {
                failures.append(
                    Failure(
                        seed: UInt64(number), text: document.string(text, from: bytes) ?? ""))
            }
            place = document.next(after: row, in: array)
        }
    }

    private mutating func readCoverage(_ document: JSONDocument, _ bytes: Span<UInt8>) {
        guard let object = document.member("coverage", of: document.root, in: bytes) else { return }
        var place = document.firstChild(of: object)
        while let name = place {
            if let text = document.string(name, from: bytes),
                let situation = CoverageCase(rawValue: text),
                let count = document.integer(document.value(of: name), from: bytes)
            {
                statistics.cover(situation, times: Int(count))
            }
            place = document.nextName(after: name, in: object)
        }
    }
}
