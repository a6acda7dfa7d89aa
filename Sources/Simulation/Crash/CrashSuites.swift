/// Every part that writes files, with a script that a crash cuts everywhere.
package struct CrashSuite: Sendable {
    package let name: String
    /// Explores the script of one seed. Throws a Violation.
    package let explore: @Sendable (UInt64) throws -> CrashCounts

    package init(name: String, explore: @escaping @Sendable (UInt64) throws -> CrashCounts) {
        self.name = name
        self.explore = explore
    }

    /// Append, group commit, seal, truncation, vote, and the persist records beside them.
    package static let log = CrashSuite(name: "log") { seed in
        var explorer = CrashExplorer(LogCrashScript(seed: seed), seed: seed)
        try explorer.explore()
        return explorer.counts
    }

    /// Compactions and erasures of a whole node: one seed in a hundred, for each takes
    /// seconds.
    package static let compaction = CrashSuite(name: "compaction") { seed in
        guard seed.isMultiple(of: 100) else { return CrashCounts() }
        var explorer = CrashExplorer(CompactionCrashScript(seed: seed), seed: seed, variants: 2)
        try explorer.explore()
        return explorer.counts
    }

    /// Segments that go to the archive, with their index tables and the merges of these: one seed in
    /// four.
    package static let archive = CrashSuite(name: "archive") { seed in
        guard seed.isMultiple(of: 4) else { return CrashCounts() }
        var explorer = CrashExplorer(ArchiveCrashScript(seed: seed), seed: seed, variants: 4)
        try explorer.explore()
        return explorer.counts
    }

    package static let all = [log, archive, compaction]
}
